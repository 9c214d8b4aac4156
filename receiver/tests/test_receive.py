"""What happens to verified events: handled once, in order, and again if that failed. In virtual time."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import (
    Buffer,
    ConfigError,
    Event,
    HandlerError,
    InProgress,
    MemoryStore,
    Mismatch,
    Outcome,
    Receiver,
    Result,
    SkipStale,
    StoreError,
    UsageError,
)
from signalpost_receiver.stores import Claim, Item


class Desk:
    """A receiver with a clock that is set, and the events that its handler got."""

    def __init__(self, **options: Any) -> None:
        self.now = float(NOW)
        self.got: list[str] = []
        self.fails = False
        self.receiver = Receiver(secrets=SECRET, clock=lambda: self.now, **options)
        self.receiver.on("documentUpdated", "documentDeleted")(self.handle)

    def handle(self, event: Event) -> None:
        if self.fails:
            raise RuntimeError("a secret of the handler")
        self.got.append(event.id)

    def post(self, number: int = 1, event_type: str = "documentUpdated", **hints: str) -> Outcome:
        body = event_body(number, event_type=event_type)
        return self.receiver.receive(body, signed(body, at=self.now, **hints)).outcome

    def drained(self) -> list[str]:
        """What happened to the events that were drained, and to the rest of the time."""
        return [each.outcome.value if isinstance(each, Result) else "failed" for each in self.receiver.drain()]


def test_an_event_is_handled_once_however_often_it_is_sent() -> None:
    desk = Desk()
    assert [desk.post() for _ in range(3)] == [Outcome.HANDLED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert desk.post(replay="true") is Outcome.DUPLICATE
    assert desk.got == ["event-1"]


def test_a_result_is_a_success_and_tells_its_event() -> None:
    body = event_body()
    result = Desk().receiver.receive(bytearray(body), signed(body, sequence="7", attempt="2", replay="true"))
    assert (result.status, result.outcome.value) == (204, "handled")
    event = result.event
    assert (event.sequence, event.attempt, event.is_replay, event.is_test) == (7, 2, True, False)


def test_an_event_whose_handler_failed_is_handled_when_it_is_sent_again() -> None:
    desk = Desk()
    desk.fails = True
    with pytest.raises(HandlerError) as caught:
        desk.post()
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert (caught.value.status, "secret" in str(caught.value)) == (500, False)
    desk.fails = False
    assert desk.post(attempt="2") is Outcome.HANDLED
    assert desk.got == ["event-1"]


def test_an_event_is_forgotten_after_the_time_to_remember() -> None:
    desk = Desk(remember=timedelta(days=1))
    desk.post()
    desk.now += 86_399
    assert desk.post() is Outcome.DUPLICATE
    desk.now += 1
    assert desk.post() is Outcome.HANDLED


def test_a_forged_request_reaches_neither_store_nor_handler() -> None:
    body = event_body()
    desk = Desk()
    with pytest.raises(Mismatch):
        desk.receiver.receive(body, signed(body, secret="somebody else's"))
    assert desk.post() is Outcome.HANDLED


def test_a_type_without_a_handler_is_acknowledged_and_handled_once_there_is_one() -> None:
    desk = Desk()
    assert desk.post(event_type="documentCreated") is Outcome.UNHANDLED
    desk.receiver.on()(desk.handle)
    assert desk.post(event_type="documentCreated") is Outcome.HANDLED


def test_c3_types_that_are_not_known_go_to_the_handler_of_the_others() -> None:
    desk = Desk()
    got: list[str] = []
    desk.receiver.on()(lambda event: got.append(str(event.type)))
    desk.post(1, "folderMoved")
    desk.post(2)
    assert got == ["folderMoved"]


def test_c18_a_sample_is_handled_by_its_own_handler_alone() -> None:
    desk = Desk()
    assert desk.post(test="true", sequence="0") is Outcome.TEST
    assert desk.got == []
    tests: list[str] = []
    desk.receiver.on_test(lambda event: tests.append(event.id))
    assert desk.post(test="true", sequence="0") is Outcome.TEST
    assert (tests, desk.got) == (["event-1"], [])
    assert desk.post() is Outcome.HANDLED, "a sample is not remembered"


def test_a_duplicate_of_an_event_in_progress_is_sent_again_later() -> None:
    desk = Desk(lease=timedelta(seconds=30))
    seen: list[int] = []

    @desk.receiver.on("documentCreated")
    def slow(_event: Event) -> None:
        desk.now += 10
        with pytest.raises(InProgress) as caught:
            desk.post(event_type="documentCreated")
        seen.extend((caught.value.status, caught.value.retry_after))

    assert desk.post(event_type="documentCreated") is Outcome.HANDLED
    assert seen == [503, 20]


class Broken(MemoryStore):
    """A store that fails when it is told to."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = failing

    def claim(self, item: Item, *, now: float, lease_until: float) -> Claim:
        if "claim" in self.failing:
            raise OSError("disk full")
        return super().claim(item, now=now, lease_until=lease_until)

    def commit(self, item: Item, token: str, *, now: float, forget_at: float) -> bool:
        if "commit" in self.failing:
            raise OSError("disk full")
        return super().commit(item, token, now=now, forget_at=forget_at)

    def release(self, item: Item, token: str, *, again_at: float) -> None:
        if "release" in self.failing:
            raise OSError("disk full")
        super().release(item, token, again_at=again_at)


