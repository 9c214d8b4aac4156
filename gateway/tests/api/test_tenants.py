"""Tenants: created, listed, paused, resumed, deleted; and no key of one that finds out anything about another."""

import asyncio
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import Two, in_tenant, make_key, make_tenant, without_id

from signalpost.api.resources.tenants import show
from signalpost.api.routes import ROUTES
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import ABOUT_ACCESS, Route
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import NO_LIMITS, TenantUse

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


class Elsewhere:
    """Services of a node that hears of what another changed once it asks."""

    def __init__(self, before: Tenant, after: Tenant) -> None:
        self._tenant, self._after = before, after
        self.engine = self.directory = self.access = self.store = self.lane_views = self
        self.off_loop = None

    def tenant(self, _name: str) -> Tenant:
        return self._tenant

    async def know(self, _tenant_id: int) -> None:
        self._tenant = self._after

    async def use(self, _tenant_id: int) -> TenantUse:
        return TenantUse()

    async def noteworthy(self, *_asked: object) -> tuple[int, None]:
        return 0, None

    def limits_of(self, _tenant_id: int) -> object:
        return NO_LIMITS

    def retention_days_of(self, _tenant_id: int) -> int:
        return 90


# --- Their life -------------------------------------------------------------------------------------------------------


def test_a_tenant_is_made_read_and_listed_and_outlives_a_restart(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    answer = world.send("POST", "/v1/tenants", {"name": "acme"})
    made = answer.ok(201)
    assert (made["name"], made["status"]) == ("acme", "active")
    assert answer.headers["location"] == "/v1/tenants/acme"
    world.refuses("POST", "/v1/tenants", {"name": "acme"}, status=409, code="tenant_exists")
    world.stop()
    world = make_world(data_dir=world.settings.data_dir)
    assert world.get("/v1/tenants/acme").ok().items() >= made.items()
    assert [each["name"] for each in world.get("/v1/tenants").ok()["data"]] == ["acme", "default", "operations"]
    first = world.get("/v1/tenants?limit=1").ok()
    second = world.get(f"/v1/tenants?limit=1&cursor={first['next']}").ok()
    assert [each["name"] for each in second["data"]] == ["default"]
    third = world.get(f"/v1/tenants?limit=1&cursor={second['next']}").ok()
    assert ([each["name"] for each in third["data"]], third["next"]) == (["operations"], None)


def test_a_tenant_is_shown_as_it_is_once_what_another_node_changed_is_known() -> None:
    services = Elsewhere(Tenant(3, "acme"), Tenant(3, "acme", paused_at=1))
    context = SimpleNamespace(services=services, query=lambda: None, path_text=lambda _name: "acme")
    assert asyncio.run(show(cast("RequestContext", context))).status == "paused"


@pytest.mark.parametrize("name", ["", "Acme", "a b", "-a", "a-", "a" * 64, "#2", 5, None])
def test_a_bad_name_is_refused(world: "World", name: Any) -> None:
    world.refuses("POST", "/v1/tenants", {"name": name}, at=("/name",))


def test_what_a_tenant_has_is_its_own(world: "World") -> None:
    make_tenant(world, "own")
    app = make_key(world, "app", "own")
    made = world.send("POST", "/v1/documents", dict(world.document), app).ok(201)["externalId"]
    assert [each["externalId"] for each in world.get("/v1/documents", **in_tenant("own")).ok()["data"]] == [made]
    world.get(f"/v1/documents/{made}").refused(404)
    assert world.get("/v1/events", **in_tenant("own")).ok()["last"] == 1


def test_keys_are_listed_by_tenant_or_all_together(world: "World") -> None:
    make_tenant(world, "listed")
    make_key(world, "viewer", "listed")
    make_key(world, "viewer", "default")
    assert [each["tenant"] for each in world.get("/v1/keys", **in_tenant("listed")).ok()["data"]] == ["listed"]
    everywhere = {each["tenant"]: each["id"] for each in world.get("/v1/keys").ok()["data"]}
    assert {"listed", "default"} <= set(everywhere)
    of_default = f"/v1/keys/{everywhere['default']}"
    world.send("DELETE", of_default, headers=in_tenant("listed")).refused(404, code="key_not_found")
    assert world.send("DELETE", f"/v1/keys/{everywhere['listed']}").status == 204


def test_a_paused_tenant_can_be_read_and_not_changed_until_it_is_resumed(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    make_tenant(world, "paused")
    app = make_key(world, "app", "paused")
    paused = world.send("PATCH", "/v1/tenants/paused", {"status": "paused"}).ok()
    assert paused["status"] == "paused"
    for _ in range(2):
        world.send("POST", "/v1/documents", dict(world.document), app).refused(409, code="tenant_paused")
        assert world.get("/v1/documents", **app).ok()["data"] == []
        world.create_document()
        world.stop()
        world = make_world(data_dir=world.settings.data_dir)
    assert world.send("PATCH", "/v1/tenants/paused", {"status": "active"}).ok()["status"] == "active"
    world.send("POST", "/v1/documents", dict(world.document), app).ok(201)


def test_a_tenant_is_deleted_with_all_it_has_if_its_name_is_said_twice(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    make_tenant(world, "gone")
    app, path = make_key(world, "app", "gone"), "/v1/tenants/gone"
    world.send("POST", "/v1/documents", {**world.document, "title": "Canary7Wharf"}, app).ok(201)
    world.send("POST", "/v1/subscriptions", dict(world.subscription), in_tenant("gone")).ok(201)
    world.refuses("DELETE", path, at=("?confirm",))
    world.refuses("DELETE", f"{path}?confirm=default", at=("?confirm",))
    answer = world.send("DELETE", f"{path}?confirm=gone")
    erasure = answer.ok(202)
    assert answer.headers["location"] == f"/v1/erasures/{erasure['id']}"
    assert (erasure["tenant"], erasure["document"], erasure["state"]) == ("gone", None, "running")
    world.get("/v1/documents", **app).refused(401, code="unknown_key")
    world.get(path).refused(404, code="tenant_not_found")
    world.get("/v1/documents", **in_tenant("gone")).refused(404, code="tenant_not_found")
    make_tenant(world, "gone")
    assert world.get("/v1/events", **in_tenant("gone")).ok()["last"] == 0
    until(lambda: world.get(f"/v1/erasures/{erasure['id']}").ok()["state"] == "finished")
    raw = b"".join(path.read_bytes() for path in world.settings.data_dir.rglob("*") if path.is_file())
    assert b"Canary7Wharf" not in raw
    world.stop()
    world = make_world(data_dir=world.settings.data_dir)
    world.get("/v1/documents", **app).refused(401)
    assert world.get("/v1/events", **in_tenant("gone")).ok()["last"] == 0


def test_default_is_always_there(world: "World") -> None:
    world.refuses("DELETE", "/v1/tenants/default?confirm=default", status=409, code="tenant_is_default")
    world.refuses("PATCH", "/v1/tenants/nobodys", {"status": "paused"}, status=404, code="tenant_not_found")


# --- Every call, with every kind of key -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(make_world: Callable[..., "World"]) -> Two:
    clock = MovedClock()
    return Two(make_world(clock=clock), clock)


@each_route
def test_no_call_is_answered_without_a_valid_key(two: Two, route: Route) -> None:
    unknown = {"authorization": "Bearer sp_" + "A" * 43}
    nobodys: list[tuple[Mapping[str, str | None], str]] = [
        ({"authorization": None}, "no_key"),
        (unknown, "unknown_key"),
        (two.revoked, "unknown_key"),
        (two.expired, "expired_key"),
    ]
    for headers, code in nobodys:
        two.call(route, headers).refused(401, code=code)


@each_route
def test_no_call_is_answered_to_a_role_that_its_entry_does_not_name(two: Two, route: Route) -> None:
    for role in set(Role) - route.roles:
        two.call(route, two.keys[role]).refused(403, code="role_not_allowed")


@each_route
def test_a_key_cannot_tell_another_tenant_from_one_that_does_not_exist(two: Two, route: Route) -> None:
    for role in route.roles - {Role.OPERATOR}:
        key = two.keys[role]
        others, nobodys = two.call(route, {**key, **in_tenant("alpha")}), two.call(route, {**key, **in_tenant("no")})
        others.refused(404, code="tenant_not_found")
        assert without_id(others) == without_id(nobodys)


@each_route
def test_a_key_cannot_tell_what_another_tenant_has_from_what_nobody_has(two: Two, route: Route) -> None:
    """A call that makes something at an id that its caller names (an import) is none of these: it finds nothing."""
    if "{" not in route.path or route.method == "PUT" or route.path.startswith(ABOUT_ACCESS):
        return
    before = two.world.state()
    for role in route.roles - {Role.OPERATOR}:
        others, nobodys = two.call(route, two.keys[role]), two.call(route, two.keys[role], absent=True)
        assert others.status in (404, 415, 422)
        assert without_id(others) == without_id(nobodys)
    assert two.world.state() == before
