"""The stream of `POST /v1/documents/import`: lines in, answers out, while both go on."""

import asyncio
import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.api.stream import PATH, SNAPSHOT, Stream, external_id, line, read, statuses
from gateway.tests.api.two_tenants import in_tenant, make_key, make_tenant
from gateway.tests.captured_log import captured_log
from gateway.tests.patience import PATIENCE
from gateway.tests.sqlite_file import database_file
from gateway.tests.worker_on_loop import either_way
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.body import MAX_BODY_BYTES
from signalpost.api.resources.imports import (
    BYTES_IN_A_ROW,
    MAX_PROBLEM_CHARACTERS,
    MAX_REFUSED,
    PLACES,
    REFUSED_SECONDS,
    NumberedLine,
    lines,
)
from signalpost.domain.timestamps import SECOND
from signalpost.listener.application import next_round
from signalpost.sharing.command_queues import MAX_BACKGROUND_OF_TENANT
from signalpost.sharing.loop_shares import AT_ONCE, RESTS

if TYPE_CHECKING:
    from gateway.tests.api.conftest import Answer, World

listening = either_way


NDJSON = "application/x-ndjson"
HUGE = b'{"title":"' + b"x" * (2 * MAX_BODY_BYTES) + b'"}\n'


def send(world: "World", body: bytes, **headers: str) -> "Answer":
    return world.send("POST", PATH, body, {"content-type": NDJSON, **headers})


def imported(world: "World", body: bytes) -> list[Any]:
    answer = send(world, body)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == NDJSON
    return read(answer.body)


def stream(world: "World", *headers: str, **options: Any) -> Stream:
    return Stream(world.port, world.key, *headers, **options)


# --- Lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", [NDJSON, "application/ndjson", "application/jsonl; charset=utf-8"])
def test_each_line_is_answered_by_its_number_in_order(world: "World", media_type: str) -> None:
    last = world.last()
    body = b"".join(line(number, title=media_type) for number in range(300))
    answer = send(world, body, **{"content-type": media_type})
    assert answer.status == 200
    answers = read(answer.body)
    assert [each["line"] for each in answers] == list(range(1, 301))
    assert [each["externalId"] for each in answers] == [external_id(number) for number in range(300)]
    assert {each["changed"] for each in answers} == {True}
    assert [entry["event"]["data"]["document"]["externalId"] for entry in world.events(last)] == [
        external_id(number) for number in range(300)
    ]


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n \t\r\n\n", b"\r\n", b" "])
def test_what_has_no_line_is_answered_with_none(world: "World", body: bytes) -> None:
    before = world.state()
    answer = send(world, body)
    assert (answer.status, answer.body) == (200, b"")
    assert world.state() == before


def test_blank_lines_count_and_are_not_answered_and_any_line_may_end_in_crlf_or_nothing(world: "World") -> None:
    body = b"\n" + line(1).replace(b"\n", b"\r\n") + b"\r\n  \n" + line(2) + b"\n\n" + line(3).rstrip()
    answers = imported(world, body)
    assert [(each["line"], each["externalId"]) for each in answers] == [
        (2, external_id(1)), (5, external_id(2)), (8, external_id(3)),
    ]  # fmt: skip
    assert max(statuses(answers)) < 300


def test_after_a_thousand_refused_lines_an_import_ends_and_says_from_where_to_repeat(world: "World") -> None:
    """Each has an answer of hundreds of times its size."""
    answers = imported(world, b"{}\n" * (MAX_REFUSED + 10 * PLACES))
    last = answers.pop()
    assert MAX_REFUSED <= len(answers) < MAX_REFUSED + PLACES
    assert [each["line"] for each in [*answers, last]] == list(range(1, len(answers) + 2))
    assert set(statuses(answers)) == {422}
    assert (last["status"], last["problem"]["code"]) == (400, "too_many_refused")
    assert last["problem"]["detail"] == (
        f"{len(answers)} lines were refused, so the import ends. Correct them, and send this line and those after it"
        " again."
    )


