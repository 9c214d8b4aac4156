"""C14 and the subscription's fields; which events it gets, and what changes of it come to."""

import json
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateway.tests.bodies import new_document
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from standardwebhooks import Webhook

from signalpost.api.http.response import Response
from signalpost.api.rendering import kept_answers, respond
from signalpost.commands.batch import Batch, BatchContext, Rows
from signalpost.commands.command import Command, IdempotencyKey, RequestedRetry
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription, PatchSubscription
from signalpost.domain import subscription as rules
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.body import read
from signalpost.domain.documents.links import Links
from signalpost.domain.errors import Conflict, Invalid, NotFound, PreconditionFailed
from signalpost.domain.event import BY_WIRE, EventType
from signalpost.domain.subscription import Subscription, refiltered, wanted, widened
from signalpost.domain.subscription_requests import SecretRotation, SubscriptionPatch, SubscriptionRequest
from signalpost.domain.timestamps import SECOND

LINKS = Links(b"", "")
NOW = 1_700_000_000 * SECOND
ID = "00000000-0000-4000-8000-000000000001"
DOCUMENT = "00000000-0000-4000-8000-00000000000d"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = {"url": "https://example.com/hook", "eventTypes": ["documentCreated", "documentDeleted"]}
MASKS = st.integers(1, 7)


class Desk:
    def __init__(self, last_sequence: int = 0) -> None:
        rows = Rows(tenants={1: Tenant(1, "default", last_sequence, NOW)})
        self.batch = Batch(rows, NOW, BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits))

    def run(self, command: Command[Any]) -> Response:
        return respond(self.batch.run(command), LINKS)

    @property
    def found(self) -> Subscription:
        return {each.id: each for each in self.batch.changed(Subscription)}[ID]

    def publish(self, count: int = 1) -> None:
        for _ in range(count):
            self.run(CreateDocument(tenant_id=1, document_id=DOCUMENT, new=new_document(), source_app="app"))

    def create(self, body: dict[str, Any] = NEW, identity: str = ID, key: IdempotencyKey | None = None) -> Response:
        new = read(SubscriptionRequest, body)
        secret = SECRET if new.secret is UNSET else new.secret
        return self.run(
            CreateSubscription(
                tenant_id=1, subscription_id=identity, new=new, secret=secret, retry_delays=(10, 60, 300),
                idempotency=key,
            )
        )  # fmt: skip

    def patch(self, body: dict[str, Any], *if_match: str) -> Response:
        changes = read(SubscriptionPatch, body)
        tags = frozenset(if_match) or None
        return self.run(PatchSubscription(tenant_id=1, subscription_id=ID, patch=changes, if_match=tags))

    def delete(self) -> Response:
        return self.run(DeleteSubscription(tenant_id=1, subscription_id=ID))

    def retry(self, sequence: int, event_type: EventType = EventType.CREATED) -> Response:
        return self.run(
            RetryDelivery(
                tenant_id=1, subscription_id=ID, sequence=sequence, event_type=event_type, event_document_id=DOCUMENT
            )
        )


def refusals(body: Any, kind: Any) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        read(kind, body)
    return {(error.pointer, error.code) for error in caught.value.errors}


# --- Fields -----------------------------------------------------------------------------------------------------------


def test_every_bad_field_is_named_at_once() -> None:
    body = {
        "url": "http//nowhere",
        "eventTypes": ["documentCreated", "documentMoved"],
        "headers": {"host": "x", "y": "\n"},
        "ordering": "none",
        "rateLimit": 0,
        "retryDelays": [0],
        "secret": "short",
        "status": "disabled",
        "name": "",
        "unknown": 1,
    }
    assert refusals(body, SubscriptionRequest) == {
        ("/url", "not_https"),
        ("/eventTypes/1", "not_allowed"),
        ("/headers/host", "reserved_header"),
        ("/headers/y", "forbidden_character"),
        ("/ordering", "not_allowed"),
        ("/rateLimit", "out_of_range"),
        ("/retryDelays/0", "out_of_range"),
        ("/secret", "wrong_length"),
        ("/status", "not_allowed"),
        ("/name", "wrong_length"),
        ("/unknown", "unknown_field"),
    }
    assert refusals({}, SubscriptionRequest) == {("/url", "required"), ("/eventTypes", "required")}


