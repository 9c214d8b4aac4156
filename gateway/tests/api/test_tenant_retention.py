"""How long a tenant's events are kept, through the API: set, shown, and what it forbids."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.api.two_tenants import in_tenant, make_key, make_tenant

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

DAY = 24 * 3600


def keep(world: "World", tenant: str, days: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = world.send("PATCH", f"/v1/tenants/{tenant}", {"retentionDays": days}).ok()
    return shown


def kept(world: "World", tenant: str) -> tuple[int | None, int]:
    """What was set, and what counts."""
    found = world.get(f"/v1/tenants/{tenant}").ok()
    return found["retentionDays"], found["effectiveRetentionDays"]


def test_it_is_set_shown_and_taken_back_and_without_one_the_gateway_s_counts(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world(retention_days=14)
    assert make_tenant(world, "brief")["retentionDays"] is None
    assert kept(world, "brief") == (None, 14)
    assert keep(world, "brief", 7)["retentionDays"] == 7
    assert world.send("PATCH", "/v1/tenants/brief", {"status": "paused"}).ok()["retentionDays"] == 7
    assert (kept(world, "brief"), kept(world, "default")) == ((7, 7), (None, 14))
    assert {each["name"]: each["retentionDays"] for each in world.get("/v1/tenants").ok()["data"]} == {
        "brief": 7, "default": None, "operations": 90,
    }  # fmt: skip
    told = world.get("/v1/audit?object=brief").ok()["data"]
    changes = [each["changes"].get("retentionDays") for each in told if each["action"] == "tenant.change"]
    assert {"old": None, "new": 7} in changes
    keep(world, "brief", None)
    assert kept(world, "brief") == (None, 14)


@pytest.mark.parametrize("days", [0, -1, 3_651, 1.5, "7", True])
def test_a_retention_outside_the_bounds_of_the_setting_is_refused(world: "World", days: Any) -> None:
    world.refuses("PATCH", "/v1/tenants/default", {"retentionDays": days}, at=("/retentionDays",))
    assert kept(world, "default") == (None, 30)


@pytest.mark.parametrize("days", [1, 3_650])
def test_the_bounds_themselves_are_taken(world: "World", days: int) -> None:
    make_tenant(world, f"bound-{days}")
    assert keep(world, f"bound-{days}", days)["retentionDays"] == days


def test_operators_alone_say_how_long_events_are_kept(world: "World") -> None:
    make_tenant(world, "own")
    app = make_key(world, "app", "own")
    world.send("PATCH", "/v1/tenants/own", {"retentionDays": 1}, app).refused(403)


def test_no_delivery_waits_for_longer_than_its_tenant_keeps_the_event(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world(retention_days=10)
    for name, days in (("short", 2), ("long", 30)):
        make_tenant(world, name)
        keep(world, name, days)

    def waiting(seconds: int) -> dict[str, Any]:
        return {**world.subscription, "after": {"seconds": seconds}}

    for name, seconds in (("short", 2 * DAY), ("default", 10 * DAY), ("long", 30 * DAY)):
        there, at = in_tenant(name), ("/after/seconds",)
        world.refuses("POST", "/v1/subscriptions", waiting(seconds), at=at, headers=there)
        world.send("POST", "/v1/subscriptions", waiting(seconds - 1), there).ok(201)
    for name, days in (("short", 1), ("long", 29)):
        body = {"retentionDays": days}
        world.refuses("PATCH", f"/v1/tenants/{name}", body, at=("/retentionDays",))
    keep(world, "long", 31)
    assert (kept(world, "short"), kept(world, "long")) == ((2, 2), (31, 31))
