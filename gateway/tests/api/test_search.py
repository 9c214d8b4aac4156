"""Search: whatever a person pastes leads to what it belongs to, within their tenant only."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from gateway.tests.api.two_tenants import in_tenant, make_tenant

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World


def search(world: "World", text: str, **headers: str) -> list[tuple[str, str]]:
    found: list[dict[str, Any]] = world.get(f"/v1/search?q={quote(text)}", **headers).ok()["data"]
    assert all(each["title"] for each in found)
    return [(each["kind"], each["id"]) for each in found]


def test_what_is_pasted_leads_to_what_it_belongs_to(world: "World") -> None:
    made = world.create_document(title="Zephyr lease", referenceId="ZEPHYR-7", ownerEmail="zoe@desk.example")
    document = ("document", made["externalId"])
    event = world.get("/v1/events?before=latest&limit=1").ok()["data"][0]["event"]["id"]
    subscription = world.create_subscription(name="Acme Zephyr", url="https://zephyr.example/hooks?token=t0p")["id"]
    assert search(world, f" {event.upper()} ") == [("event", event)]
    assert search(world, made["externalId"]) == [document]
    assert search(world, subscription) == [("subscription", subscription)]
    assert search(world, "zephyr") == [("subscription", subscription), document]
    assert search(world, "ZEPHYR-7") == search(world, "zoe@") == search(world, "zephyr l") == [document]
    assert search(world, "t0p") == search(world, " ") == search(world, "nobody has this") == []
    told = [world.get(f"/v1/search?q={each}").ok()["data"][0] for each in (made["externalId"], "zoe@", event)]
    assert [each["at"] for each in told] == [made["updatedAt"]] * 3, "the event was made by the change"
    make_tenant(world, "other")
    for text in ("zephyr", event, made["externalId"], subscription):
        assert search(world, text, **in_tenant("other")) == []
    world.send("DELETE", f"/v1/documents/{made['externalId']}")
    assert search(world, "zoe@") == search(world, made["externalId"]) == []


@pytest.mark.parametrize("query", ["?q=", "?q=" + "x" * 513, "?q=%00"])
def test_a_search_has_a_text(world: "World", query: str) -> None:
    world.get(f"/v1/search{query}").refused(422, "?q")
