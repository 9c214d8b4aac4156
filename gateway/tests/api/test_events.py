"""The tenant's log: polling it, filtering it, looking one event up, and its older end."""

import asyncio
import base64
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.sqlite_file import database_file

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.domain.documents.links import Links
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import MasterKeys

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Client, World

LINKS = Links(b"", "")
ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"


def poll(client: "Client", done: Callable[[], bool], query: str = "") -> list[dict[str, Any]]:
    """What a reader sees that asks again and again from where it was, until there is nothing more."""
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        ended = done()
        page = client.get(f"/v1/events?after={after}&limit=7{query}").ok()
        assert set(page) == {"data", "last"}
        assert page["last"] >= after
        assert [entry["sequence"] for entry in page["data"]] == sorted(entry["sequence"] for entry in page["data"])
        assert all(after < entry["sequence"] <= page["last"] for entry in page["data"])
        found += page["data"]
        if ended and not page["data"] and page["last"] == after:
            return found
        if not page["data"]:
            time.sleep(0.02)  # writers share the cores
        after = page["last"]


@pytest.fixture(scope="module")
def busy(make_world: Callable[..., "World"]) -> "World":
    return make_world()


@pytest.fixture(scope="module")
def polled(busy: "World") -> dict[str, list[dict[str, Any]]]:
    """What readers with different filters saw while others wrote."""
    watched = busy.create_document()["externalId"]
    queries = [
        "",
        "&eventType=documentUpdated",
        f"&externalId={watched}",
        f"&externalId={watched}&eventType=documentUpdated",
    ]
    ended = threading.Event()

    def write(number: int) -> None:
        client = busy.another()
        for turn in range(40):
            if number == 0:
                client.send("PATCH", f"/v1/documents/{watched}", {"title": f"Turn {turn}"}).ok()
            else:
                made = client.send("POST", "/v1/documents", dict(busy.document)).ok(201)
                path = f"/v1/documents/{made['externalId']}"
                client.send("PATCH", path, {"title": f"{number} {turn}"}).ok()
                assert client.send("DELETE", path).status == 204
        client.close()

    def read(query: str) -> list[dict[str, Any]]:
        client = busy.another()
        found = poll(client, ended.is_set, query)
        client.close()
        return found

    with ThreadPoolExecutor(8) as pool:
        readers = {query: pool.submit(read, query) for query in queries}
        for writer in [pool.submit(write, number) for number in range(4)]:
            writer.result()
        ended.set()
        seen = {query: reader.result() for query, reader in readers.items()}
    return {
        "all": seen[queries[0]],
        "updates": seen[queries[1]],
        "document": seen[queries[2]],
        "both": seen[queries[3]],
    }


def test_a_poll_sees_each_event_exactly_once_while_others_write(polled: dict[str, list[dict[str, Any]]]) -> None:
    sequences = [entry["sequence"] for entry in polled["all"]]
    assert sequences == list(range(1, 1 + 1 + 40 + 3 * 3 * 40))
    assert len({entry["event"]["id"] for entry in polled["all"]}) == len(sequences)
    times = [entry["event"]["createdAt"] for entry in polled["all"]]
    assert times == sorted(set(times))


def test_a_filtered_poll_sees_each_of_its_events_exactly_once(polled: dict[str, list[dict[str, Any]]]) -> None:
    updates = [entry for entry in polled["all"] if entry["event"]["type"] == "documentUpdated"]
    assert polled["updates"] == updates


def test_a_poll_of_one_document_sees_each_of_its_events_exactly_once(polled: dict[str, list[dict[str, Any]]]) -> None:
    first = polled["all"][0]["event"]["data"]["document"]["externalId"]
    of_it = [entry for entry in polled["all"] if entry["event"]["data"]["document"]["externalId"] == first]
    assert polled["document"] == of_it
    assert polled["both"] == of_it[1:]


def test_a_page_says_how_far_it_looked(busy: "World", polled: dict[str, list[dict[str, Any]]]) -> None:
    last = polled["all"][-1]["sequence"]
    page = busy.get(f"/v1/events?after=0&externalId={ABSENT}").ok()
    assert page == {"data": [], "last": last}
    assert busy.get(f"/v1/events?after={last}").ok() == {"data": [], "last": last}
    short = busy.get("/v1/events?after=3&limit=2").ok()
    assert (short["last"], [entry["sequence"] for entry in short["data"]]) == (5, [4, 5])
    assert len(busy.get("/v1/events").ok()["data"]) == 50


def test_each_event_can_be_read_by_its_id(busy: "World", polled: dict[str, list[dict[str, Any]]]) -> None:
    for entry in polled["all"][::20]:
        assert busy.get(f"/v1/events/{entry['event']['id']}").ok() == entry
        assert busy.get(f"/v1/events/{entry['event']['id'].upper()}").ok() == entry


@pytest.mark.parametrize("limit", [7, 250])
def test_the_log_is_read_back_from_its_newest_event(
    busy: "World", polled: dict[str, list[dict[str, Any]]], limit: int
) -> None:
    for query, expected in {"": "all", "&eventType=documentUpdated": "updates"}.items():
        found: list[dict[str, Any]] = []
        before: Any = "latest"
        while before is not None:
            page = busy.get(f"/v1/events?before={before}&limit={limit}{query}").ok()
            assert len(page["data"]) <= limit
            if before == "latest":
                assert page["last"] == polled["all"][-1]["sequence"], "whoever polls after it misses nothing"
            found += page["data"]
            before = page["next"]
        assert found == polled[expected][::-1]


