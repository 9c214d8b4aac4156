"""Rehearsals: what a changed or a new subscription would have sent of the log as it was. Nothing is stored or sent."""

import resource
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.sqlite_file import database_file

from signalpost.domain.delivery.rehearsal import RehearsalId, read_rehearsal_id
from signalpost.engine.rehearsing.process_walks import LONG
from signalpost_receiver import sign

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

HOOK = "https://hooks.slack.com/services/T0/B0/canaryofawebhook"
TITLED = {"field": "document.title", "contains": "lease"}
PERIOD = {"from": "2020-01-01T00:00:00Z"}


@pytest.fixture
def world(make_world: "Callable[..., World]") -> "World":
    """A gateway with a log of its own."""
    return make_world()


@pytest.fixture
def connection(world: "World") -> str:
    config = {"signIn": {"with": "webhook", "url": HOOK}}
    return str(world.send("POST", "/v1/connections", {"kind": "slack", "config": config}).ok(201)["id"])


def changed(world: "World", subscription: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The rehearsal of a change over the whole log."""
    path = f"/v1/subscriptions/{subscription['id']}/rehearsals"
    answer: dict[str, Any] = world.send("POST", path, {**PERIOD, "change": change}).ok()
    return answer


def counts(shown: dict[str, Any]) -> dict[str, int]:
    return {name: shown[name] for name in ("now", "then", "both", "more", "less", "cannot")}


def sequences(examples: list[dict[str, Any]]) -> list[int]:
    return [each["sequence"] for each in examples]


def test_a_change_is_compared_with_what_is_sent_now(world: "World") -> None:
    made = world.create_subscription(eventTypes=["documentCreated"])
    lease, other = world.create_document(title="A lease"), world.create_document(title="Another")
    for document in (lease, other):
        world.send("PATCH", f"/v1/documents/{document['externalId']}", {"referenceId": "7"}).ok()
    before = world.state()
    shown = changed(world, made, eventTypes=["documentUpdated", "documentCreated"], when=TITLED)
    assert counts(shown) == {"now": 2, "then": 2, "both": 1, "more": 1, "less": 1, "cannot": 0}
    examples = shown["examples"]
    assert (sequences(examples["both"]), sequences(examples["more"]), sequences(examples["less"])) == ([1], [3], [2])
    [both], [more], [less] = examples["both"], examples["more"], examples["less"]
    assert (both["title"], both["eventType"], both["why"]) == ("A lease", "documentCreated", None)
    assert more["why"] == "Not sent: the subscription does not ask for events of this type."
    assert less["why"] == "Not sent: document.title is 'Another', which does not contain 'lease'."
    assert (shown["fromSequence"], shown["toSequence"], shown["lookedBackTo"]) == (1, 4, None)
    assert world.state() == before, "nothing is stored"


def test_a_change_of_nothing_sends_exactly_what_is_sent_now(world: "World") -> None:
    made = world.create_subscription(eventTypes=["documentCreated"])
    first = world.create_document()
    world.send("PATCH", f"/v1/subscriptions/{made['id']}", {"eventTypes": ["documentUpdated"]}).ok()
    world.send("PATCH", f"/v1/documents/{first['externalId']}", {"title": "New"}).ok()
    world.create_document()
    shown = changed(world, made)
    assert counts(shown) == {"now": 2, "then": 2, "both": 2, "more": 0, "less": 0, "cannot": 0}, (
        "types count as they were when the event was made (C14)"
    )


def test_events_from_before_a_subscription_are_none_of_its_own(world: "World") -> None:
    """C14"""
    world.create_document()
    made = world.create_subscription()
    world.create_document()
    shown = changed(world, made, eventTypes=["documentCreated", "documentUpdated"])
    assert (shown["fromSequence"], shown["toSequence"], shown["both"], shown["more"]) == (2, 2, 1, 0)


def test_a_new_subscription_is_rehearsed_from_the_beginning_of_the_log(world: "World") -> None:
    world.create_document(title="A lease")
    world.create_document(title="Another")
    draft = {"url": "https://a.example/hook?token=canary", "eventTypes": ["documentCreated"], "when": TITLED}
    answer = world.send("POST", "/v1/subscriptions/rehearsals", {**PERIOD, "subscription": draft})
    shown = answer.ok()
    assert counts(shown) == {"now": 0, "then": 1, "both": 0, "more": 1, "less": 0, "cannot": 0}
    assert shown["id"] is None
    assert b"canary" not in answer.body


def test_a_new_subscription_that_says_where_it_begins_is_rehearsed_from_there(world: "World") -> None:
    """C14: it gets exactly these."""
    made_at = [world.create_document()["createdAt"] for _ in range(3)]
    for begins in ({"startsAfter": 2}, {"startsAt": made_at[2]}):
        draft = {"url": "https://a.example/hook", "eventTypes": ["documentCreated"], **begins}
        shown = world.send("POST", "/v1/subscriptions/rehearsals", {**PERIOD, "subscription": draft}).ok()
        assert (shown["fromSequence"], shown["toSequence"], shown["then"]) == (3, 3, 1)
    never = {"url": "https://a.example/hook", "eventTypes": ["documentCreated"], "startsAt": "2999-01-01T00:00:00Z"}
    refused = world.send("POST", "/v1/subscriptions/rehearsals", {**PERIOD, "subscription": never})
    refused.refused(422, "/subscription/startsAt")


def test_the_exact_requests_are_shown_and_no_secret_signs_them(world: "World") -> None:
    made = world.create_subscription(
        url="https://a.example/hook?token=canary", headers={"x-key": "canary"}, secret="canary-of-a-secret"
    )
    document = world.create_document()
    path = f"/v1/subscriptions/{made['id']}/rehearsals"
    answer = world.send("POST", path, {**PERIOD, "change": {}})
    assert b"canary" not in answer.body
    [shown] = answer.ok()["requests"]
    [request] = shown["requests"]
    headers = request["headers"]
    assert (request["method"], request["url"]) == ("POST", "https://a.example/hook?token=***")
    assert (headers["x-key"], headers["content-type"]) == ("[secret]", "application/json")
    assert (headers[sign.STANDARD_ID], headers[sign.SEQUENCE]) == (shown["eventId"], "1")
    assert request["body"]["data"]["document"]["externalId"] == document["externalId"]
    event = world.get(f"/v1/events/{shown['eventId']}").ok()["event"]
    assert request["body"] == event


def test_placeholders_that_fail_are_counted_before_anything_is_sent(world: "World", connection: str) -> None:
    text = "Due {{ document.additionalFacts.due | date }}"
    wanted = {"kind": "slack", "connection": connection, "config": {"text": "{{ document.title }}"}}
    path = "/v1/subscriptions"
    made = world.send("POST", path, {**wanted, "eventTypes": ["documentCreated"], "status": "paused"}).ok(201)
    world.create_document(additionalFacts={"due": "2027-01-31"})
    world.create_document(title="Without a date", additionalFacts={"due": "soon"})
    shown = changed(world, made, config={"text": text})
    assert counts(shown) == {"now": 2, "then": 1, "both": 1, "more": 0, "less": 1, "cannot": 1}
    [cannot] = shown["examples"]["cannot"]
    assert (cannot["title"], cannot["sequence"]) == ("Without a date", 2)
    assert cannot["why"].startswith("The vendor would get nothing: text: document.additionalFacts.due")
    [request] = shown["requests"][0]["requests"]
    assert request["body"]["text"].startswith("Due ")


def test_a_delays_condition_asks_what_was_so_when_the_delay_ended(world: "World") -> None:
    made = world.create_subscription()
    document = world.create_document(title="First")
    world.send("PATCH", f"/v1/documents/{document['externalId']}", {"title": "Second"}).ok()
    still = {"field": "document.title", "is": "First"}
    shown = changed(world, made, after={"seconds": 3600, "if": still})
    assert counts(shown) == {"now": 1, "then": 0, "both": 0, "more": 0, "less": 1, "cannot": 0}
    assert shown["examples"]["less"][0]["why"] == "Not sent: by now document.title is 'Second', not 'First'."
    shown = changed(world, made, after={"seconds": 3600, "if": {"not": still}})
    assert counts(shown)["both"] == 1


def test_what_a_patch_would_be_refused_for_a_rehearsal_is_refused_for(world: "World", connection: str) -> None:
    made = world.create_subscription(headers={"x-key": "canary"})
    path = f"/v1/subscriptions/{made['id']}/rehearsals"

    def refused(change: dict[str, Any], *at: str, **more: Any) -> None:
        world.refuses("POST", path, {"change": change, **more}, at=at)

    world.refuses("POST", path, {}, at=("/change",))
    refused({"eventTypes": ["documentGone"], "colour": 1}, "/change/eventTypes/0", "/change/colour")
    refused({"when": {"field": "document.titel", "is": "x"}}, "/change/when/field")
    refused({"after": {"seconds": 2_592_000}}, "/change/after/seconds")
    refused({"url": "http://10.0.0.1/"}, "/change/url")
    refused({"url": "https://other.example/"}, "/change/headers/x-key")
    refused({"connection": connection}, "/change/connection")
    refused({}, "/to", **{"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
    refused({"eventTypes": ["notice"]}, "/change/eventTypes")
    new = "/v1/subscriptions/rehearsals"
    world.refuses("POST", new, {"subscription": {"url": "https://a.example/"}}, at=("/subscription/eventTypes",))
    draft = {"kind": "slack", "connection": connection, "config": {"text": "{{ document.titel }}"}}
    types = {"eventTypes": ["documentCreated"]}
    world.refuses("POST", new, {"subscription": {**draft, **types}}, at=("/subscription/config/text",))
    assert (
        world.send("POST", "/v1/subscriptions/d24c0644-1d31-47fa-960e-b0cc8b4f136c/rehearsals", {"change": {}}).status
        == 404
    )


def test_a_period_is_looked_at_and_nothing_beside_it(world: "World") -> None:
    made = world.create_subscription()
    for _ in range(4):
        world.create_document()
    at = [each["event"]["createdAt"] for each in world.events()]
    path = f"/v1/subscriptions/{made['id']}/rehearsals"
    shown = world.send("POST", path, {"from": at[1], "to": at[3], "change": {}}).ok()
    assert (shown["fromSequence"], shown["toSequence"], shown["both"]) == (2, 3, 2)
    assert sequences(shown["examples"]["both"]) == [3, 2], "the newest first"
    nothing = world.send("POST", path, {"from": "2020-01-01T00:00:00Z", "to": at[0], "change": {}}).ok()
    assert (nothing["fromSequence"], nothing["toSequence"], nothing["both"]) == (1, 0, 0)


@pytest.mark.parametrize("to", ["0001-01-01T00:00:00Z", "0001-01-03T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_period_may_end_at_any_moment_that_can_be_written(world: "World", to: str) -> None:
    made = world.create_subscription()
    draft = {"url": "https://a.example/", "eventTypes": ["documentCreated"]}
    shown = world.send("POST", f"/v1/subscriptions/{made['id']}/rehearsals", {"to": to, "change": {}}).ok()
    assert shown["to"].startswith(to[:10])
    assert world.send("POST", "/v1/subscriptions/rehearsals", {"to": to, "subscription": draft}).ok()["then"] == 0


def test_an_erased_document_is_sent_by_neither_side(world: "World") -> None:
    made = world.create_subscription()
    document = f"/v1/documents/{world.create_document(title='canary')['externalId']}"
    world.send("DELETE", document)
    world.send("POST", f"{document}/erase").ok(202)
    path = f"/v1/subscriptions/{made['id']}/rehearsals"
    answer = world.send("POST", path, {**PERIOD, "change": {}})
    assert counts(answer.ok())["both"] == 0
    assert b"canary" not in answer.body


def test_what_was_missing_is_sent_once_the_change_is_saved(world: "World") -> None:
    made = world.create_subscription(eventTypes=["documentDeleted"])
    path = f"/v1/subscriptions/{made['id']}"
    for _ in range(3):
        world.create_document()
    shown = changed(world, made, eventTypes=["documentCreated"])
    asked = {"rehearsal": shown["id"]}
    world.refuses("POST", f"{path}/replays", asked, status=409, code="not_as_rehearsed")
    world.send("PATCH", path, {"eventTypes": ["documentCreated"], "status": "active"}).ok()
    counted = world.send("POST", f"{path}/replays", {**asked, "dryRun": True}).ok()
    assert (counted["count"], counted["countIsCapped"]) == (3, False)
    started = world.send("POST", f"{path}/replays", asked).ok(202)
    assert (started["status"], started["count"], started["fromSequence"], started["toSequence"]) == ("unsent", 3, 1, 3)
    world.send("PATCH", path, {"when": TITLED}).ok()
    world.refuses("POST", f"{path}/replays", asked, status=409, code="not_as_rehearsed")
    world.refuses("POST", f"{path}/replays", {"rehearsal": "x"}, at=("/rehearsal",))
    world.refuses("POST", f"{path}/replays", {**asked, "from": "2026-01-01T00:00:00Z"}, at=("/from",))
    world.refuses("POST", f"{path}/replays", {**PERIOD, "status": "unsent"}, at=("/status",))


@pytest.mark.parametrize("sequences", [(-5, 2), (0, 2), (1, -1), (1, 10**30), (10**30, 10**31), (2**63, 2**63)])
def test_an_id_with_numbers_that_no_rehearsal_has_is_none(world: "World", sequences: tuple[int, int]) -> None:
    made = world.create_subscription()
    path = f"/v1/subscriptions/{made['id']}"
    true = read_rehearsal_id(changed(world, made)["id"])
    asked = {"rehearsal": RehearsalId(*sequences, true.wants).text}
    world.refuses("POST", f"{path}/replays", asked, at=("/rehearsal",))


def test_another_tenant_finds_nothing_to_rehearse(world: "World") -> None:
    made = world.create_subscription()
    world.send("POST", "/v1/tenants", {"name": "acme"}).ok(201)
    elsewhere = {"signalpost-tenant": "acme"}
    path = f"/v1/subscriptions/{made['id']}/rehearsals"
    assert world.send("POST", path, {"change": {}}, elsewhere).status == 404
    world.create_document()
    draft = {"url": "https://a.example/", "eventTypes": ["documentCreated"]}
    shown = world.send("POST", "/v1/subscriptions/rehearsals", {"subscription": draft}, elsewhere).ok()
    assert (shown["then"], shown["toSequence"]) == (0, 0)


def test_a_change_of_one_that_is_read_is_compared_and_nothing_of_it_can_be_sent(world: "World") -> None:
    body = {"kind": "poll", "eventTypes": ["documentDeleted"]}
    made = world.send("POST", "/v1/subscriptions", body).ok(201)
    world.create_document()
    shown = changed(world, made, eventTypes=["documentCreated"])
    assert counts(shown) == {"now": 0, "then": 1, "both": 0, "more": 1, "less": 0, "cannot": 0}
    assert (shown["id"], shown["requests"]) == (None, [])


def test_a_new_one_that_is_read_is_rehearsed(world: "World") -> None:
    for title in ("A lease", "Another"):
        world.create_document(title=title)
    new = {"kind": "poll", "eventTypes": ["documentCreated"], "when": TITLED}
    path = "/v1/subscriptions/rehearsals"
    shown = world.send("POST", path, {**PERIOD, "subscription": new}).ok()
    assert (counts(shown)["then"], shown["id"], shown["requests"]) == (1, None, [])
    assert [each["title"] for each in shown["examples"]["more"]] == ["A lease"]
    wrong = {**new, "url": "https://example.com/"}
    world.send("POST", path, {**PERIOD, "subscription": wrong}).refused(422, "/subscription/url")


COPIES = """
    INSERT INTO event (tenant_id, sequence, at, type, cause, caller, id, document_id, before, body)
    SELECT tenant_id, sequence + value, at + value, 2, cause, caller, id, document_id, before, body
    FROM event, (WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < ?)
    SELECT value FROM number)
