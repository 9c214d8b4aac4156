"""Sources: who says how they do, what is shown of them, and who removes them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from gateway.tests.api.conftest import World
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import make_key, make_tenant

from signalpost.domain.source import SILENT_AFTER
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer

WELL = {"oldestSeconds": 0, "dead": 0}


@pytest.fixture(autouse=True)
def none_left(world: World) -> None:
    for each in world.get("/v1/sources").ok()["data"]:
        assert world.send("DELETE", f"/v1/sources/{each['name']}").status == 204


def put(world: World, name: str, headers: dict[str, str] | None = None, **said: int) -> "Answer":
    return world.send("PUT", f"/v1/sources/{name}", {**WELL, **said}, headers)


def test_a_source_says_how_it_does_and_is_listed_until_it_is_removed(world: World) -> None:
    app = make_key(world, "app", "default")
    assert put(world, "outbox", app, oldestSeconds=3).status == 204
    assert put(world, "orders.EU_1", app).status == 204
    assert put(world, "outbox", app, oldestSeconds=400, dead=2).status == 204
    page = world.get("/v1/sources?limit=1").ok()
    [newest], [shown] = page["data"], world.get(f"/v1/sources?limit=1&cursor={page['next']}").ok()["data"]
    assert (newest["name"], newest["state"]) == ("orders.EU_1", "healthy")
    assert (shown["name"], shown["state"], shown["oldestSeconds"], shown["dead"]) == ("outbox", "behind", 400, 2)
    assert shown["addedAt"] < shown["heardAt"]
    assert world.get("/v1/overview").ok()["sources"] == [shown, newest]  # the one that needs a person is first
    assert world.send("DELETE", "/v1/sources/outbox", None, app).status == 204
    assert world.get("/v1/sources").ok()["data"] == [newest]
    world.send("DELETE", "/v1/sources/outbox").refused(404, code="source_not_found")


def test_a_source_of_which_nothing_is_heard_is_silent(make_world: Callable[..., World]) -> None:
    clock = MovedClock()
    world = make_world(clock=clock)
    put(world, "outbox")
    clock.move(SILENT_AFTER + SECOND)
    assert [each["state"] for each in world.get("/v1/sources").ok()["data"]] == ["silent"]


def test_bad_input_is_named(world: World) -> None:
    for name in ("-outbox", ".outbox", "a%20b", "x" * 64, "a%0A"):
        put(world, name).refused(422, "source")
    for member in WELL:
        for value in (-1, 1.5, "1", None):
            world.refuses("PUT", "/v1/sources/outbox", {**WELL, member: value}, at=(f"/{member}",))
        world.refuses("PUT", "/v1/sources/outbox", {each: 0 for each in WELL if each != member}, at=(f"/{member}",))
    world.refuses("PUT", "/v1/sources/outbox", {**WELL, "alive": 1}, at=("/alive",))


@pytest.mark.parametrize(
    ("role", "says", "removes"),
    [("operator", 204, 204), ("app", 204, 204), ("subscriber", 403, 403), ("viewer", 403, 403)],
)
def test_programs_say_how_they_do_and_every_role_reads_it(world: World, role: str, says: int, removes: int) -> None:
    put(world, "outbox")
    headers = make_key(world, role, "default")
    assert put(world, "outbox", headers).status == says
    assert len(world.send("GET", "/v1/sources", None, headers).ok()["data"]) == 1
    assert world.send("DELETE", "/v1/sources/outbox", None, headers).status == removes


def test_another_tenant_has_no_part_in_sources(world: World) -> None:
    make_tenant(world, "elsewhere")
    put(world, "outbox")
    stranger = make_key(world, "app", "elsewhere")
    assert world.send("GET", "/v1/sources", None, stranger).ok()["data"] == []
    world.send("DELETE", "/v1/sources/outbox", None, stranger).refused(404, code="source_not_found")
    assert world.get("/v1/overview", **{"signalpost-tenant": "elsewhere"}).ok()["sources"] == []


def test_how_a_source_does_can_be_said_while_its_tenant_is_paused(world: World) -> None:
    make_tenant(world, "resting")
    app = make_key(world, "app", "resting")
    world.send("PATCH", "/v1/tenants/resting", {"status": "paused"}).ok()
    assert put(world, "outbox", app, oldestSeconds=900).status == 204


def test_metrics_tell_of_all_sources_together(make_world: Callable[..., World]) -> None:
    world = make_world()
    put(world, "a", oldestSeconds=12, dead=3)
    put(world, "b", oldestSeconds=400, dead=1)
    text = world.get("/metrics").body.decode()
    for line in ("signalpost_sources 2.0", "signalpost_source_oldest_seconds 400.0", "signalpost_source_dead 4.0"):
        assert line in text
    assert "signalpost_source_silent_seconds " in text
