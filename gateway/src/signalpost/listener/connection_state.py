"""The states of a client's connection, as tables: three that do not depend on one another.

- `ConnectionStage`: its request.
- `Persistence`: whether another request may follow.
- `Intake`: what the client sends.

They are not one state. A server stops while a request arrives, and a client sends its last byte while another waits for
its turn. All of it is pure; `http_connection.py` does what follows from it.
"""

from enum import IntEnum

from signalpost.domain.transitions import Transitions


class ConnectionStage(IntEnum):
    """In this order: from REFUSED on, what the client sends is thrown away."""

    NEW = 0
    """No request has come yet. What has come is the beginning of a head, or nothing."""
    WAITING = 1
    """The same, after an answer."""
    RECEIVING = 2
    """A head has come, and its body comes."""
    ANSWERING = 3
    """The whole request has come. What the client sends now is held, and then not read, until the answer is out."""
    REFUSED = 4
    """The request was refused, or its body is malformed. The answer that says so is not out yet."""
    LEAVING = 5
    """The last answer is out. The client has time to read it."""
    LOST = 6
    """The client is gone, and nothing more is written."""


class StageInput(IntEnum):
    HEAD = 0
    END_OF_BODY = 1
    """At once after the head of a request without a body."""
    REFUSE = 2
    ANSWERED = 3
    ANSWERED_LAST = 4
    """An answer is complete, and no other request may follow."""
    LOSE = 5


STAGES: Transitions[ConnectionStage, StageInput] = {
    ConnectionStage.NEW: {
        StageInput.HEAD: ConnectionStage.RECEIVING,
        StageInput.REFUSE: ConnectionStage.REFUSED,
        StageInput.LOSE: ConnectionStage.LOST,
    },
    ConnectionStage.WAITING: {
        StageInput.HEAD: ConnectionStage.RECEIVING,
        StageInput.REFUSE: ConnectionStage.REFUSED,
        StageInput.LOSE: ConnectionStage.LOST,
    },
    ConnectionStage.RECEIVING: {
        StageInput.END_OF_BODY: ConnectionStage.ANSWERING,
        StageInput.REFUSE: ConnectionStage.REFUSED,
        # The client cannot know how much of its body was read.
        StageInput.ANSWERED: ConnectionStage.LEAVING,
        StageInput.ANSWERED_LAST: ConnectionStage.LEAVING,
        StageInput.LOSE: ConnectionStage.LOST,
    },
    ConnectionStage.ANSWERING: {
        StageInput.REFUSE: ConnectionStage.REFUSED,
        StageInput.ANSWERED: ConnectionStage.WAITING,
        StageInput.ANSWERED_LAST: ConnectionStage.LEAVING,
        StageInput.LOSE: ConnectionStage.LOST,
    },
    ConnectionStage.REFUSED: {StageInput.ANSWERED_LAST: ConnectionStage.LEAVING, StageInput.LOSE: ConnectionStage.LOST},
    ConnectionStage.LEAVING: {StageInput.LOSE: ConnectionStage.LOST},
    ConnectionStage.LOST: {},
}


class Persistence(IntEnum):
    KEPT = 0
    LAST = 1
    """The client asked for no more, or it cannot be known where its next request would begin."""
    STOPPING = 2
    """The server stops. A client that never sent a request may still send one."""


class PersistenceInput(IntEnum):
    NO_MORE = 0
    STOP = 1


PERSISTENCE: Transitions[Persistence, PersistenceInput] = {
    Persistence.KEPT: {PersistenceInput.NO_MORE: Persistence.LAST, PersistenceInput.STOP: Persistence.STOPPING},
    Persistence.LAST: {PersistenceInput.NO_MORE: Persistence.LAST, PersistenceInput.STOP: Persistence.STOPPING},
    Persistence.STOPPING: {PersistenceInput.NO_MORE: Persistence.STOPPING},
}


class Intake(IntEnum):
    """In this order: from QUEUED_AND_ENDED on, the client has sent its last byte."""

    PROCESSED = 0
    QUEUED = 1
    """What came waits for its turn to be processed (`sharing/short_rounds.py`)."""
    QUEUED_AND_ENDED = 2
    ENDED = 3


class IntakeInput(IntEnum):
    COME = 0
    PROCESS = 1
    END = 2


INTAKES: Transitions[Intake, IntakeInput] = {
    Intake.PROCESSED: {IntakeInput.COME: Intake.QUEUED, IntakeInput.END: Intake.ENDED},
    Intake.QUEUED: {
        IntakeInput.COME: Intake.QUEUED,
        IntakeInput.PROCESS: Intake.PROCESSED,
        IntakeInput.END: Intake.QUEUED_AND_ENDED,
    },
    # The end is read again once reading goes on after a pause.
    Intake.QUEUED_AND_ENDED: {IntakeInput.PROCESS: Intake.ENDED, IntakeInput.END: Intake.QUEUED_AND_ENDED},
    Intake.ENDED: {IntakeInput.END: Intake.ENDED},
}
