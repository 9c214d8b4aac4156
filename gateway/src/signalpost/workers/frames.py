"""What a gateway and a worker tell each other.

What either says in a turn of its loop is a list of items, behind its length: one frame. An attempt has a number, which
is the gateway's own and names it in both directions.
"""

from typing import Any, Final

from msgspec import Struct

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest

LENGTH_BYTES: Final = 4
"""The size of a frame's length, before it."""


class BeginSending(Struct, frozen=True, array_like=True, tag=1):
    """Be ready for attempts."""

    settings: bytes
    """The sender's settings, pickled. No one but the gateway itself writes to this end of the socket. The egress
    proxy's password may be among them, so they come this way, and not in a command line or the environment."""


class Begin(Struct, frozen=True, array_like=True, tag=2):
    """Say that you are ready. This is the last of the first items."""

    log_level: int


class End(Struct, frozen=True, array_like=True, tag=3):
    """Let attempts end for so many seconds, interrupt the others, tell the outcomes of all, and end."""

    grace: float


class Send(Struct, frozen=True, array_like=True, tag=4):
    """Make this attempt."""

    number: int
    request: OutgoingRequest


ToWorker = BeginSending | Begin | End | Send


class Ready(Struct, frozen=True, array_like=True, tag=1):
    """The worker works from now on."""


class Line(Struct, frozen=True, array_like=True, tag=2):
    """A line for the gateway's log."""

    level: int
    message: str
    fields: dict[str, Any]


class AttemptEnd(Struct, frozen=True, array_like=True, tag=3):
    """An attempt has ended like this."""

    number: int
    outcome: Outcome


ToGateway = Ready | Line | AttemptEnd


def size(item: ToWorker | ToGateway) -> int:
    """How many bytes an item takes in its frame, more or less."""
    match item:
        case Send(_, request):
            return len(request.head) + len(request.body)
        case AttemptEnd(_, outcome):
            return len(outcome.answer) + len(outcome.head)
        case _:
            return 0
