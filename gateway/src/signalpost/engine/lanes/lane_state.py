"""The states of a lane at work, as tables: four that do not depend on one another.

- `Turn`: whether the lane waits for the dispatcher.
- `Progress`: how far it has read the log.
- `Recording`: whether the store has what it did.
- `Hold`: why it may do nothing, if it may not.

They are not one state. A lane sends what it took in while a page of the log is read for it; a lane that has read
everything has turns for its retries; what it does while a record is written waits for the next one.

All of this is memory: a restart finds no lane queued, reading, or being written.
"""

from enum import IntEnum

from signalpost.domain.transitions import Transitions


class Turn(IntEnum):
    IDLE = 0
    """The lane has nothing to do until something happens, or it has its turn right now."""
    QUEUED = 1
    WAITING_FOR_SLOT = 2
    """The lane has something to send, and no slot is free for it."""


class TurnInput(IntEnum):
    ASK = 0
    BEGIN = 1
    FIND_NO_SLOT = 2
    SLOT_FREED = 3


TURNS: Transitions[Turn, TurnInput] = {
    Turn.IDLE: {TurnInput.ASK: Turn.QUEUED, TurnInput.FIND_NO_SLOT: Turn.WAITING_FOR_SLOT},
    Turn.QUEUED: {TurnInput.BEGIN: Turn.IDLE},
    Turn.WAITING_FOR_SLOT: {TurnInput.SLOT_FREED: Turn.QUEUED},
}


class Progress(IntEnum):
    BEHIND = 0
    """Events follow its head that it has not looked at."""
    READING = 1
    """The store reads a page of the log for it."""
    CAUGHT_UP = 2
    """The lane has looked at all there is. It sleeps: only an event that it wants wakes it."""


class ProgressInput(IntEnum):
    READ = 0
    PAGE_READ = 1
    REACH_END = 2
    WAKE = 3


PROGRESS: Transitions[Progress, ProgressInput] = {
    Progress.BEHIND: {ProgressInput.READ: Progress.READING, ProgressInput.REACH_END: Progress.CAUGHT_UP},
    Progress.READING: {ProgressInput.PAGE_READ: Progress.BEHIND},
    Progress.CAUGHT_UP: {ProgressInput.WAKE: Progress.BEHIND},
}


class Recording(IntEnum):
    CLEAN = 0
    DIRTY = 1
    """The lane has something to record, or to ask of the store with a record."""
    WRITING = 2
    WRITING_AND_DIRTY = 3
    """The lane changed after the write began, so that the write does not contain the change."""


class RecordingInput(IntEnum):
    CHANGE = 0
    WRITE = 1
    WRITTEN = 2


RECORDING: Transitions[Recording, RecordingInput] = {
    Recording.CLEAN: {RecordingInput.CHANGE: Recording.DIRTY},
    Recording.DIRTY: {RecordingInput.WRITE: Recording.WRITING},
    Recording.WRITING: {
        RecordingInput.CHANGE: Recording.WRITING_AND_DIRTY,
        RecordingInput.WRITTEN: Recording.CLEAN,
    },
    Recording.WRITING_AND_DIRTY: {RecordingInput.WRITTEN: Recording.DIRTY},
}


class Hold(IntEnum):
    NONE = 0
    RELOADING = 1
    """Another owner wrote it, or its order was changed: it is taken up from the store once more."""
    GONE = 2
    """The subscription was deleted, or another node owns the lane: what is still done for it does not count."""
    CLOSING = 3
    HANDING_OVER = 4
    """Another node is to own it: what is in flight ends, and everything is recorded."""


class HoldInput(IntEnum):
    RELOAD = 0
    RELOADED = 1
    LEAVE = 2
    CLOSE = 3
    HAND_OVER = 4


HOLDS: Transitions[Hold, HoldInput] = {
    Hold.NONE: {
        HoldInput.RELOAD: Hold.RELOADING,
        HoldInput.LEAVE: Hold.GONE,
        HoldInput.CLOSE: Hold.CLOSING,
        HoldInput.HAND_OVER: Hold.HANDING_OVER,
    },
    Hold.RELOADING: {HoldInput.RELOADED: Hold.NONE, HoldInput.LEAVE: Hold.GONE, HoldInput.CLOSE: Hold.CLOSING},
    Hold.GONE: {},
    Hold.CLOSING: {},
    Hold.HANDING_OVER: {HoldInput.LEAVE: Hold.GONE, HoldInput.CLOSE: Hold.CLOSING},
}
