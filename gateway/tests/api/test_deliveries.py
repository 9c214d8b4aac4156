"""Deliveries as people see them: lists, filters, pages, attempts, one attempt more. The endpoint is real."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import PATIENCE

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SHAPE = {"eventId", "sequence", "eventType", "externalId", "createdAt", "status", "nextAttemptAt", "cause"}
ATTEMPT = {"number", "startedAt", "durationMs", "statusCode", "error", "answer"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
BINARY = b"\xff\xfe\x00\x1b[31m\r\n<script>alert(1)</script>\xc3"


ANSWERS = {
    "ok": b"ok",
    "large": b"x" * 1023 + "é".encode() + b"y" * 5000,
    "binary": BINARY,
    "empty": b"",
    "held": b"",
    "signature": b'{"error":"invalid signature"}',
}


class Endpoint(LocalServer):
    """Remembers the headers of every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[dict[str, str]] = []
        self.may_answer = Event()
        """Requests to paths with `held` wait for this."""


class Handler(QuietHandler):
    """Answers with the status and the body that the path names: `/500/large`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Endpoint)
        self.rfile.read(int(self.headers["content-length"]))
        _, status, body = self.path.split("/")
        self.server.received.append(dict(self.headers.items()))
        if body == "held":
            self.server.may_answer.wait(PATIENCE)
        self.send_response(int(status))
        self.send_header("content-length", str(len(ANSWERS[body])))
        self.end_headers()
        self.wfile.write(ANSWERS[body])


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], endpoint: Endpoint) -> "World":
    return make_world(allow_targets=parse_allow_targets(f"http://127.0.0.1:{endpoint.server_port},http://127.0.0.1:9"))


Subscribe = Callable[..., str]


@pytest.fixture
def subscribe(world: "World", endpoint: Endpoint) -> Iterator[Subscribe]:
    """Makes a subscription to a path of the endpoint; gives its own path. It ends with the test."""
    made: list[str] = []

    def maker(path: str, **fields: Any) -> str:
        url = f"http://127.0.0.1:{endpoint.server_port}{path}"
        everything = ["documentCreated", "documentUpdated", "documentDeleted"]
        given = {"status": "active", "url": url, "eventTypes": everything, **fields}
        made.append(f"/v1/subscriptions/{world.create_subscription(**given)['id']}")
        return made[-1]

    yield maker
    for path in made:
        world.send("DELETE", path)


def deliveries(world: "World", subscription: str, query: str = "") -> list[dict[str, Any]]:
    page = world.get(f"{subscription}/deliveries{query}").ok()
    assert set(page) == {"data", "next", "lookedBackTo"}
    found: list[dict[str, Any]] = page["data"]
    return found


def once(world: "World", subscription: str, status: str) -> dict[str, Any]:
    """The newest delivery with its attempts, once it has this status."""
    found = world.wait_until(lambda: deliveries(world, subscription, f"?status={status}&limit=1"))
    read: dict[str, Any] = world.get(f"{subscription}/deliveries/{found[0]['eventId']}").ok()
    return read


def test_a_delivery_that_arrived(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok")
    made = world.create_document()
    delivery = once(world, subscription, "delivered")
    (entry,) = world.events(world.last() - 1)
    assert set(delivery) >= {*SHAPE, "attempts"}
    assert delivery["eventId"] == entry["event"]["id"]
    assert delivery["sequence"] == entry["sequence"]
    assert delivery["createdAt"] == entry["event"]["createdAt"]
    assert (delivery["eventType"], delivery["externalId"]) == ("documentCreated", made["externalId"])
    assert delivery["nextAttemptAt"] is None
    (attempt,) = delivery["attempts"]
    assert set(attempt) >= ATTEMPT
    assert (attempt["number"], attempt["statusCode"], attempt["error"]) == (1, 200, None)
    assert attempt["answer"] == "ok"
    assert attempt["exchange"] is None, "of what went well nothing more is kept"
    assert attempt["durationMs"] > 0
    assert TIMESTAMP.fullmatch(attempt["startedAt"])
    assert attempt["startedAt"] > delivery["createdAt"]
    (listed,) = deliveries(world, subscription)
    assert set(listed) >= SHAPE
    assert {name: delivery[name] for name in listed} == listed
    assert listed["title"] == made["title"]
    assert listed["lastAttempt"] == {name: attempt[name] for name in listed["lastAttempt"]}
    assert (listed["lastAttempt"]["statusCode"], listed["lastAttempt"]["number"]) == (200, 1)


def test_a_delivery_that_is_given_up(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/500/ok", retryDelays=[])
    world.create_document()
    delivery = once(world, subscription, "failed")
    assert delivery["nextAttemptAt"] is None
    (attempt,) = delivery["attempts"]
    assert (attempt["statusCode"], attempt["error"], attempt["answer"]) == (500, "status", "ok")
    assert attempt["exchange"]["address"] == "127.0.0.1"
    assert attempt["exchange"]["url"] == world.get(subscription).ok()["url"]
    assert {"name": "signalpost-attempt", "value": "1"} in attempt["exchange"]["requestHeaders"]
    assert [each["name"] for each in attempt["exchange"]["answerHeaders"]] == ["Server", "Date", "content-length"]
    health = world.get(subscription).ok()["health"]
    assert health["state"] == "failing"
    assert TIMESTAMP.fullmatch(health["failingSince"])
    assert health["lastError"] == "The endpoint answered 500."
    assert health["lag"] == 0


def test_a_delivery_that_waits_for_its_retry(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/503/empty", retryDelays=[3600])
    world.create_document()
    delivery = once(world, subscription, "retrying")
    assert TIMESTAMP.fullmatch(delivery["nextAttemptAt"])
    waits = datetime.fromisoformat(delivery["nextAttemptAt"]).timestamp() - time.time()
    assert 3500 < waits < 3600 * 1.2 + 1
    (attempt,) = delivery["attempts"]
    assert (attempt["statusCode"], attempt["error"], attempt["answer"]) == (503, "status", "")
    assert TIMESTAMP.fullmatch(world.get(subscription).ok()["health"]["oldestDueAt"])


def test_a_delivery_that_is_pending(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok", status="paused")
    world.create_document()
    (listed,) = deliveries(world, subscription)
    assert (listed["status"], listed["nextAttemptAt"], listed["lastAttempt"]) == ("pending", None, None)
    assert world.get(f"{subscription}/deliveries/{listed['eventId']}").ok() == {
        **listed,
        "attempts": [],
        "diagnosis": None,
        "retriesAsked": [],
        "waitingBehind": {"count": 0, "countIsCapped": False},
    }
    world.send("PATCH", subscription, {"status": "active"}).ok()
    delivered = once(world, subscription, "delivered")
    assert (delivered["eventId"], delivered["waitingBehind"]) == (listed["eventId"], None)


def test_how_many_newer_events_of_its_document_wait_behind_a_delivery(world: "World", subscribe: Subscribe) -> None:
    types = ["documentCreated", "documentUpdated"]
    subscription = subscribe("/200/ok", status="paused", eventTypes=types)
    document = world.create_document()["externalId"]
    for number in range(3):
        world.send("PATCH", f"/v1/documents/{document}", {"title": f"Title {number}"}).ok()
    world.create_document()
    first = deliveries(world, subscription)[-1]
    path = f"{subscription}/deliveries/{first['eventId']}"
    assert world.get(path).ok()["waitingBehind"] == {"count": 3, "countIsCapped": False}


def test_an_endpoint_that_nobody_serves_is_called_by_its_error(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("", url="http://127.0.0.1:9/", retryDelays=[])
    world.create_document()
    (attempt,) = once(world, subscription, "failed")["attempts"]
    assert (attempt["statusCode"], attempt["error"], attempt["answer"]) == (None, "connect", "")


def test_a_redirect_is_a_failure(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/302/ok", retryDelays=[])
    world.create_document()
    (attempt,) = once(world, subscription, "failed")["attempts"]
    assert (attempt["statusCode"], attempt["error"]) == (302, "redirect")


@pytest.mark.parametrize("status", ["200", "500"])
def test_of_a_large_answer_the_first_kib_is_kept(world: "World", subscribe: Subscribe, status: str) -> None:
    subscription = subscribe(f"/{status}/large", retryDelays=[])
    world.create_document()
    (attempt,) = once(world, subscription, "delivered" if status == "200" else "failed")["attempts"]
    # The 1024th byte begins a character that does not end within them.
    assert attempt["answer"] == "x" * 1023 + "\ufffd"


def test_an_answer_that_is_no_text_is_shown_safely(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/binary")
    world.create_document()
    delivery = once(world, subscription, "delivered")
    assert delivery["attempts"][0]["answer"] == BINARY.decode("utf-8", "replace")
    answer = world.get(f"{subscription}/deliveries/{delivery['eventId']}")
    assert answer.headers["content-type"] == "application/json"
    assert b"\\u0000\\u001b[31m" in answer.body
    assert not any(byte < 32 for byte in answer.body)


# --- Lists ------------------------------------------------------------------------------------------------------------


def test_a_list_shows_the_title_that_the_document_had_then(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok", status="paused")
    made = world.create_document(title='Lease "Pier 4" \\ é \u2028' + "\x01" * 400, type="\x02" * 500)
    world.send("PATCH", f"/v1/documents/{made['externalId']}", {"title": "Lease"}).ok()
    listed = deliveries(world, subscription)
    assert [each["title"] for each in listed] == ["Lease", made["title"]]
    by_event = world.get(f"/v1/deliveries?eventId={listed[1]['eventId']}").ok()["data"]
    assert {each["title"] for each in by_event} == {made["title"]}


def test_filters_choose_by_status_type_document_and_time(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok", status="paused")
    first, second = world.create_document(), world.create_document()
    world.send("PATCH", f"/v1/documents/{first['externalId']}", {"title": "x"}).ok()
    world.send("DELETE", f"/v1/documents/{second['externalId']}")
    everything = deliveries(world, subscription)
    assert [each["eventType"] for each in everything] == [
        "documentDeleted", "documentUpdated", "documentCreated", "documentCreated",
    ]  # fmt: skip
    times = [quote(each["createdAt"]) for each in everything]
    for query, expected in {
        "?status=pending": [0, 1, 2, 3],
        "?status=delivered": [],
        "?status=failed": [],
        "?status=retrying": [],
        "?eventType=documentCreated": [2, 3],
        f"?externalId={first['externalId']}": [1, 3],
        f"?externalId={first['externalId']}&eventType=documentCreated": [3],
        f"?externalId={second['externalId'].upper()}": [0, 2],
        f"?from={times[1]}": [0, 1],
        f"?to={times[1]}": [2, 3],
        f"?from={times[2]}&to={times[0]}": [1, 2],
        f"?from={times[2]}&to={times[2]}": [],
        f"?from={times[0]}&to={times[2]}": [],
        # An unescaped + arrives as a space.
        f"?from={everything[1]['createdAt']}": [0, 1],
        f"?from={quote(everything[1]['createdAt'].replace('+00:00', 'Z'))}&status=pending&limit=1": [0],
        "?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z": [0, 1, 2, 3],
    }.items():
        assert deliveries(world, subscription, query) == [everything[index] for index in expected], query


def test_a_subscription_lists_only_what_it_asked_for_since_it_began(world: "World", subscribe: Subscribe) -> None:
    made = world.create_document()
    subscription = subscribe("/200/ok", status="paused", eventTypes=["documentUpdated"])
    assert deliveries(world, subscription) == []
    earlier = world.events(world.last() - 1)[0]["event"]["id"]
    world.send("PATCH", f"/v1/documents/{made['externalId']}", {"title": "x"}).ok()
    world.create_document()
    assert [each["eventType"] for each in deliveries(world, subscription)] == ["documentUpdated"]
    unwanted = world.events(world.last() - 1)[0]["event"]["id"]
    for identity in (earlier, unwanted):
        path = f"{subscription}/deliveries/{identity}"
        world.get(path).refused(404, code="delivery_not_found")
        world.refuses("POST", path + "/retry", status=409, code="subscription_not_active")
    world.send("PATCH", subscription, {"status": "active"}).ok()
    for identity in (earlier, unwanted):
        world.refuses("POST", f"{subscription}/deliveries/{identity}/retry", status=404, code="delivery_not_found")


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 11])
@pytest.mark.parametrize("query", ["", "&status=pending", "&eventType=documentCreated"])
def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repeat(
    world: "World", subscribe: Subscribe, limit: int, query: str
) -> None:
    subscription = subscribe("/200/ok", status="paused")
    first = world.last() + 1
    for _ in range(10):
        world.create_document()
    found: list[int] = []
    cursor = ""
    for _ in range(20):
        page = world.get(f"{subscription}/deliveries?limit={limit}{query}{cursor}").ok()
        assert len(page["data"]) <= limit
        found += [each["sequence"] for each in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        world.create_document()  # what comes meanwhile moves nothing
    assert found == list(range(first + 9, first - 1, -1))


# --- One event, at every subscription ---------------------------------------------------------------------------------


def causes(world: "World", query: str) -> dict[str, tuple[str | None, str]]:
    """The status and the cause of each delivery that a page lists, by its subscription's path."""
    return {
        f"/v1/subscriptions/{each['subscriptionId']}": (each["status"], each["cause"]["code"])
        for each in world.get(f"/v1/deliveries{query}").ok()["data"]
    }