@pytest.mark.parametrize(("failing", "handled"), [("claim", []), ("commit", ["event-1"])])
def test_a_store_that_fails_has_the_event_sent_again(failing: str, handled: list[str]) -> None:
    store = Broken(failing)
    desk = Desk(store=store)
    with pytest.raises(StoreError) as caught:
        desk.post()
    assert (caught.value.status, type(caught.value.__cause__)) == (503, OSError)
    assert desk.got == handled
    store.failing = ()
    desk.now += 30
    assert desk.post() is Outcome.HANDLED
    assert desk.got == [*handled, "event-1"]


def test_what_the_handler_raised_is_told_also_where_the_store_fails_then() -> None:
    desk = Desk(store=Broken("release"))
    desk.fails = True
    with pytest.raises(HandlerError):
        desk.post()
    desk.fails = False
    desk.now += 30
    assert desk.post() is Outcome.HANDLED


def test_c17_a_stale_event_is_skipped_after_a_later_one() -> None:
    desk = Desk(order=SkipStale())
    assert [desk.post(2), desk.post(1), desk.post(3)] == [Outcome.HANDLED, Outcome.STALE, Outcome.HANDLED]
    assert desk.got == ["event-2", "event-3"]


def test_c17_nothing_brings_a_deleted_document_back_but_a_later_event() -> None:
    desk = Desk(order=SkipStale())
    assert desk.post(5, "documentDeleted") is Outcome.HANDLED
    assert desk.post(4) is Outcome.STALE
    assert desk.post(6) is Outcome.HANDLED


def test_c17_an_event_that_failed_is_stale_once_a_later_one_was_handled() -> None:
    desk = Desk(order=SkipStale())
    desk.fails = True
    with pytest.raises(HandlerError):
        desk.post(1)
    desk.fails = False
    assert [desk.post(2), desk.post(1)] == [Outcome.HANDLED, Outcome.STALE]


def test_c17_buffered_events_are_handled_in_order() -> None:
    desk = Desk(order=Buffer(hold=timedelta(seconds=15)))
    assert [desk.post(number) for number in (3, 1, 2, 1)] == [Outcome.HELD] * 3 + [Outcome.DUPLICATE]
    desk.now += 14
    assert desk.drained() == []
    desk.now += 1
    assert desk.drained() == ["handled"] * 3
    assert desk.got == ["event-1", "event-2", "event-3"]
    assert [desk.post(3), desk.post(0)] == [Outcome.DUPLICATE, Outcome.STALE]


def test_a_buffered_event_keeps_what_came_beside_its_body() -> None:
    desk = Desk(order=Buffer(hold=timedelta(0)))
    desk.post(1, replay="true", sequence="9", attempt="3")
    (result,) = desk.receiver.drain()
    assert isinstance(result, Result)
    assert (result.event.sequence, result.event.attempt, result.event.is_replay) == (9, 3, True)


def test_a_buffered_event_whose_handler_fails_is_tried_until_it_succeeds_and_stops_its_document() -> None:
    desk = Desk(order=Buffer(hold=timedelta(0), retry_after=timedelta(seconds=30)))
    desk.post(1)
    desk.post(2)
    desk.fails = True
    assert desk.drained() == ["failed"]
    desk.fails = False
    desk.now += 29
    assert desk.drained() == []
    desk.now += 1
    assert desk.drained() == ["handled", "handled"]
    assert desk.got == ["event-1", "event-2"]


def test_a_held_event_whose_handler_is_gone_ends() -> None:
    store = MemoryStore()
    Desk(order=Buffer(hold=timedelta(0)), store=store).post(1)
    other = Receiver(secrets=SECRET, clock=lambda: NOW, order=Buffer(), store=store)
    (result,) = other.drain()
    assert isinstance(result, Result)
    assert result.outcome is Outcome.UNHANDLED
    assert other.drain() == []


def later(function: Callable[[Event], None]) -> Callable[[Event], Any]:
    async def handler(event: Event) -> None:
        await asyncio.sleep(0)
        function(event)

    return handler


