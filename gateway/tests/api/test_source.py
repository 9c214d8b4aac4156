"""Where a request came from, as far as the operator's own proxies say so."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from gateway.tests.captured_log import captured_log
from hypothesis import given
from hypothesis import strategies as st

from signalpost.listener.source import parse_proxies, source_of

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

PROXIES = parse_proxies("127.0.0.1, 10.0.0.0/8, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "source"),
    [
        ("127.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("::ffff:127.0.0.1", ["9.9.9.9"], "9.9.9.9"),
        ("127.0.0.1", ["1.1.1.1, 9.9.9.9"], "9.9.9.9"),  # the client made up what stands first
        ("127.0.0.1", ["1.1.1.1, 9.9.9.9, 10.1.2.3"], "9.9.9.9"),
        ("127.0.0.1", ["1.1.1.1", "9.9.9.9,10.1.2.3"], "9.9.9.9"),
        ("127.0.0.1", ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        ("127.0.0.1", ["2606:4700::1, fd00::7"], "2606:4700::1"),
        ("127.0.0.1", ["9.9.9.9, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("8.8.8.8", ["9.9.9.9"], "8.8.8.8"),
        (None, ["9.9.9.9"], None),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str | None, forwarded_for: list[str], source: str | None) -> None:
    assert source_of(peer, forwarded_for, PROXIES) == source


@given(st.lists(st.text()))
def test_nothing_that_a_client_claims_changes_its_own_address(claims: list[str]) -> None:
    assert source_of("8.8.8.8", claims, PROXIES) == "8.8.8.8"
    assert source_of("127.0.0.1", claims, ()) == "127.0.0.1"
    assert source_of("127.0.0.1", [*claims, "8.8.8.8"], PROXIES) == "8.8.8.8"


@pytest.mark.parametrize(("trusted", "source"), [("127.0.0.0/8", "9.9.9.9"), ("", "127.0.0.1")])
def test_the_log_says_where_a_request_came_from(make_world: Callable[..., "World"], trusted: str, source: str) -> None:
    world = make_world(trusted_proxies=parse_proxies(trusted))
    with captured_log() as logs:
        world.send("GET", "/v1/documents", headers={"x-forwarded-for": "1.1.1.1, 9.9.9.9"}).ok()
    assert [entry["source"] for entry in logs if entry["message"] == "request"] == [source]


PLAIN = "without TLS"


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"host": "127.0.0.1"}, False),
        ({"host": "localhost"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "0.0.0.0", "trusted_proxies": parse_proxies("10.0.0.1")}, False),
        ({"host": "0.0.0.0", "tls_cert": Path("cert.pem"), "tls_key": Path("key.pem")}, False),
    ],
)
def test_who_listens_beyond_this_machine_without_a_proxy_is_warned(
    make_world: Callable[..., "World"], settings: dict[str, object], warned: bool
) -> None:
    world = make_world(public_url="https://signalpost.example.com", **settings)
    warnings = world.get("/health/ready").ok()["warnings"]
    assert [PLAIN in warning for warning in warnings] == [True] * warned


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/documents"), ("GET", "/nowhere"), ("POST", "/v1/keys"), ("GET", "/health/live"), ("GET", "/metrics")],
)
def test_no_answer_is_kept_on_its_way_or_taken_for_what_it_is_not(
    make_world: Callable[..., "World"], method: str, path: str
) -> None:
    world = make_world()
    body = {"name": "x", "role": "operator"} if method == "POST" else None
    headers = world.send(method, path, body).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
