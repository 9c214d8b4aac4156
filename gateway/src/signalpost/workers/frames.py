"""What a gateway and a worker tell each other.

What either says in a turn of its loop is a list of items, behind its length: one frame.

An attempt has a number, which is the gateway's own and names it in both directions. A request of a client is a *call*.
Its number is its worker's own. A call goes through these items, in this order:

    worker                                gateway
    CallFrame         ─────────────────▶  the application is called
    BodyPart, BodyBroken   ◀── each ───   WantPart
    ClientGone             ◀───────────   WantEnd
    CallCancelled     ─────────────────▶  the worker stops, and waits no longer; there may be an answer still
                      ◀────────────────   AnswerBegun, with the whole answer or the beginning of one
    PartTaken              ◀── each ───   AnswerPart
    CallOver          ─────────────────▶  an answer in parts has come to its end
                      ◀────────────────   AnswerBroken, instead of what is missing of an answer
"""

from typing import Any, Final

from msgspec import Struct

from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest
from signalpost.listener.certificate import CertifiedKey
from signalpost.listener.serving import ServerSettings

LENGTH_BYTES: Final = 4
"""The size of a frame's length, before it."""


class BeginSending(Struct, frozen=True, array_like=True, tag=1):
    """Be ready for attempts."""

    settings: bytes
    """The sender's settings, pickled. No one but the gateway itself writes to this end of the socket. The egress
    proxy's password may be among them, so they come this way, and not in a command line or the environment."""


class Tls(Struct, frozen=True, array_like=True):
    """The files of a certificate and its key, and the pair to speak TLS with while what is in them cannot be used. It
    comes this way for the reason that the sender's settings do."""

    cert: str
    key: str
    good: CertifiedKey


class BeginListening(Struct, frozen=True, array_like=True, tag=2):
    """Listen, with limits that are this worker's part of all."""

    place: int
    """Which of the sockets to listen on."""
    settings: ServerSettings
    tls: Tls | None


class Begin(Struct, frozen=True, array_like=True, tag=3):
    """Say that you are ready. This is the last of the first items."""

    log_level: int


class AreYouThere(Struct, frozen=True, array_like=True, tag=4):
    pass


class EndFrame(Struct, frozen=True, array_like=True, tag=5):
    """Let attempts end for so many seconds, interrupt the others, tell the outcomes of all, and end."""

    grace: float


class Send(Struct, frozen=True, array_like=True, tag=6):
    """Make this attempt."""

    number: int
    request: OutgoingRequest


class ListenFor(Struct, frozen=True, array_like=True, tag=7):
    """Listen on the socket of another place, too: its worker is away."""

    place: int


class ListenNoMoreFor(Struct, frozen=True, array_like=True, tag=8):
    place: int


class EndListening(Struct, frozen=True, array_like=True, tag=9):
    """Let calls end, as a server does when it stops."""


class WantPart(Struct, frozen=True, array_like=True, tag=10):
    """The application waits for the next part of a call's body."""

    number: int


class WantEnd(Struct, frozen=True, array_like=True, tag=11):
    """The application waits for the client of a call to be gone."""

    number: int


class AnswerBegun(Struct, frozen=True, array_like=True, tag=12):
    number: int
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_whole: bool
    """Otherwise the body comes in parts."""


class AnswerPart(Struct, frozen=True, array_like=True, tag=13):
    number: int
    part: bytes
    is_last: bool


class AnswerBroken(Struct, frozen=True, array_like=True, tag=14):
    """The rest of an answer will not come."""

    number: int


ToWorker = (
    BeginSending
    | BeginListening
    | Begin
    | AreYouThere
    | EndFrame
    | Send
    | ListenFor
    | ListenNoMoreFor
    | EndListening
    | WantPart
    | WantEnd
    | AnswerBegun
    | AnswerPart
    | AnswerBroken
)


class Ready(Struct, frozen=True, array_like=True, tag=1):
    """The worker works from now on."""


class Here(Struct, frozen=True, array_like=True, tag=2):
    """The answer to `AreYouThere`."""


class LineFrame(Struct, frozen=True, array_like=True, tag=3):
    """A line for the gateway's log."""

    level: int
    message: str
    fields: dict[str, Any]


class AttemptEnd(Struct, frozen=True, array_like=True, tag=4):
    """An attempt has ended like this."""

    number: int
    outcome: Outcome


class OriginFrame(Struct, frozen=True, array_like=True):
    """What mostly is the same in the heads of a client's requests."""

    headers: tuple[tuple[bytes, bytes], ...]
    client: str | None
    scheme: str
    http_1_1: bool
    expects_continue: bool

    @property
    def size(self) -> int:
        """How many bytes its headers take, more or less."""
        return sum(len(name) + len(value) for name, value in self.headers)


class Refusal(Struct, frozen=True, array_like=True):
    """The error for which the listener refuses a request."""

    kind: str
    code: str
    detail: str


class CallFrame(Struct, frozen=True, array_like=True, tag=5):
    """A client's request. If its body is not whole yet, the first part comes without being asked for, unless the client
    waits to be asked: many clients send a body right after its head, but not with it."""

    number: int
    method: str
    path: str
    raw_path: bytes
    query: bytes
    length: int | None
    origin: int
    """The number of its origin, by which that is known from now on; negative if it is not to be remembered."""
    body: bytes
    is_whole: bool
    """Whether this is the whole body."""
    new_origin: OriginFrame | None = None
    """None if it is known."""
    refusal: Refusal | None = None


class BodyPart(Struct, frozen=True, array_like=True, tag=6):
    number: int
    part: bytes
    follows: bool
    """Whether more follows."""


class BodyBroken(Struct, frozen=True, array_like=True, tag=7):
    number: int


class ClientGone(Struct, frozen=True, array_like=True, tag=8):
    number: int


class CallCancelled(Struct, frozen=True, array_like=True, tag=9):
    number: int


class PartTaken(Struct, frozen=True, array_like=True, tag=10):
    number: int
    length: int


class CallOver(Struct, frozen=True, array_like=True, tag=11):
    number: int


class NoMoreCalls(Struct, frozen=True, array_like=True, tag=12):
    """The worker has stopped to listen, and all calls have ended."""


CallProgress = BodyPart | BodyBroken | ClientGone | CallCancelled | PartTaken | CallOver
"""What a worker says of a call after its `CallFrame`."""
ToGateway = Ready | Here | LineFrame | AttemptEnd | CallFrame | CallProgress | NoMoreCalls


def size(item: ToWorker | ToGateway) -> int:
    """How many bytes an item takes in its frame, more or less."""
    match item:
        case Send(_, request):
            return len(request.head) + len(request.body)
        case AttemptEnd(_, outcome):
            return len(outcome.answer) + len(outcome.head)
        case CallFrame():
            origin = item.new_origin
            # The path goes twice, and without its escapes it may be longer in UTF-8.
            head = 3 * len(item.raw_path) + len(item.query) + (0 if origin is None else origin.size)
            return head + len(item.body)
        case AnswerBegun():
            return len(item.body)
        case BodyPart() | AnswerPart():
            return len(item.part)
        case _:
            return 0
