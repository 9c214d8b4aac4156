import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import trustme
from gateway.tests.acceptance.client import Client
from gateway.tests.acceptance.gateway_process import GatewayProcess, running
from gateway.tests.acceptance.receiver import OK, Answer, Answers, Endpoint, Receiver
from gateway.tests.patience import ATTEMPT_TIMEOUT

Gateways = Callable[..., GatewayProcess]
Endpoints = Callable[..., Endpoint]


@pytest.fixture(scope="session")
def serving() -> Callable[[trustme.LeafCert], ssl.SSLContext]:
    """A server's side of TLS with a certificate."""

    def make(certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    return make


@pytest.fixture(scope="session")
def receiver(authority: trustme.CA, serving: Callable[[trustme.LeafCert], ssl.SSLContext]) -> Iterator[Receiver]:
    """The customer's server, for the whole session; tests take endpoints of it."""
    made = Receiver(serving(authority.issue_cert("localhost")))
    yield made
    made.stop()


@pytest.fixture
def endpoint(receiver: Receiver) -> Iterator[Endpoints]:
    """Makes endpoints that end with the test: `endpoint(answer)`."""
    made: list[Endpoint] = []

    def make(answer: Answer | Answers = OK) -> Endpoint:
        made.append(receiver.endpoint(answer))
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def gateways(tmp_path: Path, ca_file: Path, receiver: Receiver) -> Iterator[Gateways]:
    """Makes gateways of the test's own, on fresh data directories: `gateways(retry_delays="1")` starts one. None of
    them outlives the test, and none may have logged a fault. An attempt has more time than a slow machine needs, unless
    a flag says otherwise."""
    made: list[GatewayProcess] = []

    def make(trust: Path = ca_file, command: Sequence[str] = (), **flags: str) -> GatewayProcess:
        logs = tmp_path / f"logs-{len(made)}"
        logs.mkdir()
        given = {"allow": receiver.origin, "attempt_timeout": f"{ATTEMPT_TIMEOUT:g}", **flags}
        made.append(GatewayProcess(tmp_path / f"data-{len(made)}", logs, trust, **given))
        if command:
            made[-1].command = list(command)
        made[-1].start()
        return made[-1]

    try:
        yield make
    finally:
        for gateway in made:
            gateway.end()
    assert [fault for gateway in made for fault in gateway.faults] == []


def _running(folder: Path, ca_file: Path, receiver: Receiver, **flags: str) -> AbstractContextManager[GatewayProcess]:
    return running(GatewayProcess(folder / "data", folder, ca_file, receiver.origin, **flags))


def _client(gateway: GatewayProcess) -> Iterator[Client]:
    """What was subscribed through it ends with the test."""
    client = gateway.client()
    yield client
    for subscription in client.ask("GET", "/v1/subscriptions?limit=250")["data"]:
        client.unsubscribe(subscription)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, ca_file: Path, receiver: Receiver) -> Iterator[GatewayProcess]:
    """One gateway for every test that neither ends it nor needs another setting: retries follow after 1, 1 and 1 s. No
    attempt times out because the machine is slow."""
    folder = tmp_path_factory.mktemp("gateway")
    with _running(folder, ca_file, receiver, retry_delays="1,1,1", attempt_timeout=f"{ATTEMPT_TIMEOUT:g}") as gateway:
        yield gateway


@pytest.fixture
def api(shared: GatewayProcess) -> Iterator[Client]:
    """A client of the shared gateway."""
    yield from _client(shared)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, ca_file: Path, receiver: Receiver) -> Iterator[GatewayProcess]:
    """One gateway where an attempt has 6 s, for tests of endpoints that use them up. The beginning of an answer arrives
    in that time also on a busy machine, or on one that stands still for seconds."""
    folder = tmp_path_factory.mktemp("impatient")
    with _running(folder, ca_file, receiver, attempt_timeout="6") as gateway:
        yield gateway


@pytest.fixture
def impatient_api(impatient: GatewayProcess) -> Iterator[Client]:
    """A client of the gateway where an attempt has 6 s."""
    yield from _client(impatient)
