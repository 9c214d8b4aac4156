"""Whatever is taken away while a request's body is on its way opens nothing for that request: a client that sends the
last byte late gains nothing by it."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from gateway.tests.api.conftest import Answer
from gateway.tests.patience import PATIENCE

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

JSON = "application/json"
DOCUMENT = b'{"type": "NDA", "title": "late", "ownerEmail": "a@example.com", "authorEmail": "a@example.com"}'
BOUNDARY = "--b\r\n"
UPLOAD = (
    BOUNDARY + 'content-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n%PDF-1.7 late\r\n--b--\r\n'
).encode()


class Late:
    """A request of which all but the last byte has been sent, and that is being handled."""

    def __init__(self, connection: socket.socket, last: bytes) -> None:
        self._connection = connection
        self._last = last

    def end(self) -> Answer:
        """Send the last byte. Returns the answer."""
        self._connection.sendall(self._last)
        received = b""
        while part := self._connection.recv(65536):
            received += part
        head, _, body = received.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(start.split(" ")[1]), headers, body)


@contextmanager
def late(world: "World", path: str, body: bytes, media_type: str, *lines: str, method: str = "POST") -> Iterator[Late]:
    """A request that the gateway waits for: it has said that the body may come, so it knows who asks."""
    head = (
        f"{method} {path} HTTP/1.1", "host: 127.0.0.1", "connection: close", "expect: 100-continue",
        f"content-type: {media_type}", f"content-length: {len(body)}", *lines,
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join((*head, "", "")).encode())
        continued = b""
        while not continued.endswith(b"\r\n\r\n"):
            continued += connection.recv(1)
        assert continued.startswith(b"HTTP/1.1 100 "), continued
        connection.sendall(body[:-1])
        yield Late(connection, body[-1:])


def by(key: str) -> str:
    return f"authorization: Bearer {key}"


def made(world: "World", role: str) -> Any:
    return world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)


def upload(world: "World") -> tuple[str, bytes, str]:
    document = world.create_document()["externalId"]
    return f"/v1/documents/{document}/versions", UPLOAD, "multipart/form-data; boundary=b"


def creation(_world: "World") -> tuple[str, bytes, str]:
    return "/v1/documents", DOCUMENT, JSON


@pytest.mark.parametrize("asked", [creation, upload])
def test_a_key_that_is_revoked_while_a_body_is_on_its_way_changes_nothing(
    world: "World", asked: "Callable[[World], tuple[str, bytes, str]]"
) -> None:
    path, body, media_type = asked(world)
    key = made(world, "app")
    before = world.events()
    with late(world, path, body, media_type, by(key["key"])) as request:
        assert world.send("DELETE", f"/v1/keys/{key['id']}").status == 204
        request.end().refused(401, code="unknown_key")
    assert world.events() == before
    if asked is upload:
        assert world.get(path).ok()["data"] == []


@pytest.mark.parametrize("asked", [creation, upload])
def test_a_tenant_that_is_paused_while_a_body_is_on_its_way_is_not_changed(
    make_world: "Callable[..., World]", asked: "Callable[[World], tuple[str, bytes, str]]"
) -> None:
    world = make_world()
    path, body, media_type = asked(world)
    before = world.events()
    with late(world, path, body, media_type, by(world.key)) as request:
        world.send("PATCH", "/v1/tenants/default", {"status": "paused"}).ok()
        request.end().refused(409, code="tenant_paused")
    assert world.events() == before


def test_a_paused_tenant_is_resumed_by_a_body_that_comes_late(make_world: "Callable[..., World]") -> None:
    world = make_world()
    world.send("PATCH", "/v1/tenants/default", {"status": "paused"}).ok()
    active = b'{"status": "active"}'
    with late(world, "/v1/tenants/default", active, JSON, by(world.key), method="PATCH") as request:
        assert request.end().ok()["status"] == "active"


# --- Forms ------------------------------------------------------------------------------------------------------------


def posted(world: "World", path: str, cookie: str, **form: str) -> Any:
    return late(
        world, path, urlencode(form).encode(), "application/x-www-form-urlencoded", f"cookie: {cookie}",
        "sec-fetch-site: same-origin",
    )  # fmt: skip


def test_a_session_that_ends_while_a_form_is_on_its_way_changes_nothing(world: "World") -> None:
    key = made(world, "operator")
    entered = world.send("POST", "/console/sign-in", urlencode({"key": key["key"]}).encode(), {
        "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", "authorization": None,
    })  # fmt: skip
    assert entered.status == 303
    cookie = entered.headers["set-cookie"].split(";")[0]
    subscription = world.create_subscription(status="active")["id"]
    path = f"/console/t/default/subscriptions/{subscription}"
    with posted(world, path, cookie, do="pause") as form:
        assert world.send("DELETE", f"/v1/keys/{key['id']}").status == 204
        answer = form.end()
    assert (answer.status, answer.headers["location"].split("?")[0]) == (303, "/console/sign-in")
    assert world.get(f"/v1/subscriptions/{subscription}").ok()["status"] == "active"


def test_a_portal_link_that_ends_while_a_form_is_on_its_way_changes_nothing(world: "World") -> None:
    subscription = world.create_subscription(status="active")["id"]
    given = {"name": "L", "subscriptions": [subscription], "can": ["edit"]}
    link = world.send("POST", "/v1/portal-links", given).ok(201)
    navigates = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "authorization": None}
    entered = world.send("GET", urlsplit(link["url"]).path, None, navigates)
    cookie = entered.headers["set-cookie"].split(";")[0]
    with posted(world, f"/portal/subscriptions/{subscription}", cookie, do="pause") as form:
        assert world.send("DELETE", f"/v1/portal-links/{link['id']}").status == 204
        assert form.end().status == 401
    assert world.get(f"/v1/subscriptions/{subscription}").ok()["status"] == "active"
