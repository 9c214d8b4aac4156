"""Forms of pages that never arrive: their senders leave others room, with and without a session."""

import select
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import PATIENCE

Gateways = Callable[..., GatewayProcess]
MOST = 40
"""How many requests the gateway takes at a time."""
BEYOND = 20


@contextmanager
def half_sent(gateway: GatewayProcess, path: str, cookie: str = "") -> Iterator[Sequence[socket.socket]]:
    """More forms than the gateway takes at a time, a byte of each."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\ncookie: {cookie}\r\n"
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_connection(gateway.address, PATIENCE)) for _ in range(MOST + BEYOND)
        ]
        for each in sockets:
            each.sendall(f"{head}content-length: 9\r\n\r\nk".encode())
        until(lambda: len(answered(sockets)) >= BEYOND)
        yield sockets


def answered(sockets: Sequence[socket.socket]) -> list[socket.socket]:
    return select.select(sockets, [], [], 0)[0]


def test_who_sends_forms_without_a_session_leaves_room_for_those_with_a_key(gateways: Gateways) -> None:
    """A thousand sockets with a byte of a form each had every request refused, for a minute."""
    gateway = gateways(max_connections=str(MOST))
    assert gateway.api.request("GET", "/console/sign-in").status == 200
    with half_sent(gateway, "/console/sign-in") as sockets:
        assert gateway.api.request("GET", "/v1/documents").status == 200
        gateway.api.create()
        until(lambda: len(answered(sockets)) == len(sockets))
        told = Counter(each.recv(12) for each in sockets)
        assert 0 < told[b"HTTP/1.1 400"] <= MOST * 4 // 5, "those that got a place were let go"


def test_a_guest_of_the_portal_leaves_room_for_others(gateways: Gateways) -> None:
    gateway = gateways(max_connections=str(MOST))
    asked = {"name": "Acme", "subscriptions": "all", "can": []}
    path = urlsplit(gateway.api.ask("POST", "/v1/portal-links", asked, expect=201)["url"]).path
    entered = gateway.api.request("POST", path, b"", sec_fetch_site="same-origin")
    assert entered.status == 303
    cookie = entered.headers["set-cookie"].partition(";")[0]
    with half_sent(gateway, "/portal", cookie):
        assert gateway.api.request("GET", "/v1/documents").status == 200
        assert gateway.api.request("GET", "/console/sign-in").status == 200