"""


def test_a_long_log_is_walked_by_a_process_of_its_own(world: "World") -> None:
    """What is shown of it is as whole as of a short one."""
    made = world.create_subscription(eventTypes=["documentCreated"])
    world.create_document(title="A lease")
    with closing(apsw.Connection(str(database_file(world.settings.data_dir)))) as database:
        database.set_busy_timeout(60_000)
        database.execute("BEGIN IMMEDIATE")
        database.execute(COPIES, (LONG,))
        database.execute("UPDATE tenant SET last_sequence = last_sequence + ?, last_at = last_at + ?", (LONG, LONG))
        database.execute("COMMIT")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    period = {**PERIOD, "to": "2100-01-01T00:00:00Z"}
    change = {"eventTypes": ["documentUpdated"], "when": TITLED}
    shown = world.send("POST", f"/v1/subscriptions/{made['id']}/rehearsals", {**period, "change": change}).ok()
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > before
    assert counts(shown) == {"now": 1, "then": LONG, "both": 0, "more": LONG, "less": 1, "cannot": 0}
    assert sequences(shown["examples"]["more"]) == [*range(LONG + 1, LONG - 19, -1)]
    assert [each["title"] for each in shown["examples"]["less"]] == ["A lease"]
    assert [len(each["requests"]) for each in shown["requests"]] == [1, 1, 1]
