"""Events are decoded once for all who look at them."""

from concurrent.futures import Executor
from typing import cast

from signalpost.domain.erasure import Erasure, erased
from signalpost.domain.event import Event
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.subjects import Subjects
from signalpost.sharing.resting_turns import RestingTurns

EVENT = Event(
    1, 1, 1, "01a20e92-1d5f-76d4-985f-8a63b2c66f94", 1, "01a20e92-1d5f-76d4-985f-8a63b2c66f95",
    b'{"data":{"document":{"title":"Canary"}}}',
)  # fmt: skip


OF_ANOTHER = Event(
    1, 2, 2, "01a20e92-1d5f-76d4-985f-8a63b2c66f96", 1, "01a20e92-1d5f-76d4-985f-8a63b2c66f97",
    b'{"data":{"document":{"title":"Another"}}}',
)  # fmt: skip
ERASURE = Erasure(
    id="e", tenant_id=1, tenant="default", document_id=EVENT.document_id, asked_at=1, to_sequence=EVENT.sequence
)


def test_an_event_that_another_node_erased_since_is_not_shown_as_it_was() -> None:
    """A node may decode an event between the moment when it hears of the erasure and the end of that."""
    subjects = Subjects(cast(Executor, None), RestingTurns(lambda: 0.0), ErasedEvents())
    assert "Canary" in str(subjects.at_once(EVENT).event)
    assert subjects.at_once(EVENT) is subjects.at_once(EVENT)
    assert "Canary" not in str(subjects.at_once(erased(EVENT)).event)
    assert "Canary" not in str(subjects._kept)


def test_an_erasure_takes_what_it_erases_and_leaves_everything_else() -> None:
    erased_lately = ErasedEvents()
    subjects = Subjects(cast(Executor, None), RestingTurns(lambda: 0.0), erased_lately)
    subjects.at_once(EVENT)
    kept = subjects.at_once(OF_ANOTHER)
    erased_lately.note(ERASURE)
    subjects.erase(ERASURE)
    assert "Canary" not in str(subjects._kept)
    assert subjects.at_once(OF_ANOTHER) is kept


def test_nothing_is_kept_of_an_event_that_was_erased_while_somebody_read_it() -> None:
    erased_lately = ErasedEvents()
    subjects = Subjects(cast(Executor, None), RestingTurns(lambda: 0.0), erased_lately)
    erased_lately.note(ERASURE)
    subjects.at_once(EVENT)
    assert "Canary" not in str(subjects._kept)
