"""Contacts on pages: in each form that makes or changes a subscription, and for customers who may change them."""

import time
from collections.abc import Callable

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import Browser, make_world
from gateway.tests.console.office import Office
from gateway.tests.console.test_portal import Guest

from signalpost.domain.contacts import ContactIds
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.sender.addresses import parse_allow_targets
from signalpost.store.vault import CONTACTS, UNSUBSCRIBING

__all__ = ["make_world", "url"]
ADA, BOB = "ada@example.com", "bob@example.com"


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World], url: str) -> Office:
    return Office(make_world(allow_targets=parse_allow_targets(url)), url)


def contacts(world: World, subscription: str) -> list[str]:
    found: list[str] = world.get(f"/v1/subscriptions/{subscription}").ok().get("contacts", [])
    return found


@pytest.mark.parametrize("page", ["/console/t/default/subscriptions/{}/settings/edit", "/portal/subscriptions/{}"])
def test_contacts_are_typed_with_commas_between_and_a_wrong_one_is_said_at_the_field(office: Office, page: str) -> None:
    path = page.format(office.hook)
    form = office.form(path, "change")
    assert office.send(path, form.pressed("change", {"contacts": [f"{ADA}, {BOB}"]})).status == 303
    assert contacts(office.world, office.hook) == [ADA, BOB]
    form = office.form(path, "change")
    assert ("contacts", f"{ADA}, {BOB}") in form.fields
    refused = office.send(path, form.pressed("change", {"contacts": [f"{ADA}, nobody"]}))
    assert b"<strong>Contacts</strong>: " in refused.body
    assert refused.status == 422
    assert b'aria-describedby="wrong-contacts"' in refused.body
    assert f'value="{ADA}, nobody"'.encode() in refused.body
    assert office.send(path, form.pressed("change", {"contacts": [""]})).status == 303
    assert contacts(office.world, office.hook) == []


@pytest.mark.parametrize("below", ["/subscriptions/new", "/subscriptions/new/slack", "/recipes/slack-executed"])
def test_a_new_subscription_gets_the_contacts_that_were_typed(office: Office, below: str) -> None:
    path = f"/console/t/default{below}"
    form = office.form(path, "save")
    given = {"url": ["https://example.com/hook"], "contacts": [ADA]}
    given |= {"config.text": ["a"]}
    known = {name for name, _ in form.fields}
    answer = office.send(path, form.pressed("save", {name: value for name, value in given.items() if name in known}))
    assert answer.status in (200, 303), answer.body
    newest = office.world.get("/v1/subscriptions?limit=1").ok()["data"][0]
    assert newest["contacts"] == [ADA]


def test_customers_see_and_change_contacts_only_with_a_link_that_lets_them_edit(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    made = world.create_subscription(contacts=[ADA])["id"]
    every = ["payload", "test", "retry", "replay", "create", "secret"]
    path = f"/portal/subscriptions/{made}"
    guest = Guest(world).enter(can=every)
    for page in (path, "/portal"):
        assert ADA not in guest.open(page)
    assert guest.post(path, {"do": "change", "contacts": BOB}).status == 403
    assert contacts(world, made) == [ADA]
    new = {"do": "create", "url": "https://example.com/new", "type": ["documentCreated"], "contacts": BOB}
    assert guest.post("/portal/subscriptions/new", new).status == 422
    assert ADA.encode() not in guest.post(path, {"do": "rotate", "key": "r1"}).body
    editor = Guest(world).enter(can=["edit"], subscriptions=[made])
    assert f'value="{ADA}"' in editor.open(path)
    assert editor.post(path, {"do": "change", "contacts": BOB}).status == 303
    assert contacts(world, made) == [BOB]


def test_a_contact_who_unsubscribed_is_shown_as_such(make_world: Callable[..., World]) -> None:
    world = make_world()
    made = world.create_subscription(contacts=[ADA, BOB])["id"]
    key, ids = SigningKey(1, world.signing_key(UNSUBSCRIBING)), ContactIds(world.signing_key(CONTACTS))
    link = UnsubscribeLinks([key], ids, "").link(ids.of(BOB), time.time_ns() // 1_000)
    assert world.send("POST", link, b"", {"authorization": None}).status == 200
    said = f"Told no more, because they unsubscribed: {BOB}."
    for tab in ("/settings", "/settings/edit"):
        assert said in Browser(world).sign_in(world.key).open(f"/console/t/default/subscriptions/{made}{tab}")
    assert said in Guest(world).enter(can=["edit"]).open(f"/portal/subscriptions/{made}")
    assert said not in Guest(world).enter(can=[]).open(f"/portal/subscriptions/{made}")
