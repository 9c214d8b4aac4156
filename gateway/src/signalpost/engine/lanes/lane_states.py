"""The states that a lane at work is in, and the methods that change them, each by its table in `lane_state.py`.

Only these methods assign them.
"""

from signalpost.engine.lanes.lane_state import (
    HOLDS,
    PROGRESS,
    RECORDING,
    TURNS,
    Hold,
    HoldInput,
    Progress,
    ProgressInput,
    Recording,
    RecordingInput,
    Turn,
    TurnInput,
)

# Every delivery uses these. As names of this module they are found ten times as fast as members of their classes.
IDLE, WAITING_FOR_SLOT, ASK = Turn.IDLE, Turn.WAITING_FOR_SLOT, TurnInput.ASK
BEHIND, CAUGHT_UP, NOT_HELD = Progress.BEHIND, Progress.CAUGHT_UP, Hold.NONE
CLEAN, DIRTY = Recording.CLEAN, Recording.DIRTY
WRITING, WRITING_AND_DIRTY = Recording.WRITING, Recording.WRITING_AND_DIRTY


class LaneStates:
    """A base of `LaneWorker`: a part of the same object, so that asking costs a delivery nothing."""

    def __init__(self) -> None:
        self.turn = Turn.IDLE
        self.progress = Progress.BEHIND
        self.recording = Recording.CLEAN
        self.hold = Hold.NONE

    # --- Turns --------------------------------------------------------------------------------------------------------

    def ask_for_turn(self) -> bool:
        """Ask for a turn. Returns whether the lane has to be queued: it is not queued yet, and nothing holds it."""
        if self.turn is not IDLE or self.hold is not NOT_HELD:
            return False
        self.turn = TURNS[IDLE][ASK]
        return True

    def begin_turn(self) -> None:
        self.turn = TURNS[self.turn][TurnInput.BEGIN]

    def wait_for_slot(self) -> None:
        self.turn = TURNS[self.turn][TurnInput.FIND_NO_SLOT]

    def note_freed_slot(self) -> None:
        self.turn = TURNS[self.turn][TurnInput.SLOT_FREED]

    # --- Progress in the log ------------------------------------------------------------------------------------------

    def begin_reading(self) -> None:
        self.progress = PROGRESS[self.progress][ProgressInput.READ]

    def end_reading(self) -> None:
        self.progress = PROGRESS[self.progress][ProgressInput.PAGE_READ]

    def reach_end(self) -> None:
        """Note that it has looked at everything up to the end of the log."""
        self.progress = PROGRESS[self.progress][ProgressInput.REACH_END]

    def wake(self) -> None:
        """Have it read on, since something follows that it may want. A lane that is not asleep reads on anyway."""
        if self.progress is CAUGHT_UP:
            self.progress = PROGRESS[CAUGHT_UP][ProgressInput.WAKE]

    # --- Holds --------------------------------------------------------------------------------------------------------

    def begin_reload(self) -> bool:
        """Hold the lane to load it again. Returns False if something holds it already."""
        if self.hold is not NOT_HELD:
            return False
        self.hold = HOLDS[NOT_HELD][HoldInput.RELOAD]
        return True

    def note_reloaded(self) -> None:
        self.hold = HOLDS[self.hold][HoldInput.RELOADED]

    def leave(self) -> None:
        """Stop all work: its subscription was deleted, or another node owns the lane."""
        self.hold = HOLDS[self.hold][HoldInput.LEAVE]

    def hand_over(self) -> bool:
        """Send and feed nothing more, so that another node may own the lane. Returns False if something holds it
        already."""
        if self.hold is not NOT_HELD:
            return False
        self.hold = HOLDS[NOT_HELD][HoldInput.HAND_OVER]
        return True

    def close(self) -> None:
        """Send and feed nothing more, while the rest is recorded."""
        self.hold = HOLDS[self.hold][HoldInput.CLOSE]

    # --- Recording ----------------------------------------------------------------------------------------------------

    @property
    def is_recorded(self) -> bool:
        """Whether nothing is left to record or to ask of the store."""
        return self.recording is CLEAN

    def note_change(self) -> bool:
        """Note that there is something to record, or to ask of the store. Returns whether the lane has to be queued
        for that."""
        if self.recording is DIRTY or self.recording is WRITING_AND_DIRTY:
            return False
        self.recording = RECORDING[self.recording][RecordingInput.CHANGE]
        return True

    @property
    def is_being_written(self) -> bool:
        """Whether the store is writing what the lane did."""
        return self.recording is WRITING or self.recording is WRITING_AND_DIRTY

    def begin_recording(self) -> None:
        self.recording = RECORDING[self.recording][RecordingInput.WRITE]

    def end_recording(self) -> None:
        self.recording = RECORDING[self.recording][RecordingInput.WRITTEN]
