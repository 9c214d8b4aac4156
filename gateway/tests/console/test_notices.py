"""The page of notices, and the bell."""

import asyncio
from typing import TYPE_CHECKING

from gateway.tests.console.conftest import HOSTILE
from gateway.tests.patience import PATIENCE

from signalpost.commands.notices import OpenCondition
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.operations.conditions import Fact

if TYPE_CHECKING:
    from gateway.tests.console.conftest import Shop

NOTICES = "/console/t/default/notices"


def opened(shop: "Shop", name: str = "Acme", tenant_id: int = 1, detail: str = HOSTILE) -> None:
    """Something that is wrong from now on."""
    world = shop.world
    wrong = Fact(kind="subscriptionDisabled", tenant_id=tenant_id, subject=name, name=name, since=1, detail=detail)
    tenant = world.gateway._engine.directory.tenant_with(tenant_id)
    assert tenant is not None
    command = OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=tenant.name, fact=wrong)

    async def commit() -> None:
        watch = world.gateway._engine.watch
        await (await world.gateway._engine._committer.enqueue(command))
        await watch.look()

    asyncio.run_coroutine_threadsafe(commit(), world.loop).result(PATIENCE)


def test_what_is_wrong_is_on_a_page_as_text_and_counted_on_every_page(shop: "Shop") -> None:
    opened(shop)
    page = shop.browser("operator").open(NOTICES)
    assert "Acme was disabled" in page
    assert HOSTILE not in page
    assert "critical" in page
    for path in ("", "/keys", "/documents"):
        assert '<span class="noticed"><b>' in shop.browser("operator").open(f"/console/t/default{path}")


def test_moments_in_what_is_wrong_read_as_people_write_them(shop: "Shop") -> None:
    opened(shop, "Timed", detail="Every attempt failed since 2026-11-30T09:12:44.120000+00:00.")
    assert ">30 Nov 2026, 09:12:44 UTC</time>." in shop.browser("operator").open(NOTICES)


def test_an_operator_mutes_and_unmutes(shop: "Shop") -> None:
    opened(shop, "Muted")
    [shown] = [each for each in shop.world.get("/v1/notices").ok()["data"] if each["subject"]["name"] == "Muted"]
    browser = shop.browser("operator")
    assert browser.post(NOTICES, {"do": "mute", "key": "a", "id": shown["id"], "hours": "8"}).status == 303
    assert "Remind again" in browser.open(NOTICES)
    assert browser.post(NOTICES, {"do": "mute", "key": "b", "id": shown["id"], "hours": "many"}).status == 422
    assert browser.post(NOTICES, {"do": "unmute", "key": "c", "id": shown["id"]}).status == 303
    assert "Remind again" not in browser.open(NOTICES)


def test_a_viewer_reads_what_is_wrong_in_their_tenant_and_finds_no_button(shop: "Shop") -> None:
    opened(shop)
    opened(shop, "The gateway", OPERATIONS_TENANT)
    page = shop.browser("viewer").open(NOTICES)
    assert "Acme was disabled" in page
    assert "The gateway" not in page
    assert 'name="do"' not in page.split('id="notices"')[1].split("</section>")[0]


def test_forms_offer_the_types_of_events_that_the_tenant_has(shop: "Shop") -> None:
    operator = shop.browser("operator")
    for path in ("/subscriptions/new", "/events", "/deliveries", "/replays"):
        of_documents = operator.open(f"/console/t/default{path}")
        assert "documentUpdated" in of_documents, path
        assert ">notice<" not in of_documents, path
        assert 'value="notice"' not in of_documents, path
        of_notices = operator.open(f"/console/t/operations{path}")
        assert "notice" in of_notices, path
        assert "documentUpdated" not in of_notices, path
