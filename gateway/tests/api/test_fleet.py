"""Two gateways on one PostgreSQL: what one of them answers holds whichever of them is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from gateway.tests.api.test_live import Viewer
from gateway.tests.postgres import OWNER, new_database
from msgspec.structs import replace

from signalpost.domain.evidence import PATH, check
from signalpost.sender.addresses import parse_allow_targets
from signalpost_bench.postgres_server import SUPERUSER

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World


_PAIRS = count()
"""Other tests, between which a worker may run these, empty the database that they share."""


class Pair(NamedTuple):
    """Two nodes of one fleet."""

    one: "World"
    other: "World"


@pytest.fixture(scope="module")
def pair(make_world: Callable[..., "World"], url: str) -> Pair:
    shared: dict[str, Any] = {
        "database_url": new_database(f"_pair_{next(_PAIRS)}"),
        "master_key": (bytes(range(32)),),
        "operator_key": f"sp_{'k' * 43}",
        "public_url": "https://gateway.example.com",
        "allow_targets": parse_allow_targets(url),
    }
    return Pair(make_world(**shared), make_world(**shared))


@pytest.fixture(scope="module")
def events(pair: Pair, url: str) -> int:
    """Eight subscriptions, so that each node owns some: half of them got what was made, half of them failed. Returns
    how many events there are."""
    given = {"status": "active", "eventTypes": ["documentCreated"], "retryDelays": []}
    for number in range(8):
        path = ("200", "404")[number // 4]
        pair[number % 2].create_subscription(**given, name=f"number {number}", url=f"{url}/{path}")
    pair.one.wait_until(lambda: all(node["lanes"] for node in pair.one.get("/v1/nodes").ok()["data"]))
    for number in range(6):
        pair[number % 2].create_document()
    pair.one.wait_until(lambda: pair.one.get("/v1/overview").ok()["failed"] == 4 * 6)
    return 6


def both(pair: Pair, path: str, is_there: Callable[[Any], bool]) -> Any:
    """What both nodes answer, once they answer the same and it is what it should be."""

    def agreed() -> Any:
        one, other = (node.get(path).ok() for node in pair)
        return [one] if one == other and is_there(one) else []

    return pair.one.wait_until(agreed)[0]


@pytest.mark.usefixtures("events")
def test_every_node_is_shown_with_its_lanes_and_its_beat(pair: Pair) -> None:
    for asked in pair:

        def all_work(asked: "World" = asked) -> Any:
            shown = asked.get("/v1/nodes").ok()
            beating = all(node["secondsSinceBeat"] < 6 for node in shown["data"])
            return beating and sum(node["lanes"] for node in shown["data"]) == 8 and shown

        shown = asked.wait_until(all_work)
        first, second = shown["data"]
        assert first["id"] < second["id"]
        assert [node["answers"] for node in (first, second)] == [asked is pair.one, asked is pair.other]
        assert {node["state"] for node in (first, second)} == {"working"}
        assert (shown["subscriptions"], shown["unowned"], shown["next"]) == (8, 0, None)


def test_the_overview_is_the_same_whichever_node_is_asked(pair: Pair, events: int) -> None:
    counted = {"healthy": 4, "failing": 4, "paused": 0, "disabled": 0}

    def is_there(found: Any) -> bool:
        return found["failed"] == 4 * events and not found["waiting"] and found["subscriptions"] == counted

    shown = both(pair, "/v1/overview", is_there)
    assert {each["subscription"]["name"] for each in shown["attention"]} == {f"number {n}" for n in range(4, 8)}
    assert all(each["failed"] == events for each in shown["attention"])
    assert (shown["mostBehind"], shown["lost"]) == (0, 0)


def test_the_health_of_every_subscription_is_the_same_whichever_node_is_asked(pair: Pair, events: int) -> None:
    def is_there(page: Any) -> bool:
        healths = [each["health"] for each in page["data"]]
        settled = sum(health["failed"] for health in healths) == 4 * events and not any(each["lag"] for each in healths)
        return settled and [health["state"] for health in healths] == ["failing"] * 4 + ["healthy"] * 4

    shown = both(pair, "/v1/subscriptions", is_there)["data"]
    assert [bool(each["health"]["lastError"]) for each in shown] == [True] * 4 + [False] * 4
    ids = [each["id"] for each in shown[:4]]
    both(pair, "/v1/subscriptions?state=failing", lambda found: [each["id"] for each in found["data"]] == ids)
    for each in shown:
        both(pair, f"/v1/subscriptions/{each['id']}", partial(_has_health, each["health"]))
        diagnoses = both(pair, f"/v1/subscriptions/{each['id']}/deliveries", lambda _: True)["data"]
        assert len(diagnoses) == events


def _has_health(health: dict[str, Any], subscription: Any) -> bool:
    return bool(subscription["health"] == health)


@pytest.mark.usefixtures("events")
def test_evidence_states_the_same_and_is_proven_whichever_node_is_asked(pair: Pair) -> None:
    published = [node.send("GET", PATH, None, {"authorization": None}).body for node in pair]
    for each in pair.one.get("/v1/subscriptions").ok()["data"]:
        path = f"/v1/subscriptions/{each['id']}/deliveries"
        for delivery in both(pair, path, lambda found: len(found["data"]) == 6)["data"][:2]:
            files = [node.get(f"{path}/{delivery['eventId']}/evidence").body for node in pair]
            proven = [check(file, keys) for file in files for keys in published]
            assert all(found.is_known_key for found in proven)
            [stated, *others] = [replace(found.statement, stated_at="") for found in proven]
            assert others == [stated] * 3
            assert (stated.event.id, len(stated.attempts)) == (delivery["eventId"], 1)


def test_a_rehearsal_says_the_same_whichever_node_is_asked_and_owns_the_lane(pair: Pair, events: int) -> None:
    owners = {node["id"] for node in pair.one.get("/v1/nodes").ok()["data"] if node["lanes"]}
    assert len(owners) == 2
    asked = {
        "from": "2001-01-01T00:00:00Z",
        "to": "2100-01-01T00:00:00Z",
        "change": {"eventTypes": ["documentUpdated"]},
    }
    for each in pair.one.get("/v1/subscriptions").ok()["data"]:
        one, other = (node.send("POST", f"/v1/subscriptions/{each['id']}/rehearsals", asked).ok() for node in pair)
        assert {**one, "requests": None} == {**other, "requests": None}, "requests are signed as they are shown"
        assert (one["now"], one["then"], one["less"], len(one["examples"]["less"])) == (events, 0, events, events)


def test_a_replay_that_runs_is_shown_whichever_node_is_asked(pair: Pair, events: int) -> None:
    """The subscription is paused, so that the replay does not come to its end."""
    [failing] = pair.one.get("/v1/subscriptions?name=number%207").ok()["data"]
    path = f"/v1/subscriptions/{failing['id']}"
    pair.one.send("PATCH", path, {"status": "paused"}).ok()
    span = {"from": "2001-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "status": "failed"}
    started = pair.other.send("POST", f"{path}/replays", span).ok(202)
    assert started["count"] == events
    standing = {"healthy": 4, "failing": 3, "paused": 1, "disabled": 0}
    shown = both(pair, "/v1/overview", lambda found: bool(found["replays"]) and found["subscriptions"] == standing)
    [replay] = shown["replays"]
    assert (replay["id"], replay["subscription"]["name"], replay["count"]) == (started["id"], "number 7", events)


@pytest.mark.usefixtures("events")
def test_what_a_tenant_may_do_is_divided_between_the_nodes(pair: Pair) -> None:
    pair.one.send("PATCH", "/v1/tenants/default", {"limits": {"inFlight": 10}}).ok()
    engines = [node.gateway._engine for node in pair]
    pair.one.wait_until(lambda: [engine.limits.share_of(9) for engine in engines] == [5, 5])

    def parts() -> list[int]:
        return [engine.limits.in_flight_of(1) or 0 for engine in engines]

    # Parts are rounded up, and a node without lanes has the part of one: it may be about to get some.
    pair.one.wait_until(lambda: 10 <= sum(parts()) <= 12 and min(parts()) >= 1)
    pair.one.send("PATCH", "/v1/tenants/default", {"limits": {"inFlight": None}}).ok()


def test_nodes_have_the_databases_time(pair: Pair) -> None:
    def apart() -> int:
        one, other = (node.gateway._clock.steady() for node in pair)
        return abs(one - other)

    pair.one.wait_until(lambda: apart() < 1_000_000)
    assert all(node.gateway._clock is node.gateway._database_clock for node in pair)


# --- Reads that fail --------------------------------------------------------------------------------------------------


@contextmanager
def locked(pair: Pair, table: str) -> Iterator[None]:
    """No one can read a table: a query that tries gives up after two seconds."""
    url = pair.one.settings.database_url
    assert url is not None
    with psycopg.connect(url.replace(f"{OWNER}@", f"{SUPERUSER}@")) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def unavailable(answer: "Answer") -> None:
    assert answer.status == 503, answer.body
    assert "set-cookie" not in answer.headers


def test_a_node_that_cannot_read_keys_lets_nobody_in_tells_nobody_off_and_comes_back_by_itself(pair: Pair) -> None:
    key = pair.one.send("POST", "/v1/keys", {"name": "k", "role": "viewer"}).ok(201)["key"]
    good, wrong = f"Bearer {key}", f"Bearer sp_{'w' * 43}"
    pair.other.get("/v1/documents", authorization=good).ok()
    lookout = pair.other.gateway._engine.lookout
    with locked(pair, "api_key"):
        pair.other.wait_until(lambda: not lookout.is_recent)
        for authorization in (good, wrong, f"Bearer {pair.other.key}"):
            answer = pair.other.get("/v1/documents", authorization=authorization)
            answer.refused(503)
            assert int(answer.headers["retry-after"]) >= 1
        pair.other.wait_until(lambda: pair.other.get("/health/ready").status == 503)
    pair.other.wait_until(lambda: pair.other.get("/v1/documents", authorization=good).status == 200)
    pair.other.get("/v1/documents", authorization=wrong).refused(401)


def test_a_session_that_cannot_be_read_is_neither_let_in_nor_ended(pair: Pair) -> None:
    form = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin", "authorization": None}
    console = pair.one.send("POST", "/console/sign-in", f"key={pair.one.key}".encode(), form)
    made = pair.one.send("POST", "/v1/portal-links", {"name": "L", "subscriptions": "all", "can": []}).ok(201)
    navigates = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "authorization": None}
    portal = pair.one.send("GET", urlsplit(made["url"]).path, None, navigates)
    pages = {
        path: {"cookie": entered.headers["set-cookie"].split(";")[0], "authorization": None}
        for path, entered in (("/console/t/default/documents", console), ("/portal", portal))
    }

    def is_open(path: str) -> bool:
        return pair.other.send("GET", path, None, pages[path]).status == 200

    assert all(map(is_open, pages))
    with locked(pair, "session"):
        for path, headers in pages.items():
            unavailable(pair.other.send("GET", path, None, headers))
    with locked(pair, "portal_link"):
        unavailable(pair.other.send("GET", "/portal", None, pages["/portal"]))
    assert all(map(is_open, pages))


def test_whoever_watches_one_node_is_told_what_is_committed_on_the_other(pair: Pair) -> None:
    with Viewer(pair.one) as viewer:
        assert viewer.next() is not None
        pair.other.create_subscription(name="made on the other node")
        viewer.until("subscriptions")
        pair.other.create_document()
        viewer.until("events")
