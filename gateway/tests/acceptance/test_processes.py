"""Several processes of one gateway on one port: `signalpost serve --processes`."""

import base64
import os
import secrets
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.gateway_process import GatewayProcess, children, is_there
from gateway.tests.acceptance.receiver import Endpoint, Receiver
from gateway.tests.cli.command import run
from gateway.tests.patience import ATTEMPT_TIMEOUT, PATIENCE
from gateway.tests.postgres import new_database

from signalpost.cli.serving.processes import MAX_FAILURES, gives_up
from signalpost.runtime.restarts import MAX_WAIT, wait_before_start
from signalpost_bench.free_port import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared() -> dict[str, str]:
    """The settings that all gateways on one database have."""
    return {
        "database_url": new_database("_processes"),
        "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "operator_key": f"sp_{secrets.token_urlsafe(32)}",
        "public_url": "https://gateway.example.com",
    }


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, ca_file: Path, receiver: Receiver, shared: dict[str, str]
) -> Iterator[GatewayProcess]:
    """A gateway of two processes, which all tests of the file share; the last ones end it."""
    folder = tmp_path_factory.mktemp("processes")
    flags = {**shared, "processes": "2", "metrics_port": str(free_port(1))}
    made = GatewayProcess(
        folder / "data", folder, ca_file, receiver.origin, **flags, attempt_timeout=f"{ATTEMPT_TIMEOUT:g}"
    )
    try:
        start(made)
        yield made
    finally:
        made.end()
    assert made.faults == []


def start(gateway: GatewayProcess) -> None:
    gateway.start()
    until(lambda: all(map(answers, metrics_ports(gateway))))


def documents(end: Endpoint) -> set[str]:
    return {each.event["data"]["document"]["externalId"] for each in end.requests}


def test_another_gateway_on_its_port_is_refused(
    gateway: GatewayProcess, shared: dict[str, str], tmp_path: Path
) -> None:
    refused = refused_start(tmp_path, shared, port=str(gateway.address[1]))
    assert "Address already in use" in refused
    assert all(map(answers, metrics_ports(gateway)))


def test_where_one_process_cannot_start_all_end_and_it_says_why_once(
    gateway: GatewayProcess, shared: dict[str, str], tmp_path: Path
) -> None:
    first = free_port(1)
    with socket.create_server(("127.0.0.1", first + 1)):
        refused = refused_start(tmp_path, shared, port="0", metrics_port=str(first))
    assert refused.count(f"Cannot listen on 127.0.0.1:{first + 1}") == 1, refused
    assert not answers(first)


def test_what_keeps_the_first_process_from_starting_is_said_once(shared: dict[str, str], tmp_path: Path) -> None:
    nowhere = {**shared, "database_url": "postgresql://signalpost@127.0.0.1:9/signalpost"}
    refused = refused_start(tmp_path, nowhere, processes="4", port="0")
    assert refused.count("signalpost:") == 1, refused
    assert "Traceback" not in refused


def test_a_process_that_is_killed_is_started_again_while_the_other_answers_and_delivers(
    gateway: GatewayProcess, endpoint: Endpoints
) -> None:
    ends = [endpoint() for _ in range(4)]  # lanes of both processes
    for end in ends:
        gateway.api.subscribe(end.url, eventTypes=["documentCreated"])
    killed, left = children(gateway.pid)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in children(gateway.pid))
    made = {gateway.api.create()["externalId"] for _ in range(6)}
    until(lambda: all(documents(end) == made for end in ends))
    until(lambda: all(map(answers, metrics_ports(gateway))))
    assert left in children(gateway.pid)


def test_sigterm_ends_every_process_once_what_it_has_in_flight_has_ended(
    gateway: GatewayProcess, endpoint: Endpoints
) -> None:
    end = endpoint()
    gateway.api.subscribe(end.url, eventTypes=["documentCreated"])
    made = {gateway.api.create()["externalId"] for _ in range(20)}
    processes = children(gateway.pid)
    assert len(processes) == 2
    assert gateway.stop() == 0
    assert not any(map(is_there, processes))
    start(gateway)  # for what was not sent yet
    until(lambda: documents(end) == made)
    assert len(end.requests) == len(made), "what had been sent was recorded before the end"


def test_processes_end_by_themselves_when_their_parent_was_killed(gateway: GatewayProcess) -> None:
    processes = children(gateway.pid)
    assert len(processes) == 2
    gateway.kill()
    until(lambda: not any(map(is_there, processes)))


def test_a_process_that_keeps_failing_is_started_less_and_less_often() -> None:
    waits = [wait_before_start(failures) for failures in range(12)]
    assert waits == sorted(waits)
    assert waits[:4] == [0, 1, 2, 4]
    assert waits[-1] == MAX_WAIT


def test_it_gives_up_only_once_every_process_keeps_failing() -> None:
    assert not gives_up([100 * MAX_FAILURES, 0])
    assert not gives_up([MAX_FAILURES, MAX_FAILURES - 1])
    assert gives_up([MAX_FAILURES, MAX_FAILURES + 1])


def refused_start(folder: Path, settings: dict[str, str], **more: str) -> str:
    """What a start of several processes says that must end by itself."""
    flags = {"data_dir": str(folder / "data"), "processes": "2", **settings, **more}
    return run("serve", *(f"--{name.replace('_', '-')}={value}" for name, value in flags.items()), code=1).stderr


def metrics_ports(gateway: GatewayProcess) -> tuple[int, int]:
    first = int(gateway.flag("metrics_port"))
    return first, first + 1


def answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        return int(answer.status) == 200
    return False
