"""A subscription with a certificate, an authority and a key pair of its own, through a real gateway: alone, with
workers, and on PostgreSQL; over a kill, a replay and a retry by hand."""

import base64
import secrets
import ssl
import threading
from collections.abc import Iterator

import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Gateways
from gateway.tests.acceptance.test_master_key import keys_of, leave, rotate, until_settled
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.joints.api_of_node import OPERATOR_KEY
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost_bench import postgres_server
from signalpost_receiver import Receiver

pytestmark = pytest.mark.slow
INSIDE, CLIENTS = trustme.CA(), trustme.CA()


class Inside:
    """An endpoint of an authority that only its subscription knows. It refuses every client without a certificate."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        """What came with each request: the name in the client's certificate, the headers, and the body."""
        got = self.got

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append((self.connection.getpeercert()["subjectAltName"][0][1], dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

        self._server = LocalServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        INSIDE.issue_cert("127.0.0.1").configure_cert(context)
        CLIENTS.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is expected
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


TRUSTED = {"authorities": INSIDE.cert_pem.bytes().decode(), "retryDelays": [], "eventTypes": ["documentCreated"]}


def certificate() -> dict[str, str]:
    issued = CLIENTS.issue_cert("customer.example")
    chain = "".join(each.bytes().decode() for each in issued.cert_chain_pems)
    return {"certificate": chain, "privateKey": issued.private_key_pem.bytes().decode()}


@pytest.fixture
def inside() -> Iterator[Inside]:
    made = Inside()
    yield made
    made.stop()


@pytest.fixture(params=["alone", "with workers", "on PostgreSQL"])
def flags(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param != "on PostgreSQL":
        yield {"processes": "3"} if request.param == "with workers" else {}
        return
    with postgres_server.running(settings=postgres_server.THROWAWAY) as server:
        master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        yield {
            "database_url": server.loopback_url(), "master_key": master_key, "public_url": "https://gateway.example",
            "attempt_timeout": f"{min(ATTEMPT_TIMEOUT, 15):g}", "operator_key": OPERATOR_KEY,
        }  # fmt: skip


def test_it_is_let_in_and_its_signature_verified_whatever_the_gateway_goes_through(
    gateways: Gateways, inside: Inside, flags: dict[str, str]
) -> None:
    gateway = gateways(allow=inside.origin, **flags)
    api = gateway.api
    known = api.subscribe(inside.origin, clientCertificate=certificate(), signWithKeyPair=True, **TRUSTED)
    stranger = api.subscribe(inside.origin, **TRUSTED)
    first = api.events_of(api.create())[0]["id"]
    api.until_delivery(known, first, "delivered")
    api.retry(known, first)
    until(lambda: len(inside.got) == 2)

    gateway.kill()
    gateway.start()
    api.until_delivery(known, api.events_of(api.create())[0]["id"], "delivered")
    api.ask("POST", f"/v1/subscriptions/{known['id']}/replays", {"fromSequence": 1, "status": "all"}, expect=202)
    until(lambda: len(inside.got) >= 5)
    until(lambda: len(api.deliveries(stranger, status="failed")) == 2)

    [public_key] = api.subscription(known)["publicKeys"]
    receiver = Receiver(secrets=[public_key])
    for whose, headers, body in inside.got:
        assert whose == "customer.example"
        receiver.verify(body, headers)


def test_it_is_let_in_after_the_master_key_has_changed(gateways: Gateways, inside: Inside) -> None:
    gateway = gateways(allow=inside.origin)
    gateway.api.subscribe(inside.origin, clientCertificate=certificate(), **TRUSTED)
    assert rotate(gateway).returncode == 0
    until_settled(gateway)
    assert gateway.stop() == 0
    leave(gateway, keys_of(gateway)[0])
    gateway.start()
    gateway.api.create()
    until(lambda: len(inside.got) == 1)
