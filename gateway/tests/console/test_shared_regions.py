"""People who look at the same page are shown what was made once, and none is ever shown what is another's."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from gateway.tests.console.conftest import Browser, Shop
from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.api.http.response import Response
from signalpost.api.routing.shapes.service import Problem
from signalpost.console.calls import CallFailed
from signalpost.console.shared_regions import KEPT_SECONDS, SharedRegions, Sight
from signalpost.domain.access.api_key import Role
from signalpost.engine.revisions import Revisions, Topic

SIGHT = Sight(role=Role.VIEWER, own_tenant_id=1, tenant_id=1, path="/console/t/default", query=b"", encodings="gzip")
REFUSED = CallFailed(Problem(type="about:blank", title="", status=429, detail="", code="too_many", request_id=""))


class Renderer:
    """Renders as soon as it may, and counts."""

    def __init__(self) -> None:
        self.renderings = 0
        self.may_end = asyncio.Event()
        self.refuses = False

    async def __call__(self) -> Response:
        self.renderings += 1
        number, refuses = self.renderings, self.refuses
        await self.may_end.wait()
        if refuses:
            raise REFUSED
        return Response(200, str(number).encode())


def shown(scenario: Callable[[SharedRegions, Revisions, Renderer], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
    """The result of a scenario in virtual time."""
    revisions, loop = Revisions("aa"), VirtualLoop(VirtualTime(0.0))
    try:
        return loop.run_until_complete(scenario(SharedRegions(revisions), revisions, Renderer()))
    finally:
        loop.close()


def test_all_who_were_told_of_the_same_are_shown_one_rendering() -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        revisions.note(1, Topic.EVENTS)
        told = revisions.position
        asking = [asyncio.create_task(shared.get(SIGHT, told, render)) for _ in range(20)]
        await asyncio.sleep(0)
        revisions.note(1, Topic.EVENTS)  # of which nobody was told yet
        render.may_end.set()
        late = await shared.get(SIGHT, told, render)
        return [answer.body for answer in (*await asyncio.gather(*asking), late)]

    assert shown(scenario) == [b"1"] * 21


def test_whoever_was_told_of_more_is_shown_no_less() -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        render.may_end.set()
        first = await shared.get(SIGHT, revisions.position, render)
        revisions.note(1, Topic.DELIVERIES)
        told_more = await shared.get(SIGHT, revisions.position, render)
        from_elsewhere = await shared.get(SIGHT, "bb-1", render)
        return [answer.body for answer in (first, told_more, from_elsewhere)]

    assert shown(scenario) == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "other",
    [
        {"role": Role.OPERATOR},
        {"own_tenant_id": None},
        {"tenant_id": 2},
        {"path": "/console/t/default/events"},
        {"query": b"x=1"},
        {"encodings": None},
    ],
)
def test_a_rendering_is_for_those_alone_who_look_at_the_same_with_the_same_rights(other: dict[str, Any]) -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        render.may_end.set()
        sights = SIGHT, SIGHT._replace(**other), SIGHT
        return [(await shared.get(each, revisions.position, render)).body for each in sights]

    assert shown(scenario) == [b"1", b"2", b"1"]


def test_a_rendering_is_forgotten_soon_though_nothing_changed() -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        render.may_end.set()
        bodies = []
        for pause in (0, KEPT_SECONDS * 0.9, KEPT_SECONDS * 0.2, KEPT_SECONDS * 0.9):
            await asyncio.sleep(pause)
            bodies.append((await shared.get(SIGHT, revisions.position, render)).body)
        return bodies

    assert shown(scenario) == [b"1", b"1", b"2", b"2"]


def test_a_refusal_is_of_one_who_was_refused() -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        render.refuses = True
        told = revisions.position
        refused = asyncio.create_task(shared.get(SIGHT, told, render))
        other = asyncio.create_task(shared.get(SIGHT, told, render))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        render.refuses = False
        render.may_end.set()
        with pytest.raises(CallFailed):
            await refused
        return [(await other).body]

    assert shown(scenario) == [b"2"]


def test_whoever_leaves_takes_nothing_from_others() -> None:
    async def scenario(shared: SharedRegions, revisions: Revisions, render: Renderer) -> list[Any]:
        told = revisions.position
        first, second = (asyncio.create_task(shared.get(SIGHT, told, render)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        render.may_end.set()
        return [(await second).body]

    assert shown(scenario) == [b"1"]


# --- Pages ------------------------------------------------------------------------------------------------------------


def position_of(page: str) -> str:
    found = re.search(r'data-position="([^"]+)"', page)
    assert found is not None
    return found[1]


def refreshed(browser: Browser, path: str, told: str) -> str:
    answer = browser.get(path, signalpost_told=told)
    assert answer.status == 200, answer.body
    return answer.body.decode()


def regions(page: str) -> set[str]:
    return {
        region for tag in re.findall(r"<[^>]*data-fresh[^>]*>", page) for region in re.findall(r' id="([^"]+)"', tag)
    }


def test_an_open_page_is_refreshed_with_all_its_regions_and_no_frame(shop: Shop) -> None:
    browser = shop.browser()
    for path in shop.pages:
        whole = browser.open(f"/console/t/default{path}")
        main = refreshed(browser, f"/console/t/default{path}", position_of(whole))
        assert regions(main) == regions(whole), path
        assert main.strip().startswith('<main id="main">'), path
        assert main.strip().endswith("</main>"), path


def test_two_of_one_role_are_refreshed_with_the_same_which_names_neither(shop: Shop) -> None:
    world = shop.world
    keys = [
        world.send("POST", "/v1/keys", {"name": name, "role": "subscriber"}).ok(201)["key"] for name in ("Ann", "Bob")
    ]
    ann, bob = (Browser(world).sign_in(key) for key in keys)
    path = f"/console/t/default/subscriptions/{shop.subscription}"
    whole = ann.open(path)
    assert ">Ann<" in whole
    told = position_of(whole)
    shown = [refreshed(each, path, told) for each in (ann, bob)]
    assert shown[0].count("<form") > 0
    for text in shown:
        assert "Ann" not in text
        assert "Bob" not in text


def test_what_a_role_may_not_press_is_absent_right_after_another_role_looked(shop: Shop) -> None:
    path = f"/console/t/default/subscriptions/{shop.subscription}"
    operator, viewer = shop.browser("operator"), shop.browser("viewer")
    told = position_of(viewer.open(path))
    for _ in range(2):
        assert '<button name="do"' in refreshed(operator, path, told)
        assert '<button name="do"' not in refreshed(viewer, path, told)
    access = "/console/t/default/keys"
    assert refreshed(operator, access, told)
    assert viewer.get(access, signalpost_told=told).status == 403


def test_whoever_is_signed_out_is_refreshed_with_nothing(shop: Shop) -> None:
    staying, leaving = shop.browser(), shop.browser()
    path = "/console/t/default"
    told = position_of(staying.open(path))
    cookie = leaving.cookie
    leaving.post("/console/sign-out", {})
    leaving.cookie = cookie
    assert refreshed(staying, path, told)
    assert leaving.get(path, signalpost_told=told).status == 303


def test_what_another_tenants_people_look_at_is_not_there(shop: Shop) -> None:
    world = shop.world
    world.send("POST", "/v1/tenants", {"name": "elsewhere"}).ok(201)
    operator, viewer = shop.browser("operator"), shop.browser("viewer")
    path = "/console/t/elsewhere"
    told = position_of(operator.open(path))
    assert refreshed(operator, path, told)
    assert viewer.get(path, signalpost_told=told).status == 404
