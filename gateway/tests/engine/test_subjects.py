"""Events are decoded once for all who look at them."""

from concurrent.futures import Executor
from typing import cast

from signalpost.domain.erasure import erased
from signalpost.domain.event import Event
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.resting_turns import RestingTurns

EVENT = Event(
    1, 1, 1, "01a20e92-1d5f-76d4-985f-8a63b2c66f94", 1, "01a20e92-1d5f-76d4-985f-8a63b2c66f95",
    b'{"data":{"document":{"title":"Canary"}}}',
)  # fmt: skip


def test_an_event_that_another_node_erased_since_is_not_shown_as_it_was() -> None:
    """A node may decode an event between the moment when it hears of the erasure and the end of that."""
    subjects = Subjects(cast(Executor, None), RestingTurns(lambda: 0.0))
    assert "Canary" in str(subjects.at_once(EVENT).event)
    assert subjects.at_once(EVENT) is subjects.at_once(EVENT)
    assert "Canary" not in str(subjects.at_once(erased(EVENT)).event)
    assert "Canary" not in str(subjects._kept)
