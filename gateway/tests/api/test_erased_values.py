"""Once an erasure has ended, no value of the document is found anywhere, whatever was done with it before, and whatever
was still under way. The log never has any."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from gateway.tests.captured_log import captured_log
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.postgres import OWNER, new_database

from signalpost.sender.addresses import parse_allow_targets
from signalpost_bench import postgres_server

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

CANARY = "Canary7Wharf"
FOREVER = [86_400]
TITLE = "{{ document.title }}"
_DATABASES = count()


class Endpoint(QuietHandler):
    """Answers with the status that its path begins with and everything that it was sent, once it may."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/held"):
            self.server.holds.set()  # type: ignore[attr-defined]
            self.server.goes_on.wait()  # type: ignore[attr-defined]
        self.send_response(int(self.path[1:4]) if self.path[1:4].isdecimal() else 200)
        said = CANARY if CANARY.encode() in sent else "none"
        answer = json.dumps({"ok": False, "error": said, "message": f"I do not want {sent.decode()}"}).encode()
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-said", said)
        self.end_headers()
        self.wfile.write(answer)


class Vendor(LocalServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.holds, self.goes_on = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    server = Vendor()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.goes_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, make_world: "Callable[..., World]", vendor: Vendor) -> "World":
    given: dict[str, Any] = {"allow_targets": parse_allow_targets(vendor.url)}
    if request.param == "postgresql":
        url = new_database(f"_erased_{next(_DATABASES)}")
        given |= {"database_url": url, "master_key": (bytes(range(32)),), "public_url": "https://gateway.example.com"}
        given["operator_key"] = f"sp_{'k' * 43}"
    return make_world(**given)


def everything_stored(world: "World") -> bytes:
    """What the files of the gateway, or all rows of its database, have in them."""
    files = b"".join(path.read_bytes() for path in world.settings.data_dir.rglob("*") if path.is_file())
    return files if world.settings.database_url is None else files + rows_of(world.settings.database_url)


def rows_of(url: str) -> bytes:
    with psycopg.connect(url.replace(f"{OWNER}@", f"{postgres_server.SUPERUSER}@"), autocommit=True) as connection:
        connection.execute("SET bytea_output = 'escape'")
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        ).fetchall()
        return b"".join(
            str(row).encode() for (table,) in tables for row in connection.execute(f"SELECT t::text FROM {table} t")
        )


def everything_shown(world: "World", subscriptions: list[str]) -> bytes:
    pages = ["/v1/documents", "/v1/events", "/v1/audit", "/v1/deliveries", "/v1/subscriptions", "/v1/connections",
             "/v1/overview", "/v1/replays", f"/v1/search?q={CANARY}"]  # fmt: skip
    shown = [world.get(page).body for page in pages]
    for each in subscriptions:
        listed = world.get(f"/v1/subscriptions/{each}/deliveries?limit=250").ok()["data"]
        shown += [world.get(f"/v1/subscriptions/{each}/deliveries/{one['eventId']}").body for one in listed]
        shown += [
            world.send("POST", f"/v1/subscriptions/{each}/preview", {"eventId": one["eventId"]}).body for one in listed
        ]
    return b"".join(shown).replace(f"q={CANARY}".encode(), b"")


