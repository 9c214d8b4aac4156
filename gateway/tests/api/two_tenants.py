"""Two tenants of one gateway, for tests of what a key of one finds out about the other."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.tests.api.moved_clock import MovedClock

from signalpost.api.routing.route import Route
from signalpost.domain.access.api_key import Role
from signalpost.domain.timestamps import SECOND, format_timestamp

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
CONNECTION = {"kind": "slack", "config": {"signIn": {"with": "bot", "token": "xoxb-0", "channel": "#legal"}}}

PORTAL_LINK = {"name": "Acme", "subscriptions": "all", "can": ["edit"]}


def in_tenant(name: str) -> dict[str, str]:
    return {"signalpost-tenant": name}


def make_tenant(world: "World", name: str) -> dict[str, Any]:
    made: dict[str, Any] = world.send("POST", "/v1/tenants", {"name": name}).ok(201)
    return made


def make_key(world: "World", role: str, tenant: str, **members: str) -> dict[str, str]:
    """The headers of requests with a new key."""
    made = world.send("POST", "/v1/keys", {"name": role, "role": role, **members}, in_tenant(tenant)).ok(201)
    assert made["tenant"] == tenant
    return {"authorization": f"Bearer {made['key']}"}


def _things(world: "World", tenant: str) -> dict[str, str]:
    """Make some of everything in a tenant: the ids, by the parameters of paths, or the lists, that they belong in."""
    there = in_tenant(tenant)

    def make(path: str, body: Mapping[str, Any], status: int = 201) -> str:
        made = [world.send("POST", path, dict(body), there).ok(status) for _ in range(2)][-1]
        return str(made.get("id") or made.get("externalId"))

    document = make("/v1/documents", world.document)
    subscription = make("/v1/subscriptions", world.subscription)
    span = {"from": "2020-01-01T00:00:00Z", "to": "2099-01-01T00:00:00Z", "status": "failed"}
    replay = make(f"/v1/subscriptions/{subscription}/replays", span, 202)
    source = f"of-{tenant}"
    assert world.send("PUT", f"/v1/sources/{source}", {"oldestSeconds": 0, "dead": 0}, there).status == 204
    event = world.get("/v1/events", **there).ok()["data"][-1]["event"]["id"]
    return {
        "{externalId}": document,
        "{eventId}": event,
        "{replayId}": replay,
        "{number}": "0.1",
        "{name}": tenant,
        "{kind}": "slack",
        "{source}": source,
        "/v1/subscriptions": subscription,
        "/v1/connections": make("/v1/connections", CONNECTION),
        "/v1/events": event,
        "/v1/keys": ABSENT,
        "/v1/members": ABSENT,
        "/v1/portal-links": make("/v1/portal-links", PORTAL_LINK),
        "/v1/notices": ABSENT,
        "/v1/erasures": ABSENT,
    }


class Two:
    """Two tenants, alpha and beta. Each has some of everything, and beta has a key of every role."""

    def __init__(self, world: "World", clock: MovedClock) -> None:
        self.world = world
        make_tenant(world, "alpha")
        make_tenant(world, "beta")
        self.alphas = _things(world, "alpha")
        self.betas = _things(world, "beta")
        self.nobodys = {
            **dict.fromkeys(self.alphas, ABSENT),
            "{number}": "0.1",
            "{name}": "nobodys",
            "{kind}": "http",
            "{source}": "none",
        }
        self.keys = {role: make_key(world, role, "beta") for role in Role}
        until = format_timestamp(clock.wall() + SECOND)
        self.expired = make_key(world, "operator", "beta", expiresAt=until)
        clock.move(2 * SECOND)
        self.revoked = make_key(world, "operator", "beta")
        [newest, *_] = world.get("/v1/keys", **in_tenant("beta")).ok()["data"]
        assert world.send("DELETE", f"/v1/keys/{newest['id']}").status == 204

    def path(self, route: Route, things: Mapping[str, str]) -> str:
        """The path of a call about these things: alpha's, beta's or no one's."""
        noun = "/".join(route.path.split("/")[:3])
        return re.sub(r"{\w+}", lambda found: things[noun if found[0] == "{id}" else found[0]], route.path)

    def call(self, route: Route, headers: Mapping[str, str | None], *, absent: bool = False) -> "Answer":
        """About what alpha has, or about what neither has."""
        body = None if route.body is None else route.example.body
        return self.world.send(route.method, self.path(route, self.nobodys if absent else self.alphas), body, headers)


def without_id(answer: "Answer") -> tuple[int, dict[str, Any]]:
    problem = json.loads(answer.body)
    del problem["requestId"]
    return answer.status, problem
