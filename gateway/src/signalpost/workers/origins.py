"""How heads travel: what a client's requests have in common once, and then by its number.

Clients mostly send the same headers again. To send and read them again would be most of what a head costs.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from signalpost.domain.errors import CallerError, HeadTooLarge, TooManyConnections, Unavailable, Unparseable
from signalpost.listener.application import Head
from signalpost.workers.frames import CallFrame, OriginFrame, Refusal

REMEMBERED: Final = 1024
MAX_BYTES: Final = 4096
"""Origins with more than this are not remembered: a client needs no key to send them."""
NOT_REMEMBERED: Final = -1


class OriginsToSend:
    """The origins that a gateway knows, as its worker knows that."""

    def __init__(self) -> None:
        self._numbers: dict[OriginFrame, int] = {}
        """In the order in which they were sent first."""

    def number(self, origin: OriginFrame) -> tuple[int, OriginFrame | None]:
        """The number of an origin, and the origin itself if it has to be sent."""
        number = self._numbers.get(origin)
        if number is not None:
            return number, None
        if origin.size > MAX_BYTES:
            return NOT_REMEMBERED, origin
        known = len(self._numbers)
        number = known if known < REMEMBERED else self._numbers.pop(next(iter(self._numbers)))
        self._numbers[origin] = number
        return number, origin


class _SentOrigin(Struct, frozen=True):
    origin: OriginFrame
    named: Mapping[bytes, str]


class OriginsSent:
    """The origins that a worker has sent."""

    def __init__(self) -> None:
        self._known: dict[int, _SentOrigin] = {}

    def head_of(self, call: CallFrame) -> Head:
        """Raises KeyError or ValueError if there can be no such call."""
        origin = call.new_origin
        if origin is None:
            known = self._known[call.origin]
        else:
            named = {name: value.decode("latin-1") for name, value in reversed(origin.headers)}
            known = _SentOrigin(origin, named)
            if 0 <= call.origin < REMEMBERED:
                self._known[call.origin] = known
        origin = known.origin
        return Head(
            method=call.method,
            path=call.path,
            raw_path=call.raw_path,
            query=call.query,
            headers=origin.headers,
            named=known.named,
            length=call.length,
            http_1_1=origin.http_1_1,
            expects_continue=origin.expects_continue,
            client=origin.client,
            scheme=origin.scheme,
            refusal=None if call.refusal is None else _error(call.refusal),
        )


def refusal_of(error: CallerError | Unavailable | None) -> Refusal | None:
    """What travels of the error for which the listener refuses a request."""
    return None if error is None else Refusal(type(error).__name__, error.code, error.detail)


def _error(refusal: Refusal) -> CallerError | Unavailable:
    if refusal.kind == TooManyConnections.__name__:
        return TooManyConnections()
    kind = HeadTooLarge if refusal.kind == HeadTooLarge.__name__ else Unparseable
    return kind(refusal.code, refusal.detail)
