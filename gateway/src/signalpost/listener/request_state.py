"""The states of one request, as tables: of its body and of its answer. Neither depends on the other: an import is
answered while it arrives, and a request without a key before its body has arrived.

All of it is pure; `request_cycle.py` does what follows from it.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from signalpost.domain.transitions import Transitions


class BodyState(IntEnum):
    """In this order: from WHOLE on, all of it has arrived."""

    HELD_BACK = 0
    """The client waits to be asked for it (100-continue)."""
    ARRIVING = 1
    BROKEN = 2
    """The rest will not arrive, or is malformed."""
    WHOLE = 3
    READ = 4
    """The application has read all of it."""
    WHOLE_AND_LAST = 5
    """The client sends nothing more, not even another request. It may still read an answer."""
    READ_AND_LAST = 6
    """The same, and the application has read all of it: who waits for the client to be gone need not wait longer."""


class BodyInput(IntEnum):
    ASK = 0
    ARRIVE = 1
    END = 2
    BREAK_OFF = 3
    READ = 4
    LEAVE = 5


BODIES_BEGIN: Final = (BodyState.HELD_BACK, BodyState.ARRIVING)
BODIES: Transitions[BodyState, BodyInput] = {
    BodyState.HELD_BACK: {
        BodyInput.ASK: BodyState.ARRIVING,
        BodyInput.ARRIVE: BodyState.ARRIVING,
        BodyInput.END: BodyState.WHOLE,
        BodyInput.BREAK_OFF: BodyState.BROKEN,
    },
    BodyState.ARRIVING: {
        BodyInput.ARRIVE: BodyState.ARRIVING,
        BodyInput.READ: BodyState.ARRIVING,
        BodyInput.END: BodyState.WHOLE,
        BodyInput.BREAK_OFF: BodyState.BROKEN,
    },
    # What had come before is still read.
    BodyState.BROKEN: {BodyInput.READ: BodyState.BROKEN, BodyInput.BREAK_OFF: BodyState.BROKEN},
    BodyState.WHOLE: {BodyInput.READ: BodyState.READ, BodyInput.LEAVE: BodyState.WHOLE_AND_LAST},
    # An application that reads in two places may be told twice that nothing is left.
    BodyState.READ: {BodyInput.READ: BodyState.READ, BodyInput.LEAVE: BodyState.READ_AND_LAST},
    BodyState.WHOLE_AND_LAST: {BodyInput.READ: BodyState.READ_AND_LAST, BodyInput.LEAVE: BodyState.WHOLE_AND_LAST},
    BodyState.READ_AND_LAST: {BodyInput.LEAVE: BodyState.READ_AND_LAST},
}


class AnswerState(IntEnum):
    """How the body of an answer is sent, once its head is known."""

    NONE = 0
    SILENT = 1
    """There is none, whatever the application sends."""
    SIZED = 2
    """The body is as long as the answer's content-length."""
    CHUNKED = 3
    UNTIL_CLOSE = 4
    """The body ends with the connection, for a client of HTTP/1.0."""
    OVER = 5
    """The answer is complete, or the client is gone, whichever came first. What the application sends is dropped."""


class AnswerInput(IntEnum):
    BEGIN_SILENT = 0
    BEGIN_SIZED = 1
    BEGIN_CHUNKED = 2
    BEGIN_UNTIL_CLOSE = 3
    END = 4


_ENDS: Mapping[AnswerInput, AnswerState] = {AnswerInput.END: AnswerState.OVER}
ANSWERS: Transitions[AnswerState, AnswerInput] = {
    AnswerState.NONE: {
        AnswerInput.BEGIN_SILENT: AnswerState.SILENT,
        AnswerInput.BEGIN_SIZED: AnswerState.SIZED,
        AnswerInput.BEGIN_CHUNKED: AnswerState.CHUNKED,
        AnswerInput.BEGIN_UNTIL_CLOSE: AnswerState.UNTIL_CLOSE,
        AnswerInput.END: AnswerState.OVER,
    },
    AnswerState.SILENT: _ENDS,
    AnswerState.SIZED: _ENDS,
    AnswerState.CHUNKED: _ENDS,
    AnswerState.UNTIL_CLOSE: _ENDS,
    AnswerState.OVER: _ENDS,
}
