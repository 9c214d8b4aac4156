"""Once a recorder has closed, it asks nothing of a store that may be closed too."""

import asyncio
from typing import Any

from signalpost.engine.lanes.recorder import Recorder


class ChangedLane:
    """A lane with something to record, such as a retry by hand that was just read."""

    def note_change(self) -> bool:
        return True


def test_a_lane_that_changes_after_the_end_is_left_to_whoever_has_it_next() -> None:
    unused: Any = None
    lane: Any = ChangedLane()

    async def scenario() -> None:
        recorder = Recorder(unused, unused, unused, unused, unused, unused, unused, unused)
        await recorder.close()
        recorder.changed(lane)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is being written"

    asyncio.run(scenario())