@pytest.mark.parametrize(
    "wrap", [later, lambda function: lambda event: later(function)(event), lambda function: function]
)
def test_areceive_takes_handlers_of_any_kind(wrap: Callable[[Any], Any]) -> None:
    receiver, got = Receiver(secrets=SECRET, clock=lambda: NOW), []
    receiver.on("documentUpdated")(wrap(lambda event: got.append((event.id, threading.current_thread().name))))
    body = event_body()

    async def twice() -> list[Outcome]:
        return [(await receiver.areceive(body, signed(body))).outcome for _ in range(2)]

    assert asyncio.run(twice()) == [Outcome.HANDLED, Outcome.DUPLICATE]
    assert [event_id for event_id, _ in got] == ["event-1"]


def test_areceive_keeps_a_handler_that_blocks_off_the_event_loop() -> None:
    receiver, names = Receiver(secrets=SECRET, clock=lambda: NOW), []
    receiver.on()(lambda _event: names.append(threading.current_thread()))
    body = event_body()
    asyncio.run(receiver.areceive(body, signed(body)))
    assert names != [threading.main_thread()]


def test_areceive_fails_as_receive_does() -> None:
    receiver = Receiver(secrets=SECRET, clock=lambda: NOW)
    body = event_body()

    @receiver.on()
    async def fail(event: Event) -> None:
        raise RuntimeError(event.id)

    async def attempts() -> None:
        for _ in range(2):
            with pytest.raises(HandlerError):
                await receiver.areceive(body, signed(body))

    asyncio.run(attempts())


def test_a_handler_that_is_cancelled_leaves_its_event_to_the_lease() -> None:
    desk = Desk(lease=timedelta(seconds=30))
    body = event_body(event_type="documentCreated")
    started: list[str] = []

    @desk.receiver.on("documentCreated")
    async def hang(event: Event) -> None:
        started.append(event.id)
        if len(started) == 1:
            await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.ensure_future(desk.receiver.areceive(body, signed(body)))
        while not started:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(InProgress):
            await desk.receiver.areceive(body, signed(body))
        desk.now += 30
        assert (await desk.receiver.areceive(body, signed(body))).outcome is Outcome.HANDLED

    asyncio.run(cancel())


def test_adrain_handles_what_is_due() -> None:
    desk = Desk(order=Buffer(hold=timedelta(0)))
    desk.post(2)
    desk.post(1)
    assert len(asyncio.run(desk.receiver.adrain())) == 2
    assert desk.got == ["event-1", "event-2"]


def test_receive_refuses_an_asynchronous_handler_and_leaves_the_event() -> None:
    desk = Desk()
    body = event_body(event_type="documentCreated")
    desk.receiver.on("documentCreated")(later(desk.handle))
    with pytest.raises(UsageError, match="areceive"):
        desk.receiver.receive(body, signed(body))
    assert asyncio.run(desk.receiver.areceive(body, signed(body))).outcome is Outcome.HANDLED


def test_a_type_has_one_handler() -> None:
    receiver = Desk().receiver
    receiver.on()(print)
    with pytest.raises(ConfigError, match="documentUpdated"):
        receiver.on("documentCreated", "documentUpdated")
    with pytest.raises(ConfigError, match="other types"):
        receiver.on()


@pytest.mark.parametrize(
    "options",
    [
        {"remember": timedelta(hours=1)},
        {"remember": timedelta(hours=1, seconds=59)},
        {"remember": timedelta(0), "max_age": None},
        {"lease": timedelta(0)},
        {"lease": 30},
        {"order": Buffer(hold=timedelta(seconds=-1))},
        {"order": Buffer(retry_after=timedelta(0))},
    ],
)
def test_what_is_not_safe_is_refused_at_construction(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Receiver(secrets=SECRET, **options)


def test_the_shortest_time_to_remember_is_the_replay_window() -> None:
    Receiver(secrets=SECRET, remember=timedelta(hours=1, seconds=60))


@given(
    arrivals=st.lists(st.tuples(st.integers(1, 6), st.booleans()), max_size=30),
    order=st.sampled_from([None, SkipStale(), Buffer(hold=timedelta(seconds=5), retry_after=timedelta(seconds=5))]),
)
def test_c17_whatever_arrives_each_event_is_handled_once_and_in_order_if_asked(
    arrivals: list[tuple[int, bool]], order: Any
) -> None:
    desk = Desk(order=order)
    for number, fails in arrivals:
        desk.fails = fails
        try:
            desk.post(number)
        except HandlerError:
            assert fails
        desk.now += 2
        desk.drained()
    desk.fails = False
    desk.now += 60
    desk.drained()
    assert len(set(desk.got)) == len(desk.got)
    if order is not None:
        assert desk.got == sorted(desk.got)
