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


def test_any_part_of_what_is_shown_is_found_and_nothing_that_is_hidden(world: "World") -> None:
    document = (
        "document",
        world.create_document(title="Rent of the Quagga", ownerEmail="noa@quagga.example")["externalId"],
    )
    slack = world.create_subscription(name="Ops", url="https://hooks.slack.com/services/T0WORK/B0APP/hush")["id"]
    url = "https://quokka.example:8443/in/orders?key=hush&from=desk"
    quokka = world.create_subscription(name="Zoo, night desk", url=url, contacts=["keeper@zoo.example"])["id"]
    assert search(world, "f the QUA") == search(world, "@quagga") == [document]
    for text in (
        "ght DE",
        "kka.exa",
        "8443/in",
        "/ORDERS?key",
        "from=",
        "r@zoo",
        url,
        url.replace("hush", "x"),
        quokka[:23],
    ):
        assert search(world, text) == [("subscription", quokka)], text
    assert search(world, "T0work/b0APP") == [("subscription", slack)]
    assert search(world, "hush") == search(world, "=desk") == search(world, "qua gga") == []
    world.send("PATCH", f"/v1/subscriptions/{quokka}", {"name": "Aquarium"}).ok()
    assert search(world, "ght DE") == []
    assert search(world, "quari") == [("subscription", quokka)]
    world.send("DELETE", f"/v1/subscriptions/{quokka}")
    assert search(world, "quari") == []
    make_tenant(world, "another")
    assert search(world, "quagga", **in_tenant("another")) == search(world, "T0work", **in_tenant("another")) == []


def test_the_beginning_of_an_id_leads_to_all_that_it_may_mean(world: "World") -> None:
    made = [world.create_document()["externalId"] for _ in range(3)]
    events = [each["event"]["id"] for each in world.get("/v1/events?before=latest&limit=2").ok()["data"]]
    for text in (events[0][:30], events[0][:-1].upper()):
        assert ("event", events[0]) in search(world, text)
    assert {("event", each) for each in events} <= {*search(world, events[0][:8])}
    for document in made:
        assert ("document", document) in search(world, document[:8])
    assert search(world, "ffffffff-ffff") == search(world, "0000000") == []


def test_what_has_the_beginning_of_its_own_id_in_its_name_is_found_once(world: "World") -> None:
    made = world.create_subscription(name="Ops")["id"]
    world.send("PATCH", f"/v1/subscriptions/{made}", {"name": f"Ops {made[:23]}"}).ok()
    assert search(world, made[:23]) == [("subscription", made)]


@pytest.mark.parametrize("query", ["?q=", "?q=" + "x" * 513, "?q=%00"])
def test_a_search_has_a_text(world: "World", query: str) -> None:
    world.get(f"/v1/search{query}").refused(422, "?q")