@pytest.mark.parametrize(
    ("value", "at"), [([], ""), ("documentCreated", ""), (None, ""), ({}, ""), ([1], "/0"), ([None], "/0")]
)
def test_event_types_are_a_list_of_the_three(value: Any, at: str) -> None:
    """C3, C14"""
    assert {pointer for pointer, _ in refusals({"eventTypes": value}, SubscriptionPatch)} == {f"/eventTypes{at}"}


@given(st.lists(st.sampled_from(sorted(BY_WIRE)), min_size=1, max_size=10))
def test_event_types_are_a_set(names: list[str]) -> None:
    """C14"""
    mask = rules.bits_of(read(SubscriptionPatch, {"eventTypes": names}).event_types)
    assert {name for name, event_type in BY_WIRE.items() if event_type & mask} == set(names)
    assert set(rules.names_of(mask)) == set(names)


@pytest.mark.parametrize(
    ("value", "bad_at"),
    [
        ([], None),
        ([1], None),
        ([86_400] * 10, None),
        ([1] * 11, ""),
        ([86_401], "/0"),
        ([1, 1.5], "/1"),
        ([True], "/0"),
        ("10", ""),
        (None, ""),
    ],
)
def test_retry_delays_are_up_to_ten_whole_seconds(value: Any, bad_at: str | None) -> None:
    if bad_at is None:
        assert read(SubscriptionPatch, {"retryDelays": value}) == SubscriptionPatch(retry_delays=tuple(value))
    else:
        assert {pointer for pointer, _ in refusals({"retryDelays": value}, SubscriptionPatch)} == {
            f"/retryDelays{bad_at}"
        }


@pytest.mark.parametrize(
    ("secret", "fits"), [("x" * 8, True), ("x" * 256, True), ("ü" * 8, True), ("x" * 7, False), ("x" * 257, False)]
)
def test_an_owners_secret_has_8_to_256_characters(secret: str, fits: bool) -> None:
    """C14"""
    if fits:
        assert read(SecretRotation, {"secret": secret}).secret == secret
    else:
        assert refusals({"secret": secret}, SecretRotation) == {("/secret", "wrong_length")}


# --- Which events it gets ---------------------------------------------------------------------------------------------


@given(MASKS, st.lists(st.tuples(st.integers(0, 5), MASKS), max_size=10), st.integers(1, 60))
def test_event_types_count_as_they_were_when_the_event_was_made(
    first: int, changes: list[tuple[int, int]], sequence: int
) -> None:
    """Against a model that notes the types at every event."""
    filters: rules.Filters = ((0, first),)
    last, mask = 0, first
    noted: dict[int, int] = {}
    for published, then in changes:
        for _ in range(published):
            last += 1
            noted[last] = mask
        filters, mask = refiltered(filters, last, then), then
    for later in range(last + 1, last + 4):
        noted[later] = mask
    assert {number: wanted(filters, number) for number in noted} == noted
    assert [after for after, _ in filters] == sorted({after for after, _ in filters})


@given(st.lists(st.tuples(st.integers(1, 30), MASKS), max_size=6), st.integers(1, 40), MASKS)
def test_types_that_count_from_an_earlier_event_on_take_none_away(
    drawn: list[tuple[int, int]], first: int, mask: int
) -> None:
    filters = ((0, mask), *sorted(dict(drawn).items()))
    before = replace(rules.UNSAVED, filters=filters)
    after = widened(before, first, NOW)
    present = filters[-1][1]
    for sequence in range(1, 45):
        was = wanted(filters, sequence)
        assert wanted(after.filters, sequence) == (was | present if sequence >= first else was)
    assert [*after.filters] == sorted(dict(after.filters).items())
    assert widened(after, first, NOW + 1) is after
    assert (after is before) == all(wanted(filters, each) & present == present for each in range(first, 45))
    assert after is before or (after.version, after.when_since) == (before.version + 1, NOW)


