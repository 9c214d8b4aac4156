"""Contacts of subscriptions: who may name them, who sees them, and where their addresses never are."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.captured_log import captured_log

from signalpost.domain.contacts import ContactIds
from signalpost.domain.documents.links import LinkTarget
from signalpost.domain.documents.version import Number
from signalpost.domain.operations.unsubscribing import LIFETIME, UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey
from signalpost.store.vault import CONTACTS, UNSUBSCRIBING

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

ADA, BOB = "Ada@example.com", "bob@example.com"
URL = "https://example.com/hook"


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"]) -> "World":
    return make_world()


def test_contacts_are_shown_changed_and_taken_away(world: "World") -> None:
    made = world.create_subscription(url=URL, contacts=[ADA])
    path = f"/v1/subscriptions/{made['id']}"
    assert made["contacts"] == world.get(path).ok()["contacts"] == [ADA]
    assert world.send("PATCH", path, {"contacts": [BOB, ADA]}).ok()["contacts"] == [BOB, ADA]
    assert world.send("PATCH", path, {"name": "Another"}).ok()["contacts"] == [BOB, ADA]
    assert "contacts" not in world.send("PATCH", path, {"contacts": []}).ok()


@pytest.mark.parametrize(
    ("contacts", "at"),
    [
        (["nobody"], "/contacts/0"),
        ([ADA, "bob@"], "/contacts/1"),
        (["Ada <ada@example.com>"], "/contacts/0"),
        (["ada@example.com\r\nBcc: x@evil.example"], "/contacts/0"),
        (["jörg@example.com"], "/contacts/0"),
        ([f"{'a' * 250}@example.com"], "/contacts/0"),
        ([ADA, ADA.lower()], "/contacts/1"),
        ([f"a{each}@example.com" for each in range(6)], "/contacts"),
        (ADA, "/contacts"),
        (None, "/contacts"),
        ([None], "/contacts/0"),
    ],
)
def test_a_contact_that_is_none_is_refused_by_its_place(world: "World", contacts: Any, at: str) -> None:
    body = {"url": URL, "eventTypes": ["documentCreated"], "contacts": contacts}
    world.refuses("POST", "/v1/subscriptions", body, at=(at,))
    made = world.create_subscription(url=URL)["id"]
    world.refuses("PATCH", f"/v1/subscriptions/{made}", {"contacts": contacts}, at=(at,))


def test_who_may_not_change_contacts_does_not_see_them(world: "World") -> None:
    made = world.create_subscription(url=URL, contacts=[ADA, BOB])["id"]
    assert world.send("POST", link(world), b"", ONE_CLICK).status == 200
    for role, sees in (("subscriber", True), ("viewer", False)):
        key = world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"]
        headers = {"authorization": f"Bearer {key}"}
        one = world.send("GET", f"/v1/subscriptions/{made}", None, headers).ok()
        [listed] = [
            each for each in world.send("GET", "/v1/subscriptions", None, headers).ok()["data"] if each["id"] == made
        ]
        for shown in (one, listed):
            assert (shown.get("contacts"), shown.get("unsubscribed")) == (([ADA, BOB], [ADA]) if sees else (None, None))
            assert shown["health"]


def test_subscriptions_of_the_tenant_operations_have_none_because_nothing_is_told_of_them(world: "World") -> None:
    body = {"url": URL, "eventTypes": ["notice"], "contacts": [ADA]}
    world.refuses("POST", "/v1/subscriptions", body, headers={"signalpost-tenant": "operations"}, at=("/contacts",))


def test_neither_log_nor_audit_nor_database_has_the_address_of_a_contact(make_world: Callable[..., "World"]) -> None:
    with captured_log() as logs:
        world = make_world()
        made = world.create_subscription(url=URL, contacts=[ADA])["id"]
        world.send("PATCH", f"/v1/subscriptions/{made}", {"contacts": [ADA, BOB]}).ok()
        world.send("PATCH", f"/v1/subscriptions/{made}", {"contacts": ["nobody"]})
        entries = world.get(f"/v1/audit?object={made}").ok()["data"]
        assert [each["changes"].get("contacts") for each in entries] == [
            {"old": None, "new": ["***"]},
            {"old": ["***"], "new": ["***", "***"]},
        ]
        assert world.send("DELETE", f"/v1/subscriptions/{made}").status == 204
        rows = world._database.execute("SELECT config, sealed FROM subscription").fetchall()
    assert rows
    for told in (str(entries), str(rows), str(logs)):
        assert "ada@" not in told.lower()
        assert "bob@" not in told


# --- Unsubscribing ----------------------------------------------------------------------------------------------------

WITHOUT_KEY = {"authorization": None}
ONE_CLICK = {**WITHOUT_KEY, "content-type": "application/x-www-form-urlencoded"}
"""What a mailbox sends when its button is pressed (RFC 8058)."""


def link(world: "World", address: str = ADA, ago: int = 0) -> str:
    """The path of the link in a mail to an address."""
    key, ids = SigningKey(1, world.signing_key(UNSUBSCRIBING)), ContactIds(world.signing_key(CONTACTS))
    return UnsubscribeLinks([key], ids, "").link(ids.of(address), time.time_ns() // 1_000 - ago)


def test_a_link_that_is_looked_at_changes_nothing_and_its_button_unsubscribes_the_address_everywhere(
    make_world: Callable[..., "World"],
) -> None:
    world = make_world()
    world.send("POST", "/v1/tenants", {"name": "acme"}).ok(201)
    acme = {"signalpost-tenant": "acme"}
    body = {"url": URL, "eventTypes": ["documentCreated"]}
    one = world.create_subscription(contacts=[ADA, BOB])["id"]
    other = world.send("POST", "/v1/subscriptions", {**body, "contacts": [ADA.lower()]}, acme).ok(201)["id"]
    nobody = world.create_subscription(contacts=[BOB])["id"]
    before = world.state()
    page = world.send("GET", link(world), headers=WITHOUT_KEY)
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert ADA.lower().encode() not in page.body.lower()
    assert world.state() == before

    answer = world.send("POST", link(world), b"List-Unsubscribe=One-Click", ONE_CLICK)
    assert answer.status == 200
    assert b"You get no more of these mails" in answer.body
    shown = world.get(f"/v1/subscriptions/{one}").ok()
    assert (shown["contacts"], shown["unsubscribed"]) == ([ADA, BOB], [ADA])
    assert world.send("GET", f"/v1/subscriptions/{other}", None, acme).ok()["unsubscribed"] == [ADA.lower()]
    assert "unsubscribed" not in world.get(f"/v1/subscriptions/{nobody}").ok()
    [entry] = world.get(f"/v1/audit?object={one}&newest=true").ok()["data"][:1]
    assert (entry["action"], entry["actor"]["kind"]) == ("subscription.unsubscribe-contact", "contact")
    assert ADA.lower() not in str(entry).lower()
    assert entry["actor"]["id"] == ContactIds(world.signing_key(CONTACTS)).of(ADA), "nobody else can make it"
    again = world.state()
    assert world.send("POST", link(world), b"", ONE_CLICK).status == 200
    assert world.state() == again


def test_who_unsubscribed_stays_so_until_somebody_removes_the_address_and_adds_it_again(world: "World") -> None:
    path = f"/v1/subscriptions/{world.create_subscription(contacts=[ADA])['id']}"
    assert world.send("POST", link(world), b"", ONE_CLICK).status == 200
    assert world.send("PATCH", path, {"contacts": [BOB, ADA.upper()]}).ok()["unsubscribed"] == [ADA.upper()]
    assert world.send("PATCH", path, {"name": "Another"}).ok()["unsubscribed"] == [ADA.upper()]
    assert "unsubscribed" not in world.send("PATCH", path, {"contacts": [BOB]}).ok()
    assert "unsubscribed" not in world.send("PATCH", path, {"contacts": [ADA, BOB]}).ok()


def test_an_address_unsubscribes_while_the_disk_is_too_full_for_documents(make_world: Callable[..., "World"]) -> None:
    world = make_world(disk_reserve_mb=100_000_000)
    path = f"/v1/subscriptions/{world.create_subscription(contacts=[ADA])['id']}"
    assert world.send("POST", link(world), b"", ONE_CLICK).status == 200
    assert world.get(path).ok()["unsubscribed"] == [ADA]


def test_a_link_that_was_altered_or_has_ended_or_is_of_another_kind_does_nothing(world: "World") -> None:
    world.create_subscription(contacts=[ADA])
    right = link(world)
    download = world.links("").link(LinkTarget(1, "d24c0644-1d31-47fa-960e-b0cc8b4f136c", Number(1, 0), 2**62))
    wrong = [
        right[:-1] + ("A" if right[-1] != "A" else "B"),
        right[:20] + ("A" if right[20] != "A" else "B") + right[21:],
        link(world, ago=LIFETIME),
        "/unsubscribe/" + download.rpartition("/")[2],
        "/unsubscribe/x",
    ]
    for path in wrong:
        for method in ("GET", "POST"):
            world.refuses(method, path, None if method == "GET" else b"", status=403, headers=ONE_CLICK)
    token = right.rpartition("/")[2]
    assert world.send("GET", f"/files/{token}", headers=WITHOUT_KEY).status == 403
    assert world.send("GET", "/v1/subscriptions", headers={"authorization": f"Bearer {token}"}).status == 401
