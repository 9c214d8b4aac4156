"""The states of a lane at work: the tables have no dead ends, and the worker moves by them alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gateway.tests.state_tables import Table, reached
from msgspec.structs import replace

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.lane_bounds import BOUNDS
from signalpost.domain.subscription import Subscription
from signalpost.engine.lanes.carriers import Carrier, Made
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.lane_state import HOLDS, PROGRESS, RECORDING, TURNS, Hold, Progress, Recording, Turn
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.subjects import Subjects
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.sharing.slots import DEFAULTS, EndpointSlots, process_slots, tenant_slots
from signalpost.store.nouns.lanes import EndpointHealth, LaneFlushed, LaneRow

SUBJECTS = Subjects(ThreadPoolExecutor(1), RestingTurns(), ErasedEvents())
ROW = LaneRow(version=3, head=9, open=(), gaps=(), health=EndpointHealth(), rows=(), horizon=None)


@pytest.mark.parametrize("table", [TURNS, PROGRESS, RECORDING, HOLDS], ids=["turn", "progress", "recording", "hold"])
def test_every_state_has_an_entry_and_is_reached_from_the_first(table: Table) -> None:
    states = list(table)
    assert states == list(type(states[0]))
    assert reached(table, states[0]) == set(states)


class NoGates:
    """Nothing here is carried anywhere."""

    def gate(self, _subscription: Subscription, _user: object) -> None:
        return None

    def leave(self, _user: object) -> None: ...

    def latest_wins(self, _subscription: Subscription) -> bool:
        return False

    def carrier(self, *_given: object) -> Carrier:
        raise AssertionError

    def made(self, _subscription: Subscription) -> Made:
        raise AssertionError

    async def close(self, grace: float) -> None: ...


@pytest.fixture
def worker() -> LaneWorker:
    subscription = Subscription(
        id="00000000-0000-4000-9000-000000000001",
        tenant_id=1,
        number=1,
        version=1,
        name="",
        url="https://example.com/hook",
        status="active",
        ordering="loose",
        rate_limit=None,
        retry_delays=(10,),
        starts_after=0,
        filters=((0, 7),),
        skip_to=0,
        created_at=0,
        updated_at=0,
        secret="not a secret",
        headers={},
    )
    slots = EndpointSlots(DEFAULTS, tenant_slots(DEFAULTS.tenant, process_slots(DEFAULTS)))
    return LaneWorker(subscription, ROW, slots, BOUNDS, NoGates(), SUBJECTS, lambda _worker: None)


def test_a_lane_is_queued_once_however_often_it_asks(worker: LaneWorker) -> None:
    assert worker.ask_for_turn()
    assert not worker.ask_for_turn()
    worker.begin_turn()
    worker.wait_for_slot()
    assert not worker.ask_for_turn()
    worker.note_freed_slot()
    assert worker.turn is Turn.QUEUED


@pytest.mark.parametrize("hold", [LaneWorker.begin_reload, LaneWorker.leave, LaneWorker.close, LaneWorker.hand_over])
def test_a_lane_that_is_held_asks_for_no_turn_and_sends_nothing(worker: LaneWorker, hold) -> None:  # type: ignore[no-untyped-def]
    hold(worker)
    assert not worker.ask_for_turn()
    assert worker.may_send_at(0) > 0
    assert not worker.begin_reload()


def test_a_lane_that_was_deleted_while_it_was_loaded_stays_so(worker: LaneWorker) -> None:
    assert worker.begin_reload()
    worker.leave()
    with pytest.raises(KeyError):
        worker.end_reload(ROW)
    assert worker.hold is Hold.GONE


def test_what_changes_while_a_lane_is_written_waits_for_the_next_write(worker: LaneWorker) -> None:
    assert worker.note_change()
    assert not worker.note_change()
    flush = worker.begin_write()
    assert worker.note_change()
    worker.end_write(flush, LaneFlushed())
    assert worker.recording is Recording.DIRTY
    assert worker.version == ROW.version + 1


def test_a_write_that_another_owner_came_before_leaves_the_version(worker: LaneWorker) -> None:
    worker.note_change()
    flush = worker.begin_write()
    worker.end_write(flush, None)
    assert (worker.is_recorded, worker.version, worker.recorded_head) == (True, ROW.version, ROW.head)


def test_an_event_that_comes_while_a_page_is_read_does_not_end_the_reading(worker: LaneWorker) -> None:
    worker.begin_reading()
    worker.wake()
    assert worker.progress is Progress.READING
    worker.end_reading()
    worker.reach_end()
    worker.skip_unwanted(20)
    assert (worker.lane.head, worker.unread(25)) == (20, 0)
    worker.wake()
    assert worker.unread(25) == 5


def test_a_retry_asked_for_after_a_change_that_its_node_has_not_heard_of_waits_for_that(worker: LaneWorker) -> None:
    """Another node skipped the backlog, and was asked for the retry after that: the skip must not end it."""
    asked = RequestedRetry(1, 1, 5, "d", of_version=3)
    worker.retries.take(asked, worker.lane)
    worker.retries.act(asked, None, worker.subscription, worker.lane, now=0)
    assert not worker.lane.retry_queue
    changed = replace(worker.subscription, version=3, skip_to=9, skip_version=3, skipped_at=1)
    worker.update(changed, now=0)
    assert worker.retries.waiting == {1: asked}
    worker.retries.act(asked, None, worker.subscription, worker.lane, now=0)
    assert 5 in worker.lane.retry_queue
    assert worker.retries.done == [1]