def test_it_starts_exactly_at_the_end_of_the_log() -> None:
    desk = Desk(last_sequence=41)
    desk.publish()
    body = json.loads(desk.create().body)
    desk.publish()
    assert body["startsAfter"] == desk.found.starts_after == 42
    assert [event.sequence for event in desk.batch.events if event.sequence > desk.found.starts_after] == [43]


def test_a_change_of_event_types_holds_for_events_to_come_only() -> None:
    desk = Desk()
    desk.create({**NEW, "eventTypes": ["documentCreated"]})
    desk.publish(2)
    desk.patch({"eventTypes": ["documentUpdated"]})
    desk.publish()
    filters = desk.found.filters
    assert [wanted(filters, sequence) for sequence in (1, 2, 3)] == [
        EventType.CREATED,
        EventType.CREATED,
        EventType.UPDATED,
    ]
    assert desk.found.event_types == ("documentUpdated",)


# --- Changes ----------------------------------------------------------------------------------------------------------


def test_creating_shows_the_secret_in_both_forms_this_once() -> None:
    """C14, C20"""
    desk = Desk()
    answer = desk.create({**NEW, "secret": "an owner's own", "headers": {"x-key": "hidden"}, "name": "n"})
    body = json.loads(answer.body)
    assert answer.status == 201
    assert body["secret"] == "an owner's own"
    assert Webhook(body["standardWebhooksSecret"])._whsecret == b"an owner's own"
    assert body["headers"] == {"x-key": None}
    assert b"hidden" not in answer.body
    assert ("location", f"/v1/subscriptions/{ID}") in answer.headers
    later = desk.patch({"name": "m"})
    assert b"secret" not in later.body.lower()
    assert b"hidden" not in later.body
    assert "an owner's own" not in repr(desk.found)
    assert "hidden" not in repr(desk.found)


def test_what_is_not_given_has_its_default() -> None:
    """C16, C17"""
    body = json.loads(Desk().create().body)
    expected: dict[str, Any] = {
        "id": ID, "name": urlsplit(str(NEW["url"])).netloc, "url": NEW["url"], "eventTypes": NEW["eventTypes"],
        "headers": {},
        "status": "active", "ordering": "loose", "rateLimit": None, "retryDelays": [10, 60, 300], "startsAfter": 0,
        "rotationEndsAt": None, "trace": False,
    }  # fmt: skip
    assert {name: body[name] for name in expected} == expected
    assert set(body) == {*expected, "createdAt", "updatedAt", "secret", "standardWebhooksSecret"}


def test_subscriptions_get_numbers_of_their_own() -> None:
    desk = Desk()
    desk.create()
    desk.create(identity=DOCUMENT)
    numbers = [subscription.number for subscription in desk.batch.changed(Subscription)]
    assert numbers == [1, 2]


def test_a_patch_changes_what_it_names_and_nothing_else() -> None:
    desk = Desk()
    desk.create({**NEW, "headers": {"a": "1"}})
    before = desk.found
    desk.patch({"rateLimit": 5, "ordering": "strict", "retryDelays": []})
    after = desk.found
    assert (after.rate_limit, after.ordering, after.retry_delays, after.attempts) == (5, "strict", (), 1)
    assert (after.version, after.updated_at) == (before.version + 1, NOW + 1)
    assert (after.headers, after.url, after.secret, after.number) == (
        {"a": "1"},
        before.url,
        before.secret,
        before.number,
    )
    desk.patch({"rateLimit": None})
    assert desk.found.rate_limit is None


def test_a_patch_that_changes_nothing_leaves_the_etag() -> None:
    desk = Desk()
    created = desk.create()
    answer = desk.patch({"status": "active", "eventTypes": list(reversed(NEW["eventTypes"]))})
    assert dict(answer.headers)["etag"] == dict(created.headers)["etag"] == '"1"'