def subscribe_all(world: "World", vendor: Vendor) -> list[str]:
    """Subscriptions that do everything that can be done with an event. Returns their ids."""
    every = {"eventTypes": ["documentCreated", "documentUpdated", "documentDeleted"], "retryDelays": FOREVER,
             "status": "active"}  # fmt: skip
    bearer = {"origin": vendor.url, "signIn": {"with": "bearer", "token": "a-token-of-ours"}}
    bot = {"standIn": vendor.url, "signIn": {"with": "bot", "token": "xoxb-of-ours", "channel": "#legal"}}

    def made(path: str, kind: str | None, more: Mapping[str, Any]) -> str:
        body = {**every, "name": path, **more}
        if kind is None:
            body["url"] = f"{vendor.url}{path}"
        else:
            signed_in = {"kind": kind, "config": bot if kind == "slack" else bearer}
            body |= {"kind": kind, "connection": world.send("POST", "/v1/connections", signed_in).ok(201)["id"]}
            body["config"] = {"text": TITLE} if kind == "slack" else {"path": path, "json": {"text": TITLE}}
        return str(world.send("POST", "/v1/subscriptions", body).ok(201)["id"])

    unmet = {"field": "document.title", "is": "something else"}
    return [
        made("/200", None, {}),
        made("/500", None, {}),
        made("/500/held", None, {"ordering": "strict"}),
        made("/200/when", None, {"when": unmet}),
        made("/200/after", None, {"after": {"seconds": 3_600}}),
        made("/200/still", "http", {"after": {"seconds": 1, "if": unmet}}),
        *(made(f"/{status}", "http", {}) for status in (200, 401, 422, 429, 500)),
        made("Slack repeats it", "slack", {}),
    ]


def live(world: "World", subscriptions: list[str]) -> str:
    """The life of a document whose every text has the canary in it. Returns its path."""
    document = world.create_document(title=CANARY, referenceId=f"{CANARY}-1", counterpartyName=CANARY)
    path = f"/v1/documents/{document['externalId']}"
    for number in range(12):
        world.send("PATCH", path, {"title": f"{CANARY} {number}", "additionalFacts": {"fact": CANARY}}).ok()
    asked = {"action": "requestReview", "reviewers": [f"{CANARY}@example.com".lower()]}
    world.send("POST", f"{path}/actions", asked).ok()
    refused = {"action": "rejectReview", "by": f"{CANARY}@example.com".lower(), "reason": CANARY}
    world.send("POST", f"{path}/actions", refused).ok()
    first = world.events()[0]["event"]["id"]

    def is_through() -> bool:
        states = [world.get(f"/v1/subscriptions/{each}").ok() for each in subscriptions]
        return states[8]["status"] == states[11]["status"] == "disabled" and all(
            each["health"]["lag"] == 0 for at, each in enumerate(states) if at in (0, 3, 5, 6)
        )

    world.wait_until(is_through)
    assert world.send("POST", f"/v1/subscriptions/{subscriptions[0]}/deliveries/{first}/retry").status == 202
    again = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "all"}
    world.send("POST", f"/v1/subscriptions/{subscriptions[3]}/replays", again).ok(202)
    return path


def test_nothing_of_an_erased_document_is_found_anywhere(shop: "World", vendor: Vendor) -> None:
    with captured_log() as lines:
        subscriptions = subscribe_all(shop, vendor)
        path = live(shop, subscriptions)
        assert vendor.holds.wait(60)
        for place in (everything_stored(shop), everything_shown(shop, subscriptions)):
            assert CANARY.encode() in place
        assert shop.send("DELETE", path).status == 204
        erasure = shop.send("POST", f"{path}/erase").ok(202)
        other = shop.create_document(title="Left alone")
        shop.wait_until(lambda: shop.get(f"/v1/erasures/{erasure['id']}").ok()["state"] == "finished")
        vendor.goes_on.set()
        held = f"/v1/subscriptions/{subscriptions[2]}/deliveries"
        first = shop.events()[0]["event"]["id"]
        shop.wait_until(lambda: shop.get(f"{held}/{first}").ok()["attempts"])
        assert [line for line in lines if CANARY in repr(line)] == []
        shown = everything_shown(shop, subscriptions)
        assert CANARY.encode() not in shown, shown[max(0, shown.index(CANARY.encode()) - 300) :][:400]
        stored = everything_stored(shop)
        assert CANARY.encode() not in stored, stored[max(0, stored.index(CANARY.encode()) - 300) :][:400]
        assert shop.get(f"/v1/documents/{other['externalId']}").ok()["title"] == "Left alone"
