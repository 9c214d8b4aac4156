"""What a drain does with answers and failures, against a gateway and a sink in memory."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
from connect.tests.test_pump import refused
from msgspec import Struct

from signalpost_client import AsyncClient
from signalpost_connect.draining import LOOK_SECONDS, Drain
from signalpost_connect.progress import DrainProgress
from signalpost_connect.sink import Entry, Sink, SinkAway


class Shelf:
    """Events in memory."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = Struct

    def __init__(self, cursor: int | None = None) -> None:
        self.written: list[Entry] = []
        self.kept_cursor = cursor
        self.is_away = False
        self.loses_an_answer = False

    async def cursor(self) -> int | None:
        if self.is_away:
            raise SinkAway("It is away.")
        return self.kept_cursor

    async def write(self, entries: Sequence[Entry]) -> None:
        if self.is_away:
            raise SinkAway("It is away.")
        self.written += entries
        self.kept_cursor = entries[-1].sequence
        if self.loses_an_answer:
            self.loses_an_answer = False
            raise SinkAway("It did not answer.")

    async def close(self) -> None:
        pass


class Log(httpx.AsyncBaseTransport):
    """A gateway that has some events, two on a page. It no longer keeps those below `oldest`."""

    def __init__(self, *events: dict[str, Any], oldest: int = 1) -> None:
        self.events = events
        self.oldest = oldest
        self.refusal: httpx.Response | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.refusal is not None:
            return self.refusal
        after = int(request.url.params["after"])
        if after + 1 < self.oldest:
            gone = {"code": "gone", "title": "", "status": 410, "detail": "It is gone.", "oldest": self.oldest}
            return httpx.Response(410, json=gone)
        page = [
            {"sequence": number, "by": None, "event": event}
            for number, event in enumerate(self.events, start=1)
            if number > after
        ][:2]
        last = page[-1]["sequence"] if page else len(self.events)
        return httpx.Response(200, json={"data": page, "last": last})


def event(number: int, **document: str) -> dict[str, Any]:
    about = {"externalId": f"d{number}", **document}
    created_at = "2026-01-01T00:00:00.000000+00:00"
    return {"id": f"e{number}", "type": "documentCreated", "createdAt": created_at, "data": {"document": about}}


def drained(shelf: Shelf, log: Log, rounds: int = 1, after: int = 0) -> tuple[list[float], DrainProgress]:
    """The pauses after rounds, and what they did."""
    progress = DrainProgress(lambda: 0.0)
    sink: Sink = shelf

    async def run() -> list[float]:
        async with AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=log) as client:
            drain = Drain(sink, client, after, progress, now=lambda: datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
            return [await drain.round() for _ in range(rounds)]

    return asyncio.run(run()), progress


def sequences(shelf: Shelf) -> list[int]:
    return [each.sequence for each in shelf.written]


def test_every_event_is_written_as_it_stands_in_the_log() -> None:
    shelf, log = Shelf(), Log(*(event(number) for number in range(1, 4)))
    pauses, progress = drained(shelf, log, rounds=3)
    assert pauses == [0.0, 0.0, LOOK_SECONDS]
    assert [json.loads(each.body) for each in shelf.written] == list(log.events)
    assert shelf.written[0][:5] == (1, "e1", "documentCreated", "2026-01-01T00:00:00.000000+00:00", "d1")
    assert "signalpost_connect_written_total 3" in progress.metrics()
    assert "signalpost_connect_last_sequence 3" in progress.metrics()
    assert "signalpost_connect_oldest_seconds 0.0" in progress.metrics()


def test_it_goes_on_after_the_cursor() -> None:
    shelf = Shelf(cursor=2)
    drained(shelf, Log(*(event(number) for number in range(1, 4))), rounds=2)
    assert sequences(shelf) == [3]


def test_the_configuration_can_begin_later_but_not_repeat() -> None:
    events = [event(number) for number in range(1, 5)]
    for cursor, after, wanted in ((None, 2, [3, 4]), (1, 3, [4]), (3, 1, [4])):
        shelf = Shelf(cursor)
        drained(shelf, Log(*events), rounds=3, after=after)
        assert sequences(shelf) == wanted


def test_after_a_failure_the_sink_says_what_was_written() -> None:
    shelf = Shelf()
    shelf.loses_an_answer = True
    pauses, progress = drained(shelf, Log(*(event(number) for number in range(1, 4))), rounds=3)
    assert sequences(shelf) == [1, 2, 3]
    assert pauses[0] > 0
    assert progress.health() == {"status": "ok"}


def test_a_sink_that_is_away_is_tried_again_with_longer_pauses() -> None:
    shelf = Shelf()
    shelf.is_away = True
    pauses, progress = drained(shelf, Log(event(1)), rounds=3)
    assert pauses[2] > pauses[1] > pauses[0] > 0
    assert progress.health()["trouble"] == "The sink: It is away."


def test_a_gateway_that_refuses_is_asked_after_the_time_that_it_wants() -> None:
    shelf, log = Shelf(), Log(event(1))
    log.refusal = refused(429, "too_many_requests", retry_after="40")
    pauses, progress = drained(shelf, log)
    assert pauses[0] >= 40
    assert "429" in progress.health()["trouble"]


def test_what_is_no_gateway_is_said() -> None:
    log = Log()
    log.refusal = httpx.Response(200, text="Welcome!")
    _, progress = drained(Shelf(), log)
    assert "cannot be read" in progress.health()["trouble"]


def test_a_new_sink_begins_with_the_oldest_event_that_is_kept() -> None:
    shelf = Shelf()
    drained(shelf, Log(*(event(number) for number in range(1, 7)), oldest=5), rounds=2)
    assert sequences(shelf) == [5, 6]


def test_events_that_were_lost_meanwhile_are_never_passed_over_silently() -> None:
    shelf, log = Shelf(cursor=2), Log(*(event(number) for number in range(1, 7)), oldest=5)
    pauses, progress = drained(shelf, log)
    assert pauses[0] > 0
    assert "The events 3 to 4 were not written" in progress.health()["trouble"]
    assert "`after = 4`" in progress.health()["trouble"]
    drained(shelf, log, rounds=2, after=4)
    assert sequences(shelf) == [5, 6]


def test_a_log_that_ends_before_the_cursor_is_never_taken_for_one_without_news() -> None:
    """A log that was restored from a copy gives sequences to new events that were written before."""
    shelf, log = Shelf(cursor=5), Log(*(event(number) for number in range(1, 4)))
    pauses, progress = drained(shelf, log, rounds=2)
    assert pauses[1] > pauses[0] > 0
    assert "The sink has events up to 5, and the log of the gateway ends at 3" in progress.health()["trouble"]
    assert shelf.written == []


def test_a_configuration_can_begin_beyond_the_end_of_the_log() -> None:
    shelf, log = Shelf(), Log(*(event(number) for number in range(1, 4)))
    _, progress = drained(shelf, log, rounds=2, after=5)
    assert progress.health() == {"status": "ok"}


def test_an_event_of_an_erased_document_has_no_document() -> None:
    shelf = Shelf()
    erased = {**event(1), "data": {"document": None}}
    drained(shelf, Log(erased))
    assert shelf.written[0].document is None
