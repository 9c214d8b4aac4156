"""Objectives of subscriptions: given, changed, taken away, and how they are kept."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

OBJECTIVE = {"share": 0.9, "within": 3600}


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], url: str) -> "World":
    return make_world(allow_targets=parse_allow_targets(url))


def subscription(world: "World", url: str, **given: Any) -> dict[str, Any]:
    usual = {"eventTypes": ["documentCreated"], "url": url, "retryDelays": [], "status": "active"}
    found: dict[str, Any] = world.create_subscription(**usual, **given)
    return found


def test_an_objective_is_shown_changed_and_taken_away(world: "World", url: str) -> None:
    made = subscription(world, f"{url}/200", objective=OBJECTIVE)
    path = f"/v1/subscriptions/{made['id']}"
    assert made["objective"] == world.get(path).ok()["objective"] == OBJECTIVE
    changed = world.send("PATCH", path, {"objective": {"share": 0.99, "within": 60}}).ok()
    assert changed["objective"] == {"share": 0.99, "within": 60}
    [entry] = world.get(f"/v1/audit?object={made['id']}&newest=true").ok()["data"][:1]
    assert entry["changes"]["objective"]["new"] == {"share": 0.99, "within": 60}
    assert "objective" not in world.send("PATCH", path, {"objective": None}).ok()
    world.refuses("GET", f"{path}/objective", None, status=409)


@pytest.mark.parametrize(
    ("objective", "at"),
    [
        ({"share": 1, "within": 60}, "/objective/share"),
        ({"share": 99, "within": 60}, "/objective/share"),
        ({"share": 0.99, "within": 0}, "/objective/within"),
        ({"share": 0.99}, "/objective/within"),
        ({"share": 0.99, "within": 60, "by": 1}, "/objective/by"),
        ("99 %", "/objective"),
    ],
)
def test_an_objective_that_cannot_be_is_refused_by_its_member(
    world: "World", url: str, objective: Any, at: str
) -> None:
    body = {"url": f"{url}/200", "eventTypes": ["documentCreated"], "objective": objective}
    world.refuses("POST", "/v1/subscriptions", body, at=(at,))


def test_the_error_budget_is_what_is_left_of_the_share_that_may_be_late(world: "World", url: str) -> None:
    well, ill = (subscription(world, f"{url}/{path}", objective=OBJECTIVE) for path in ("200", "404"))
    none_yet = world.get(f"/v1/subscriptions/{well['id']}/objective").ok()
    assert (none_yet["achieved"], none_yet["budgetLeft"], none_yet["lateAllowed"]) == (None, 1, 0)
    for _ in range(3):
        world.create_document()

    def of(each: dict[str, Any]) -> Any:
        found = world.get(f"/v1/subscriptions/{each['id']}/objective").ok()
        return found if found["onTime"] + found["late"] == 3 else None

    kept, missed = world.wait_until(lambda: of(well)), world.wait_until(lambda: of(ill))
    assert (kept["onTime"], kept["late"], kept["achieved"], kept["budgetLeft"]) == (3, 0, 1, 1)
    assert (missed["onTime"], missed["late"], missed["achieved"]) == (0, 3, 0)
    assert missed["lateAllowed"] == pytest.approx(0.3)
    assert missed["budgetLeft"] == pytest.approx(-9)
    assert (kept["share"], kept["within"]) == (0.9, 3600)
