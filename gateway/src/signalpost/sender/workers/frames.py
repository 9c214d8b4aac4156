"""What a gateway and a sender worker tell each other. A frame is one message behind its length.

An attempt has a number, which is the gateway's own and names it in both directions.
"""

from typing import Any, Final

from msgspec import Struct

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest

LENGTH_BYTES: Final = 4
"""The size of a message's length, before it."""


class Begin(Struct, frozen=True, array_like=True, tag=1):
    """The first message to a worker. It may hold the egress proxy's password, so it comes this way, and not in a
    command line or the environment."""

    settings: bytes
    """The sender's settings, pickled. No one but the gateway itself writes to this end of the socket."""
    log_level: int


class Send(Struct, frozen=True, array_like=True, tag=2):
    """Make these attempts."""

    requests: list[tuple[int, OutgoingRequest]]


class End(Struct, frozen=True, array_like=True, tag=3):
    """Let attempts end for so many seconds, interrupt the others, tell the outcomes of all, and end."""

    grace: float


ToWorker = Begin | Send | End


class Ready(Struct, frozen=True, array_like=True, tag=1):
    """The worker takes attempts from now on."""


class Outcomes(Struct, frozen=True, array_like=True, tag=2):
    """Attempts have ended like this."""

    outcomes: list[tuple[int, Outcome]]


class Line(Struct, frozen=True, array_like=True, tag=3):
    """A line for the gateway's log."""

    level: int
    message: str
    fields: dict[str, Any]


ToGateway = Ready | Outcomes | Line