@pytest.mark.parametrize(
    "bad",
    [{f"unknown {number}": 1 for number in range(100)}, {"x" * 500_000: 1}, {"additionalFacts": {"y" * 99_999: 1}}],
)
def test_what_is_wrong_with_one_line_is_told_in_a_few_kilobytes(world: "World", bad: dict[str, Any]) -> None:
    answer = send(world, json.dumps(bad).encode())
    assert len(answer.body) <= 4 * MAX_PROBLEM_CHARACTERS
    assert read(answer.body)[0]["problem"]["errors"]


def test_others_have_their_turn_while_blank_lines_are_read() -> None:
    """However many came at once: a megabyte of them had none for a second."""

    async def nothing() -> AsyncIterator[bytes]:
        for none in list[bytes]():
            yield none

    async def count_turns() -> tuple[int, int, int]:
        turns = waits = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def wait() -> None:
            nonlocal waits
            waits += 1

        beside = asyncio.create_task(other())
        found = [line async for some in lines(b"\n" * MAX_BODY_BYTES, nothing(), next_round, wait) for line in some]
        beside.cancel()
        return len(found), turns, waits

    found, turns, waits = asyncio.run(count_turns())
    assert found == 0
    assert turns >= MAX_BODY_BYTES // BYTES_IN_A_ROW - 1, "a piece of blank lines is skipped as a whole"
    assert waits == MAX_BODY_BYTES // BYTES_IN_A_ROW, "each piece counts against what its tenant may have of the loop"