def test_an_event_is_listed_at_every_subscription_with_the_cause_also_where_it_has_no_delivery(
    world: "World", subscribe: Subscribe
) -> None:
    paused, other = subscribe("/200/ok", status="paused"), subscribe("/200/ok", eventTypes=["documentDeleted"])
    failing = subscribe("/500/ok", retryDelays=[])
    made = world.create_document()
    once(world, failing, "failed")
    later = subscribe("/200/ok")
    event = world.events(world.last() - 1)[0]["event"]["id"]
    expected = {
        paused: ("pending", "paused"), other: (None, "type_not_wanted"), failing: ("failed", "given_up"),
        later: (None, "subscribed_later"),
    }  # fmt: skip
    assert causes(world, f"?eventId={event}") == expected
    assert causes(world, f"?eventId={event}&status=failed") == {failing: expected[failing]}
    assert causes(world, f"?eventId={event}&subscriptionId={paused.split('/')[-1]}") == {paused: expected[paused]}
    assert causes(world, f"?eventId={event}&externalId={made['externalId']}") == expected
    for nothing in (
        "&eventType=documentDeleted",
        f"&externalId={event}",
        "&to=2000-01-01T00:00:00Z",
        "&from=2100-01-01T00:00:00Z",
    ):
        assert causes(world, f"?eventId={event}{nothing}") == {}, nothing
    assert causes(world, f"?eventId={made['externalId']}") == {}
    # Lists without an event, and single reads, name the cause as well.
    assert causes(world, f"?subscriptionId={failing.split('/')[-1]}") == {failing: expected[failing]}
    assert once(world, failing, "failed")["cause"]["detail"].startswith(
        "It was given up after 1 attempt: The endpoint "
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_the_subscriptions_of_an_event_come_in_pages(world: "World", subscribe: Subscribe, limit: int) -> None:
    made = [subscribe("/200/ok", status="paused") for _ in range(3)]
    world.create_document()
    event = world.events(world.last() - 1)[0]["event"]["id"]
    found: list[str] = []
    cursor = ""
    while True:
        page = world.get(f"/v1/deliveries?eventId={event}&limit={limit}{cursor}").ok()
        found += [f"/v1/subscriptions/{each['subscriptionId']}" for each in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == made[::-1]


# --- One attempt more -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "status"), [("/200/ok", "delivered"), ("/500/ok", "failed")])
def test_a_retry_makes_one_attempt_more(world: "World", subscribe: Subscribe, path: str, status: str) -> None:
    subscription = subscribe(path, retryDelays=[])
    world.create_document()
    delivery = once(world, subscription, status)
    last = world.last()
    answer = world.send("POST", f"{subscription}/deliveries/{delivery['eventId']}/retry")
    assert answer.status == 202
    world.wait_until(lambda: len(once(world, subscription, status)["attempts"]) == 2)
    first, second = once(world, subscription, status)["attempts"]
    assert first == delivery["attempts"][0]
    assert second["statusCode"] == first["statusCode"]
    assert second["startedAt"] > first["startedAt"]
    assert world.last() == last


def test_a_delivery_says_who_had_it_sent_now(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/500/ok", retryDelays=[3600, 3600])
    ann = world.send("POST", "/v1/keys", {"name": "Ann", "role": "subscriber"}).ok(201)["key"]
    of_ann = {"authorization": f"Bearer {ann}"}
    for _ in range(2):
        world.create_document()
    world.wait_until(lambda: len(deliveries(world, subscription, "?status=retrying")) == 2)
    other, path = (f"{subscription}/deliveries/{each['eventId']}" for each in deliveries(world, subscription))
    assert world.send("POST", f"{other}/retry").status == 202
    assert world.get(path).ok()["retriesAsked"] == []
    assert world.send("POST", f"{path}/retry", None, of_ann).status == 202
    world.wait_until(lambda: len(world.get(path).ok()["attempts"]) == 2)
    found = world.get(path).ok()
    [asked] = found["retriesAsked"]
    first, second = (each["startedAt"] for each in found["attempts"])
    assert asked["by"] == "Ann"
    assert first < asked["at"] < second


def test_a_retry_during_an_attempt_that_succeeds_sends_nothing_more_and_the_delivery_says_so(
    world: "World", subscribe: Subscribe, endpoint: Endpoint
) -> None:
    """C16"""
    subscription = subscribe("/200/held")
    world.create_document()
    (pending,) = world.wait_until(lambda: deliveries(world, subscription))
    path = f"{subscription}/deliveries/{pending['eventId']}"
    world.wait_until(lambda: world.get(path).ok()["cause"]["code"] == "sending")
    assert world.send("POST", f"{path}/retry").status == 202
    endpoint.may_answer.set()
    found = once(world, subscription, "delivered")
    [asked] = found["retriesAsked"]
    assert asked["deliveredMeanwhile"]
    world.create_document()
    world.wait_until(lambda: len(deliveries(world, subscription, "?status=delivered")) == 2)
    assert len(world.get(path).ok()["attempts"]) == 1


def test_a_retry_of_one_that_waits_keeps_its_schedule(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/500/ok", retryDelays=[3600])
    world.create_document()
    delivery = once(world, subscription, "retrying")
    assert world.send("POST", f"{subscription}/deliveries/{delivery['eventId']}/retry").status == 202
    world.wait_until(lambda: len(once(world, subscription, "retrying")["attempts"]) == 2)
    again = world.wait_until(
        lambda: (found := once(world, subscription, "retrying"))["nextAttemptAt"] == delivery["nextAttemptAt"] and found
    )
    assert [attempt["counted"] for attempt in again["attempts"]] == [True, False]


def test_a_retry_repeated_with_its_key_is_one_attempt(world: "World", subscribe: Subscribe, endpoint: Endpoint) -> None:
    subscription = subscribe("/200/empty")
    world.create_document()
    delivery = once(world, subscription, "delivered")
    path = f"{subscription}/deliveries/{delivery['eventId']}/retry"
    answers = [world.send("POST", path, headers={"idempotency-key": "once"}) for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 202]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", "true"]
    world.wait_until(lambda: len(once(world, subscription, "delivered")["attempts"]) == 2)
    time.sleep(0.1)
    assert sum(headers.get("webhook-id") == delivery["eventId"] for headers in endpoint.received) == 2


def test_a_retry_that_is_refused_changes_nothing(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok", status="paused")
    world.create_document()
    (listed,) = deliveries(world, subscription)
    path = f"{subscription}/deliveries/{listed['eventId']}/retry"
    problem = world.refuses("POST", path, status=409, code="subscription_not_active")
    assert "resume it" in problem["detail"]


def test_skipping_the_backlog_leaves_no_pending_delivery(world: "World", subscribe: Subscribe) -> None:
    subscription = subscribe("/200/ok", status="paused")
    for _ in range(3):
        world.create_document()
    assert world.send("PATCH", subscription, {"status": "active", "skipBacklog": True}).ok()["status"] == "active"
    world.wait_until(lambda: not deliveries(world, subscription, "?status=pending"))
    assert deliveries(world, subscription, "?status=delivered") == []
    world.create_document()
    assert once(world, subscription, "delivered")["sequence"] == world.last()


def test_header_values_reach_the_endpoint_and_nobody_else(
    world: "World", subscribe: Subscribe, endpoint: Endpoint
) -> None:
    subscription = subscribe("/200/ok", headers={"X-Key": "a value of mine"})
    world.create_document()
    delivery = once(world, subscription, "delivered")
    (headers,) = [each for each in endpoint.received if each.get("webhook-id") == delivery["eventId"]]
    assert headers["X-Key"] == "a value of mine"
    for path in (subscription, f"{subscription}/deliveries", f"{subscription}/deliveries/{delivery['eventId']}"):
        assert b"a value of mine" not in world.get(path).body


# --- Diagnoses --------------------------------------------------------------------------------------------------------


def test_a_failed_delivery_is_diagnosed_by_what_changed_before(
    world: "World", subscribe: Subscribe, endpoint: Endpoint
) -> None:
    subscription = subscribe("/200/ok", retryDelays=[3600])
    world.create_document()
    assert once(world, subscription, "delivered")["diagnosis"] is None
    url = f"http://127.0.0.1:{endpoint.server_port}/401/signature"
    world.send("PATCH", subscription, {"url": url}).ok()
    world.send("POST", f"{subscription}/secret/rotate", {"overlapHours": 0}).ok()
    world.create_document()
    diagnosis = once(world, subscription, "retrying")["diagnosis"]
    assert (diagnosis["cause"], diagnosis["change"], diagnosis["remedy"]) == ("old_secret", "secret", "check_secret")
    assert "“invalid signature”" in diagnosis["forUs"]
    assert f"127.0.0.1:{endpoint.server_port} answers 401" in diagnosis["forCustomer"]
    assert "Nothing is lost: 1 event waits" in diagnosis["forCustomer"]
    assert TIMESTAMP.fullmatch(diagnosis["changedAt"])
