"""What the connector does with answers and failures, against a source and a gateway in memory."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import httpx
import pytest
from msgspec import Struct

from signalpost_client import AsyncClient
from signalpost_connect import AGAIN, APPLIED, UNCHANGED, Batch, Message, Source, SourceAway, Verdict
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import LONGEST_PAUSE, Progress
from signalpost_connect.pump import MOST_MESSAGES, Pump
from signalpost_connect.reporting import Reporter


class Queue:
    """Messages in memory."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = Struct

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.settled: list[Sequence[Verdict]] = []
        self.takes = 0
        self.is_away = False
        self.kept_dead: int | None = 3

    async def take(self, most: int, seconds: float) -> Batch:
        self.takes += 1
        if self.is_away:
            raise SourceAway("It is away.")
        return Batch(self.messages[:most], 7.0)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        self.settled.append(verdicts)
        self.messages = [each for each, verdict in zip(self.messages, verdicts, strict=False) if verdict is AGAIN]

    async def dead(self) -> int | None:
        return self.kept_dead

    async def close(self) -> None:
        pass


class Gateway(httpx.AsyncBaseTransport):
    """Answers every import with what it was told."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0)


def lines(*answers: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, content="".join(json.dumps(_whole(each)) + "\n" for each in answers))


def _whole(answer: dict[str, Any]) -> dict[str, Any]:
    about = {"type": "about:blank", "title": "", "detail": "It is wrong.", "requestId": "r", "status": answer["status"]}
    problem = {"problem": {**about, **answer["problem"]}} if "problem" in answer else {}
    return {"externalId": None, **answer, **problem}


def refused(status: int, code: str, **headers: str) -> httpx.Response:
    problem = {"type": "about:blank", "title": "", "status": status, "code": code, "detail": "No.", "requestId": "r"}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=problem, headers={"content-type": "application/problem+json", **sent})


def message(number: int) -> Message:
    return Message(str(number), b'{"externalId": "d"}', number)


def pumped(source: Queue, *answers: httpx.Response, rounds: int = 1) -> tuple[list[float], Progress]:
    """The pauses after rounds, and what they did."""
    progress = Progress(lambda: 0.0)

    async def run() -> list[float]:
        client = AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=Gateway(*answers))
        typed: Source = source
        pump = Pump(typed, client, LineMaker(), progress)
        return [await pump.round() for _ in range(rounds)]

    return asyncio.run(run()), progress


def test_every_message_gets_the_verdict_of_its_own_answer() -> None:
    source = Queue(message(1), Message("2", b"no JSON", 2), message(3), message(4), message(5))
    missing = {"pointer": "/title", "code": "required", "detail": "It is missing."}
    answers = lines(
        {"line": 1, "status": 201, "changed": True},
        {"line": 2, "status": 200, "changed": False},
        {"line": 3, "status": 422, "problem": {"code": "invalid_fields", "errors": [missing]}},
        {"line": 4, "status": 409, "problem": {"code": "document_deleted", "sourceVersion": 9}},
    )
    pauses, progress = pumped(source, answers)
    [[first, no_json, unchanged, bad, deleted]] = source.settled
    assert (first, unchanged, deleted) == (APPLIED, UNCHANGED, UNCHANGED)
    assert "not JSON" in no_json.problem
    assert bad.problem == "422 invalid_fields: /title: It is missing."
    assert pauses == [0.0]
    assert 'messages_total{outcome="dead"} 2' in progress.metrics()
    assert "last_version 1" in progress.metrics()


def test_what_was_not_answered_comes_again_after_the_time_that_the_gateway_wants() -> None:
    source = Queue(message(1))
    pauses, progress = pumped(source, refused(429, "too_many_requests", retry_after="40"))
    assert source.settled == [[AGAIN]]
    assert pauses[0] >= 40
    assert progress.health()["status"] == "failing"


def test_a_cut_leaves_all_from_the_first_unanswered_message_on() -> None:
    source = Queue(message(1), message(2), message(3))
    cut = lines({"line": 1, "status": 201, "changed": True})
    pauses, _ = pumped(source, cut, refused(401, "unknown_key"), rounds=1)
    assert source.settled == [[APPLIED, AGAIN, AGAIN]]
    assert pauses[0] > 0


def test_a_wrong_key_is_said_and_tried_again_with_longer_pauses() -> None:
    source = Queue(message(1))
    pauses, progress = pumped(source, *(refused(401, "unknown_key") for _ in range(12)), rounds=12)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    health = progress.health()
    assert "401 unknown_key" in health["trouble"]
    assert "sp_key" not in str(health)


def test_a_source_that_is_away_is_asked_again() -> None:
    source = Queue(message(1))
    source.is_away = True
    pauses, progress = pumped(source, rounds=2)
    assert pauses[1] > pauses[0] > 0
    assert progress.health()["trouble"] == "The source: It is away."
    assert "signalpost_connect_up 0" in progress.metrics()


def test_after_a_success_all_is_well_again() -> None:
    source = Queue(message(1))
    answers = (refused(401, "unknown_key"), lines({"line": 1, "status": 201, "changed": True}))
    pauses, progress = pumped(source, *answers, rounds=2)
    assert pauses[1] == 0.0
    assert progress.health() == {"status": "ok"}


class Log(Queue):
    """Messages in memory that can be read ahead, and what happened, in its order."""

    reads_ahead: ClassVar[bool] = True

    def __init__(self, batches: int, happened: list[str]) -> None:
        super().__init__(*(message(number) for number in range(1, batches * MOST_MESSAGES + 1)))
        self.happened = happened
        self.fails_at = 0
        self._position = 0

    async def take(self, most: int, seconds: float) -> Batch:
        self.takes += 1
        if self.takes == self.fails_at:
            self._position = 0
            raise SourceAway("It is away.")
        found = self.messages[self._position : self._position + most]
        self._position += len(found)
        self._note("take", found)
        return Batch(found)

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        self._note("again" if AGAIN in verdicts else "settle", batch.messages)
        done = {each.id for each, verdict in zip(batch.messages, verdicts, strict=True) if verdict is not AGAIN}
        self.messages = [each for each in self.messages if each.id not in done]
        self._position = 0 if AGAIN in verdicts else self._position - len(done)

    def _note(self, what: str, messages: Sequence[Message]) -> None:
        self.happened.append(f"{what} {messages[0].id}" if messages else f"{what} nothing")


class SlowGateway(httpx.AsyncBaseTransport):
    """Answers an import once the source was asked for more; notes when one comes and when it is answered."""

    def __init__(self, source: Log, answers: Sequence[httpx.Response | None] = ()) -> None:
        """`answers` come first; None stands for one that takes every line."""
        self.source = source
        self.answers = list(answers)
        self.takes = source.takes + 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.takes += 1
        sent = [json.loads(each)["sourceVersion"] for each in request.content.splitlines()]
        self.source.happened.append(f"import {sent[0]}")
        while self.source.takes < self.takes:
            await asyncio.sleep(0)
        self.source.happened.append(f"answer {sent[0]}")
        answer = self.answers.pop(0) if self.answers else None
        return answer or lines(*({"line": n, "status": 201, "changed": True} for n in range(1, len(sent) + 1)))


def read_ahead(source: Log, *answers: httpx.Response | None, rounds: int) -> list[float]:
    """The pauses after rounds."""

    async def run() -> list[float]:
        client = AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=SlowGateway(source, answers))
        typed: Source = source
        pump = Pump(typed, client, LineMaker(), Progress(lambda: 0.0))
        return [await pump.round() for _ in range(rounds)]

    return asyncio.run(run())


def test_while_a_batch_is_imported_the_one_before_is_settled_and_the_next_is_taken() -> None:
    source = Log(3, happened := list[str]())
    assert read_ahead(source, rounds=3) == [0.0, 0.0, 0.0]
    assert happened == [
        *("take 1", "import 1", "take 501", "answer 1"),
        *("import 501", "settle 1", "take 1001", "answer 501"),
        *("import 1001", "settle 501", "take nothing", "answer 1001", "settle 1001"),
    ]
    assert source.messages == []


def test_what_was_taken_ahead_of_a_refused_batch_comes_again_behind_it() -> None:
    source = Log(3, happened := list[str]())
    pauses = read_ahead(source, None, refused(429, "too_many_requests", retry_after="40"), rounds=2)
    assert pauses[1] >= 40
    assert happened[4:] == ["import 501", "settle 1", "take 1001", "answer 501", "again 501", "again 1001"]
    happened.clear()
    assert read_ahead(source, rounds=2) == [0.0, 0.0]
    assert [each for each in happened if "import" in each] == ["import 501", "import 1001"]
    assert source.messages == []


@pytest.mark.parametrize(("fails_at", "first"), [(2, 1), (3, 501)])
def test_a_source_that_is_lost_while_a_batch_is_imported_gives_all_again_that_is_not_settled(
    fails_at: int, first: int
) -> None:
    """The batch that is imported then may have been read ahead."""
    source = Log(3, happened := list[str]())
    source.fails_at = fails_at

    async def run() -> None:
        gateway = SlowGateway(source)
        client = AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=gateway)
        typed: Source = source
        pump = Pump(typed, client, LineMaker(), progress := Progress(lambda: 0.0))
        while not await pump.round():
            pass
        assert progress.health()["trouble"] == "The source: It is away."
        happened.append("lost")
        while source.messages:
            await pump.round()

    asyncio.run(run())
    since = happened[happened.index("lost") + 1 :]
    assert since[0] == f"take {first}"
    assert [each for each in since if "import" in each] == [
        f"import {each}" for each in (1, 501, 1001) if each >= first
    ]


def test_a_stop_ends_the_import_and_leaves_everything_in_the_source() -> None:
    source = Log(2, happened := list[str]())

    async def run() -> None:
        gateway = SlowGateway(source)
        gateway.takes = sys.maxsize  # it never answers
        typed: Source = source
        client = AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=gateway)
        running = asyncio.create_task(Pump(typed, client, LineMaker(), Progress(lambda: 0.0)).run(_nothing))
        while "import 1" not in happened or "take 501" not in happened:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    assert happened == ["take 1", "import 1", "take 501"]


async def _nothing() -> None:
    """What follows each round here."""


def test_a_source_that_cannot_read_ahead_is_settled_before_it_is_asked_again() -> None:
    source = Queue(*(message(number) for number in range(1, 2 * MOST_MESSAGES + 1)))
    whole = [{"line": number, "status": 201, "changed": True} for number in range(1, MOST_MESSAGES + 1)]
    pumped(source, lines(*whole), rounds=1)
    assert (source.takes, len(source.settled)) == (1, 1)


def reported(source: Queue, gateway: Gateway, *moments: float) -> list[Any]:
    """What the gateway was told in rounds that ended at these moments."""
    progress = Progress(lambda: 0.0)
    progress.settled(Batch([], 7.9), [])

    async def run() -> None:
        client = AsyncClient("http://gateway", "sp_key", deadline=1.0, transport=gateway)
        typed: Source = source
        moment = 0.0
        reporter = Reporter(client, typed, "contracts", progress, lambda: moment)
        for moment in moments:  # noqa: B007 - the clock reads it
            await reporter.report_if_due()

    asyncio.run(run())
    return [(request.url.path, json.loads(request.content)) for request in gateway.requests]


def test_the_gateway_is_told_every_half_minute_how_the_source_does() -> None:
    gateway = Gateway(*(httpx.Response(204) for _ in range(2)))
    told = reported(Queue(), gateway, 0.0, 10.0, 29.0, 31.0, 40.0)
    assert told == [("/v1/sources/contracts", {"oldestSeconds": 7, "dead": 3})] * 2


def test_a_reader_that_waits_for_another_tells_nothing() -> None:
    source = Queue()
    source.kept_dead = None
    assert reported(source, Gateway(), 0.0, 31.0) == []


def test_a_report_that_is_refused_ends_nothing() -> None:
    gateway = Gateway(refused(404, "no_such_path"), httpx.Response(204))
    assert len(reported(Queue(), gateway, 0.0, 31.0)) == 2