def test_an_import_with_a_line_in_each_piece_waits_for_nothing_but_its_turns() -> None:
    async def later() -> AsyncIterator[bytes]:
        yield b"\n" * (BYTES_IN_A_ROW - 2) + b"{}"
        yield b"\n"

    async def never() -> None:
        raise AssertionError("it changes something")

    async def split() -> int:
        first = b"{}\n" * (BYTES_IN_A_ROW // 3)
        return sum([len(some) async for some in lines(first, later(), next_round, never)])

    assert asyncio.run(split()) == BYTES_IN_A_ROW // 3 + 1


@given(
    st.lists(st.sampled_from([b"", b"a", b"{}", b"\r", b" ", b"bc\r", b"x" * 50]), max_size=30).map(b"\n".join),
    st.lists(st.integers(0, 400), max_size=20),
)
def test_where_the_body_is_cut_on_its_way_means_nothing(body: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[begin:end] for begin, end in pairwise(places)] or [b""]

    async def rest() -> AsyncIterator[bytes]:
        for piece in pieces[1:]:
            yield piece

    async def split() -> list[NumberedLine]:
        return [each async for some in lines(pieces[0], rest(), next_round, next_round) for each in some]

    expected = [NumberedLine(number, each) for number, each in enumerate(body.split(b"\n"), 1) if each.strip()]
    assert asyncio.run(split()) == expected


@pytest.mark.parametrize(
    ("bad", "status", "code", "pointers"),
    [
        (b"{", 400, "invalid_json", [""]),
        (b'{"title": "a" "b"}', 400, "invalid_json", ["/title"]),
        (b"\xef\xbb\xbf{}", 400, "byte_order_mark", [""]),
        (b'{"title": "\xff"}', 400, "invalid_utf8", ["/title"]),
        (b"\x00", 400, "invalid_json", [""]),
        (b'{"title": NaN}', 400, "not_a_number", ["/title"]),
        (b'{"title": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "nested_too_deep", ["/title/0"]),
        (b"[" * 500_000, 400, "nested_too_deep", ["/0/0"]),
        (HUGE.strip(), 413, "line_too_large", None),
        (b"[]", 422, "invalid_fields", [""]),
        (b'"text"', 422, "invalid_fields", [""]),
        (b"null", 422, "invalid_fields", [""]),
        (
            b"{}", 422, "invalid_fields",
            ["/type", "/title", "/status", "/createdAt", "/sourceApp", "/ownerEmail", "/authorEmail", "/externalId"],
        ),
        (line(1, title="a\x00b", status="gone").strip(), 422, "invalid_fields", ["/title", "/status"]),
        (line(1, title="\ud800").strip(), 422, "invalid_fields", ["/title"]),
        (line(1, externalId="no UUID").strip(), 422, "invalid_fields", ["/externalId"]),
        (line(1, externalId=None).strip(), 422, "invalid_fields", ["/externalId"]),
        (line(1, sourceVersion=-1).strip(), 422, "invalid_fields", ["/sourceVersion"]),
        (line(1, sourceVersion=2**63).strip(), 422, "invalid_fields", ["/sourceVersion"]),
        (line(1, sourceVersion="1").strip(), 422, "invalid_fields", ["/sourceVersion"]),
        (line(1, sourceVersion=None).strip(), 422, "invalid_fields", ["/sourceVersion"]),
        (line(1, updatedAt="2021-09-02T04:37:56Z", x=1).strip(), 422, "invalid_fields", ["/updatedAt", "/x"]),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_a_bad_line_says_what_is_wrong_where_and_harms_no_other(
    world: "World", bad: bytes, status: int, code: str, pointers: list[str] | None
) -> None:
    last = world.last()
    title = f"beside {code} {len(bad)} {time.monotonic_ns()}"
    answers = imported(world, line(1, title=title) + bad + b"\n" + line(2, title=title))
    first, refused, third = answers
    assert [first["line"], refused["line"], third["line"]] == [1, 2, 3]
    assert max(first["status"], third["status"]) < 300
    assert refused["status"] == refused["problem"]["status"] == status
    assert refused["problem"]["code"] == code
    assert set(refused) == {"line", "status", "externalId", "problem"}
    for member in ("type", "title", "detail", "requestId"):
        assert refused["problem"][member]
    named = [error["pointer"] for error in refused["problem"].get("errors", ())]
    assert sorted(named) == sorted(pointers or [])
    assert world.last() == last + 2


def test_refused_lines_wait_while_another_tenant_calls(world: "World") -> None:
    """A tenant that sends nothing else takes a tenth of the loop, and no more."""
    importing, calling = (make_key(world, "app", make_tenant(world, name)["name"]) for name in ("importing", "calling"))
    beside, at_once = world.another(), AT_ONCE / SECOND
    is_over = threading.Event()

    def call() -> None:
        while not is_over.is_set():
            beside.get("/v1/documents", **calling).ok()
            time.sleep(0.01)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        began = time.monotonic()
        assert {each["status"] for each in read(send(world, b"{}\n" * 200, **importing).body)} == {422}
        took = time.monotonic() - began
    finally:
        is_over.set()
        thread.join()
        beside.close()
    assert took >= 200 * (1 + RESTS) * REFUSED_SECONDS - at_once


def test_a_refused_line_names_its_document_where_it_says_it(world: "World") -> None:
    answers = imported(world, line(7, status="gone") + b'{"externalId": 5}\n' + b'{"externalId"\n')
    assert [each["externalId"] for each in answers] == [external_id(7), None, None]


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_may_have_as_many_bytes_as_a_body(world: "World", more: int) -> None:
    padding = b" " * (MAX_BODY_BYTES - len(line(1).strip()) + more)
    (answer,) = imported(world, line(1).strip() + padding + b"\n")
    assert (answer["status"] == 413) == bool(more)


# --- Refused as a whole -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(world: "World", media_type: str) -> None:
    before = world.state()
    problem = send(world, line(1), **{"content-type": media_type}).refused(415)
    assert NDJSON in problem["detail"]
    assert world.state() == before


def test_a_query_parameter_is_refused(world: "World") -> None:
    answer = world.send("POST", PATH + "?sourceVersion=1", line(1), {"content-type": NDJSON})
    answer.refused(422, "?sourceVersion")


@pytest.mark.parametrize(("path", "key", "status"), [(PATH, "sp_wrong", 401), (PATH + "?x=1", None, 422)])
def test_what_can_be_refused_is_refused_before_the_body_is_read(
    world: "World", path: str, key: str | None, status: int
) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key or world.key}\r\n"
        f"content-type: {NDJSON}\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", world.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode())
        received = connection.recv(65536)
    assert received.startswith(f"HTTP/1.1 {status} ".encode())


# --- Both ways at once ------------------------------------------------------------------------------------------------


def test_a_line_is_answered_before_the_next_one_is_sent(world: "World") -> None:
    with stream(world) as talk:
        for number in range(1, 20):
            talk.send(line(number, title=f"talk {number}"))
            answer = talk.answer()
            assert (answer["line"], answer["externalId"]) == (number, external_id(number))
            assert world.get(f"/v1/documents/{external_id(number)}").ok()["title"] == f"talk {number}"
        talk.end()
        assert talk.answer() is None


def test_a_refused_line_is_answered_before_the_next_one_is_sent(world: "World") -> None:
    with stream(world) as talk:
        for number in range(1, 5):
            talk.send(b"no JSON\n")
            assert talk.answer()["line"] == number
        talk.end()
        assert talk.answer() is None


def test_half_a_line_waits_for_its_other_half(world: "World") -> None:
    whole = line(1, title="in two halves")
    with stream(world) as talk:
        talk.send(line(2) + whole[:50])
        assert talk.answer()["externalId"] == external_id(2)
        talk.send(whole[50:] + b"\n")
        assert talk.answer()["externalId"] == external_id(1)
        talk.end()


def test_a_client_that_waits_for_leave_gets_it(world: "World") -> None:
    with stream(world, "expect: 100-continue") as talk:
        leave = talk.raw.recv(25, socket.MSG_WAITALL)
        assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
        talk.send(line(1))
        talk.end()
        assert [answer["line"] for answer in talk.answers()] == [1]


def test_the_connection_serves_the_next_request(world: "World") -> None:
    for _ in range(3):
        assert imported(world, line(1))[0]["line"] == 1
        assert world.get("/health/live").status == 200


# --- Clients that misbehave -------------------------------------------------------------------------------------------


@pytest.fixture
def quiet() -> Iterator[list[str]]:
    """What the loop and the tasks complain about; must stay empty."""
    with captured_log() as logs:
        complaints: list[str] = []
        yield complaints
    complaints += [entry["message"] for entry in logs if entry["level"] in ("error", "critical", "warning")]
    assert not complaints


def test_the_log_says_that_an_import_has_begun_and_once_its_answer_is_out_how_long_it_took(world: "World") -> None:
    with captured_log() as logs, stream(world) as talk:
        talk.send(line(1))
        assert talk.answer()["line"] == 1
        (begun,) = [entry for entry in logs if entry["message"] == "request"]
        assert not [entry for entry in logs if entry["message"] == "answer ended"]
        talk.end()
        assert talk.answer() is None
        world.wait_until(lambda: logs[-1]["message"] == "answer ended")
    assert logs[-1]["request"] == begun["request"]
    assert logs[-1]["ms"] >= begun["ms"]


def test_a_client_that_goes_away_leaves_whole_lines_and_no_complaint(
    world: "World", quiet: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Lines that it never heard of are there or not; the one that did not come whole is not."""
    for round_ in range(5):
        last, title = world.last(), f"gone {round_}"
        with stream(world) as talk:
            talk.send(b"".join(line(number, title=title) for number in range(1000, 1200)))
            talk.send(b"no JSON\n" * 50 + line(1200, title=title))
            world.wait_until(lambda: world.events(last))  # noqa: B023
            if round_ % 2:
                assert talk.answer()["line"] == 1
            talk.send(line(1201, title=title)[:-5])
        documents = [entry["event"]["data"]["document"] for entry in world.events(last)]
        ids = [document["externalId"] for document in documents if document["title"] == title]
        assert ids == [external_id(number) for number in range(1000, 1000 + len(ids))]
        assert len(ids) <= 201
    assert world.get("/health/ready").status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_body_that_ends_before_its_announced_length_is_no_end_of_its_last_line(world: "World") -> None:
    last = world.last()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {world.key}\r\ncontent-type: {NDJSON}\r\n"
        f"content-length: 5000\r\n\r\n"
    )
    world.raw(head.encode() + line(1, title="whole") + line(2, title="not ended").strip(), hang_up=True)

    def brought() -> list[str]:
        # What a client of an earlier test sent before it went may still arrive.
        titles = [entry["event"]["data"]["document"]["title"] for entry in world.events(last)]
        return [title for title in titles if title in ("whole", "not ended")]

    world.wait_until(lambda: bool(brought()))
    time.sleep(0.1)
    assert brought() == ["whole"]


@pytest.fixture(scope="module")
def impatient(make_world: Callable[..., "World"]) -> "World":
    """A gateway that waits a second for its clients."""
    return make_world(idle_seconds=1.0)


def test_a_client_that_stops_sending_is_told_what_did_not_come_whole(impatient: "World") -> None:
    with stream(impatient) as talk:
        talk.send(line(1) + line(2)[:-1])
        first, refused = talk.answers()
        assert (first["line"], first["status"]) == (1, 201)
        assert (refused["line"], refused["status"], refused["problem"]["code"]) == (2, 400, "incomplete_body")
        assert " 1 s." in refused["problem"]["detail"]
    impatient.get(f"/v1/documents/{external_id(2)}").refused(404)


def test_a_client_that_sends_nothing_at_all_is_refused(impatient: "World") -> None:
    with stream(impatient) as talk:
        assert talk.raw.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 400"


def test_a_client_that_sends_slowly_but_steadily_is_not_cut_off(make_world: Callable[..., "World"]) -> None:
    """In all it takes longer than it may pause."""
    with stream(make_world(idle_seconds=6.0)) as talk:
        for piece in (line(3)[:20], line(3)[20:60], line(3)[60:], b"\n", b"\n", b"\n", b"\n"):
            talk.send(piece)
            time.sleep(1)
        talk.end()
        assert [answer["line"] for answer in talk.answers()] == [1]


def test_a_client_that_does_not_read_is_not_read_from(world: "World") -> None:
    """The gateway holds no more than its window, however much is sent."""
    unchanged = line(1, title="unread") * 100
    with stream(world, receive_buffer=4096) as talk:
        talk.raw.settimeout(2)
        with pytest.raises(TimeoutError):  # noqa: PT012
            for _ in range(4096):
                talk.send(unchanged)


def test_a_client_that_takes_nothing_is_cut_off(impatient: "World") -> None:
    with stream(impatient, receive_buffer=4096) as talk:
        talk.raw.settimeout(PATIENCE)
        with pytest.raises(ConnectionError):  # noqa: PT012
            while True:
                talk.send(line(1, title="unread") * 100)
    assert impatient.get("/health/ready").status == 200
    assert imported(impatient, line(1))[0]["line"] == 1


# --- Others meanwhile -------------------------------------------------------------------------------------------------


def test_an_import_ends_with_the_first_line_that_cannot_be_committed(
    make_world: Callable[..., "World"],
) -> None:
    """Otherwise the second state would be taken, and the first one be too old when it is sent again."""
    world = make_world()
    other = apsw.Connection(str(database_file(world.settings.data_dir)))
    first, second = (line(2, sourceVersion=version, title=f"state {version}") for version in (1, 2))
    with stream(world) as talk:
        talk.send(line(1))
        assert talk.answer()["status"] == 201
        other.execute("BEGIN IMMEDIATE")
        talk.send(first + second)
        refused = talk.answer()
        other.execute("ROLLBACK")
        assert (refused["line"], refused["status"], refused["externalId"]) == (2, 503, external_id(2))
        assert refused["problem"]["code"] == "unavailable"
        assert talk.answer() is None
    other.close()
    again = imported(world, first + second)
    assert [(each["status"], each["changed"]) for each in again] == [(201, True), (200, True)]


def test_an_import_ends_with_the_first_line_beyond_a_limit_of_the_tenant(make_world: Callable[..., "World"]) -> None:
    """A moment later there may be room, as after the deletion here."""
    world = make_world()
    make_tenant(world, "acme")
    key = make_key(world, "app", "acme")["authorization"].removeprefix("Bearer ")
    world.send("PATCH", "/v1/tenants/acme", {"limits": {"documents": 1}}).ok()
    gone = json.dumps({"externalId": external_id(1), "sourceVersion": 2, "deleted": True}).encode() + b"\n"
    with Stream(world.port, key) as talk:
        talk.send(line(1, sourceVersion=1) + line(2, sourceVersion=1) + gone + line(2, sourceVersion=2))
        answers = [*talk.answers()]
    assert [(each["line"], each["status"]) for each in answers] == [(1, 201), (2, 403)]
    assert answers[1]["problem"]["code"] == "document_limit"
    listed = world.get("/v1/documents", **in_tenant("acme")).json["data"]
    assert [each["externalId"] for each in listed] == [external_id(1)]


def test_a_line_that_is_refused_as_the_tenant_is_paused_is_the_last_also_if_that_is_over_at_once(
    make_world: Callable[..., "World"],
) -> None:
    """Otherwise the second state would be taken, and the first one be too old when it is sent again."""
    world = make_world()
    make_tenant(world, "acme")
    key = make_key(world, "app", "acme")["authorization"].removeprefix("Bearer ")
    with Stream(world.port, key) as talk:
        talk.send(line(1, sourceVersion=1))
        assert talk.answer()["status"] == 201
        world.send("PATCH", "/v1/tenants/acme", {"status": "paused"}).ok()
        talk.send(line(2, sourceVersion=1))
        refused = talk.answer()
        assert (refused["line"], refused["problem"]["code"]) == (2, "tenant_paused")
        world.send("PATCH", "/v1/tenants/acme", {"status": "active"}).ok()
        assert talk.answer() is None


def test_beyond_what_may_wait_lines_are_read_no_further_and_none_is_refused(make_world: Callable[..., "World"]) -> None:
    """Many imports at once, while the database stands still."""
    world = make_world()
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(stream(world)) for _ in range(20)]
        with world.standing_still():
            for number, talk in enumerate(talks):
                talk.send(b"".join(line(number * PLACES + each) for each in range(PLACES)))
            for _ in range(5):  # it grows no further
                world.wait_until(lambda: world.waiting() == MAX_BACKGROUND_OF_TENANT)
        for talk in talks:
            talk.end()
        answers = [answer for talk in talks for answer in talk.answers()]
    assert len(answers) == 20 * PLACES
    assert {answer["status"] for answer in answers} == {201}
    assert world.last() == len(answers)


def test_single_requests_are_answered_while_an_import_runs(world: "World") -> None:
    stopping = threading.Event()
    answers: list[Any] = []

    def flood() -> None:
        with stream(world) as talk:
            reading = threading.Thread(target=lambda: answers.extend(talk.answers()))
            reading.start()
            round_ = 0
            while not stopping.is_set():
                round_ += 1
                talk.send(b"".join(line(number, title=f"flood {round_}") for number in range(200)))
            talk.end()
            reading.join()

    thread = threading.Thread(target=flood)
    thread.start()
    client = world.another()
    try:
        world.wait_until(lambda: answers)
        for _ in range(30):
            before = len(answers)
            client.send("POST", "/v1/documents", dict(world.document)).ok(201)
            client.get("/v1/subscriptions").ok()
            world.wait_until(lambda: len(answers) > before)  # noqa: B023
    finally:
        stopping.set()
        thread.join(PATIENCE)
        client.close()
    assert not thread.is_alive()
    assert [answer["line"] for answer in answers] == list(range(1, len(answers) + 1))


def test_a_document_twice_in_one_stream_ends_as_its_last_line_says(world: "World") -> None:
    last = world.last()
    titles = [f"state {number}" for number in range(100)]
    answers = imported(world, b"".join(line(5000, title=title) for title in titles))
    assert statuses(answers) == [201] + [200] * 99
    assert world.get(f"/v1/documents/{external_id(5000)}").ok()["title"] == titles[-1]
    assert [entry["event"]["data"]["document"]["title"] for entry in world.events(last)] == titles


def test_sending_the_same_lines_again_changes_nothing(world: "World") -> None:
    body = b"".join(line(number, sourceVersion=3) for number in range(6000, 6050))
    assert set(statuses(imported(world, body))) == {201}
    last = world.last()
    again = imported(world, body)
    assert {(answer["status"], answer["changed"]) for answer in again} == {(200, False)}
    assert world.last() == last


def test_the_answers_are_json_lines_of_the_described_shape(world: "World") -> None:
    answer = send(world, line(1) + b"{}\n")
    described = json.loads(world.get("/openapi.json").body)
    shape = described["components"]["schemas"]["ImportedLine"]
    for each in read(answer.body):
        assert set(each) <= set(shape["properties"])
        assert set(shape["required"]) <= set(each)


def test_the_snapshot_of_these_tests_is_all_that_is_required(world: "World") -> None:
    for name in SNAPSHOT:
        fields = {key: value for key, value in SNAPSHOT.items() if key != name}
        (answer,) = imported(world, json.dumps({**fields, "externalId": external_id(1)}).encode())
        assert [error["pointer"] for error in answer["problem"]["errors"]] == [f"/{name}"]
