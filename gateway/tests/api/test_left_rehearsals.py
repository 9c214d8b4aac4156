"""A rehearsal ends if the client that asked for it leaves: others of its tenant need not wait for it, and nothing of it
goes on."""

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from gateway.tests.console.conftest import Browser
from gateway.tests.patience import PATIENCE
from gateway.tests.worker_on_loop import either_way

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

listening = either_way
CHANGE = {"change": {"eventTypes": ["documentUpdated"]}}


@pytest.fixture(scope="module")
def world(make_world: "Callable[..., World]") -> "World":
    made = make_world()
    made.create_document()
    return made


@pytest.fixture
def path(world: "World") -> str:
    return f"/v1/subscriptions/{world.create_subscription()['id']}"


def held(world: "World") -> AbstractContextManager[None]:
    """No rehearsal comes to its end meanwhile."""
    return world.holding(world.gateway._services.engine._long_work, 1)


def is_running(world: "World") -> bool:
    return bool(world.gateway._services.engine.rehearsals._running)


def asked(world: "World", path: str, headers: Mapping[str, str], body: bytes) -> socket.socket:
    """The connection of a client that asked for a rehearsal, once that has begun."""
    lines = {"host": f"127.0.0.1:{world.port}", "content-length": str(len(body)), **headers}
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection = socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE)
    connection.sendall(f"{head}\r\n".encode() + body)
    world.wait_until(lambda: is_running(world))
    return connection


def ask_as_another(world: "World", path: str) -> Any:
    key = world.send("POST", "/v1/keys", {"name": "another", "role": "subscriber"}).ok(201)["key"]
    return world.send("POST", f"{path}/rehearsals", CHANGE, {"authorization": f"Bearer {key}"})


def test_a_rehearsal_ends_as_its_client_closes_the_connection(world: "World", path: str) -> None:
    key = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    with held(world):
        client = asked(world, f"{path}/rehearsals", key, json.dumps(CHANGE).encode())
        ask_as_another(world, path).refused(429, code="rehearsal_running")
        client.close()
        world.wait_until(lambda: not is_running(world))
    assert ask_as_another(world, path).ok()["less"] == 0


def test_a_rehearsal_in_a_form_ends_as_the_browser_leaves(world: "World", path: str) -> None:
    """A page leaves its request while a person types on."""
    browser = Browser(world).sign_in(world.key)
    given = {
        "cookie": f"__Host-signalpost={browser.cookie}",
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
    }
    form = urlencode({"do": "rehearse", "key": "a", "type": ["documentUpdated", ""]}, doseq=True).encode()
    with held(world):
        client = asked(world, f"/console/t/default{path.removeprefix('/v1')}/settings/edit", given, form)
        client.close()
        world.wait_until(lambda: not is_running(world))
    assert ask_as_another(world, path).status == 200