def test_the_events_of_one_document_are_read_back(busy: "World", polled: dict[str, list[dict[str, Any]]]) -> None:
    of_it = polled["document"]
    about = f"externalId={of_it[0]['event']['data']['document']['externalId']}"
    page = busy.get(f"/v1/events?before={of_it[-1]['sequence']}&{about}&limit=3").ok()
    assert page["data"] == of_it[-4:-1][::-1]
    assert page["next"] == of_it[-4]["sequence"]
    assert busy.get(f"/v1/events?before=1&{about}").ok() == {"data": [], "last": 0, "next": None}


def test_an_event_says_which_key_asked_for_the_change(busy: "World") -> None:
    key = busy.send("POST", "/v1/keys", {"name": "Contract desk", "role": "app"}).ok(201)
    busy.create_document()
    headers = {"authorization": f"Bearer {key['key']}"}
    without_app = {name: value for name, value in busy.document.items() if name != "sourceApp"}
    busy.send("POST", "/v1/documents", without_app, headers).ok(201)
    page = busy.get("/v1/events?before=latest&limit=2").ok()
    assert [entry["by"] for entry in page["data"]] == ["Contract desk", "operator"]
    assert busy.get(f"/v1/events/{page['data'][0]['event']['id']}").ok() == page["data"][0]


@pytest.mark.parametrize("query", ["before=0", "before=-1", "before=x", "before=", "before=3&after=1", "before=%D9%A3"])
def test_where_to_read_back_from_is_a_sequence_or_the_latest(busy: "World", query: str) -> None:
    busy.get(f"/v1/events?{query}").refused(422, "?before")


@pytest.mark.parametrize(
    "identity",
    [
        ABSENT,
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "6f1b1a52-8a5d-4d36-9a1f-3f7c1f0d2b11",
    ],
)
def test_an_event_that_is_none_is_not_there(busy: "World", identity: str) -> None:
    busy.get(f"/v1/events/{identity}").refused(404, code="event_not_found")


def test_an_id_of_the_same_time_is_not_the_event(busy: "World", polled: dict[str, list[dict[str, Any]]]) -> None:
    identity = polled["all"][5]["event"]["id"]
    busy.get(f"/v1/events/{identity[:-1]}{'0' if identity[-1] != '0' else '1'}").refused(404, code="event_not_found")


def test_what_a_receiver_gets_is_in_the_log_byte_for_byte(busy: "World") -> None:
    """Names, order and numbers: the body of an event is passed on as it is."""
    busy.create_document(contractValue=1, additionalFacts={"z": 1, "a": 2.50, "ü": "\x01"})
    body = busy.get(f"/v1/events?after={busy.last() - 1}").body
    assert b'"contractValue":1.0,' in body
    assert '"additionalFacts":{"z":1,"a":2.5,"ü":"\\u0001"}'.encode() in body


# --- The older end ----------------------------------------------------------------------------------------------------


def prune(world: "World", floor: int) -> None:
    """What the retention does, by a store of its own on the same database."""

    async def pruning() -> None:
        key = base64.b64decode((world.settings.data_dir / "master-key").read_text())
        store = SqliteStore(
            database_file(world.settings.data_dir),
            MasterKeys([key]),
            BatchContext(LINKS, kept_answers(LINKS), random.Random(1).getrandbits),
            lambda: time.time_ns() // 1000,
            thread_executors(),
            lambda _error: None,
        )
        while await store.retention.prune_log(1, floor, 2):
            pass
        await store.close()

    asyncio.run(pruning())


def test_below_the_retention_s_edge_the_log_says_what_is_the_oldest(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    subscription = f"/v1/subscriptions/{world.create_subscription()['id']}"
    made = [world.create_document()["externalId"] for _ in range(10)]
    entries = world.events()
    prune(world, 6)
    for query in (
        "",
        "?after=0",
        "?after=4",
        "?after=3&limit=1",
        f"?externalId={made[0]}",
        "?eventType=documentDeleted",
    ):
        problem = world.get("/v1/events" + query).refused(410, code="below_retention")
        assert problem["oldest"] == 6
        assert problem["detail"] == "Events up to 5 are no longer kept. Continue with after=5."
    assert world.get("/v1/events?after=5").ok() == {"data": entries[5:], "last": 10}
    assert world.get("/v1/events?after=9").ok() == {"data": entries[9:], "last": 10}
    for entry in entries[:5]:
        world.get(f"/v1/events/{entry['event']['id']}").refused(404, code="event_not_found")
        path = f"{subscription}/deliveries/{entry['event']['id']}"
        world.get(path).refused(404, code="delivery_not_found")
        world.refuses("POST", path + "/retry", status=404, code="delivery_not_found")
    assert world.get(f"/v1/events/{entries[5]['event']['id']}").ok() == entries[5]
    assert [d["sequence"] for d in world.get(subscription + "/deliveries").ok()["data"]] == [10, 9, 8, 7, 6]
    # Documents outlive their events.
    assert world.get(f"/v1/documents/{made[0]}").ok()["externalId"] == made[0]
    world.create_document()
    assert [entry["sequence"] for entry in world.get("/v1/events?after=10").ok()["data"]] == [11]


def test_a_log_of_which_all_is_gone_goes_on(make_world: Callable[..., "World"]) -> None:
    world = make_world()
    for _ in range(3):
        world.create_document()
    prune(world, 4)
    assert world.get("/v1/events").refused(410)["oldest"] == 4
    assert world.get("/v1/events?after=3").ok() == {"data": [], "last": 3}
    world.create_document()
    assert json.loads(world.get("/v1/events?after=3").body)["data"][0]["sequence"] == 4