@pytest.mark.parametrize(("was", "now"), [(1, True), (True, 1), (1, 1.0)])
def test_a_patch_that_writes_a_value_otherwise_is_a_change(was: Any, now: Any) -> None:
    desk = Desk()
    desk.create()
    for value in (was, now):
        desk.patch({"when": {"field": "document.additionalFacts.seats", "is": value}})
    assert desk.found.when is not None
    assert repr(desk.found.when["is"]) == repr(now)
    assert desk.found.version == 3


def test_if_match() -> None:
    desk = Desk()
    desk.create()
    desk.patch({"name": "b"}, '"1"')
    with pytest.raises(PreconditionFailed):
        desk.patch({"name": "c"}, '"1"')
    assert desk.found.name == "b"


def test_a_resume_may_skip_the_backlog() -> None:
    desk = Desk()
    desk.create()
    desk.patch({"status": "paused"})
    desk.publish(3)
    desk.patch({"status": "active", "skipBacklog": True})
    assert (desk.found.status, desk.found.skip_to) == ("active", 3)


def test_a_skipped_backlog_is_told_from_what_is_asked_for_since() -> None:
    desk = Desk()
    desk.create()
    desk.publish()
    desk.retry(1)
    desk.patch({"status": "paused"})
    desk.patch({"status": "active", "skipBacklog": True})
    desk.retry(1)
    desk.patch({"name": "other"})
    before, since = desk.batch.retries
    assert desk.found.has_skipped_since(before.of_version)
    assert not desk.found.has_skipped_since(since.of_version)


@pytest.mark.parametrize("body", [{"skipBacklog": True}, {"skipBacklog": True, "status": "paused"}])
@pytest.mark.parametrize("status", ["active", "paused"])
def test_the_backlog_is_skipped_with_a_resume_only(status: str, body: dict[str, Any]) -> None:
    desk = Desk()
    desk.create({**NEW, "status": status})
    with pytest.raises(Invalid) as caught:
        desk.patch(body)
    assert [error.pointer for error in caught.value.errors] == ["/skipBacklog"]
    assert (desk.found.status, desk.found.skip_to, desk.found.version) == (status, 0, 1)


def test_a_resume_skips_nothing_unless_asked_to() -> None:
    desk = Desk()
    desk.create()
    desk.patch({"status": "paused"})
    desk.publish(3)
    desk.patch({"status": "active", "skipBacklog": False})
    assert desk.found.skip_to == 0


def test_a_deleted_subscription_is_not_there_and_keeps_no_secret() -> None:
    desk = Desk()
    desk.create({**NEW, "headers": {"x": "hidden"}})
    assert desk.delete() == Response(204)
    assert (desk.found.secret, desk.found.headers) == ("", {})
    for attempt in (desk.delete, lambda: desk.patch({}), lambda: desk.retry(1)):
        with pytest.raises(NotFound):
            attempt()


# --- Retries by hand --------------------------------------------------------------------------------------------------


def test_a_retry_is_one_attempt_more() -> None:
    desk = Desk()
    desk.create()
    desk.publish(2)
    assert desk.retry(2) == desk.retry(1) == Response(202)
    assert desk.batch.retries == [RequestedRetry(1, 1, 2, DOCUMENT, 1), RequestedRetry(2, 1, 1, DOCUMENT, 1)]


def test_what_it_did_not_ask_for_cannot_be_retried() -> None:
    desk = Desk()
    desk.publish()
    desk.create()
    desk.publish()
    for sequence, event_type in ((1, EventType.CREATED), (2, EventType.UPDATED)):
        with pytest.raises(NotFound):
            desk.retry(sequence, event_type)
    assert desk.batch.retries == []


def test_a_paused_subscription_retries_nothing() -> None:
    desk = Desk()
    desk.create()
    desk.publish()
    desk.patch({"status": "paused"})
    with pytest.raises(Conflict):
        desk.retry(1)


def test_a_repeated_creation_makes_one_subscription_and_shows_the_same_secret() -> None:
    desk = Desk()
    key = IdempotencyKey(1, "k", b"h")
    first, second = desk.create(key=key), desk.create(identity=DOCUMENT, key=key)
    assert second.body == first.body
    assert len(desk.batch.changed(Subscription)) == 1
