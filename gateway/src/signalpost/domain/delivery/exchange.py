"""What went over the wire in one attempt, for people who look into a failure.

It is kept of attempts that failed, and of tests and replays; a delivery that went well keeps none. Nothing in it is
secret: the URL is kept as it is shown, and of the request's headers only those that the gateway itself sets have a
value. The answer's headers are the endpoint's own; those that set cookies or ask for credentials have none.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from signalpost.domain.shown_url import STRUCK, shown_url

MAX_HEAD_BYTES: Final = 8 * 1024
"""How much is kept of an answer's head."""
_SHOWN: Final = frozenset(
    "host user-agent content-type content-length accept-encoding webhook-id webhook-timestamp webhook-signature"
    " plexus-webhook-signature plexus-webhook-signature-alternate"
    " signalpost-sequence signalpost-attempt signalpost-replay signalpost-test signalpost-shadow".split()
)
"""Headers that the gateway sets itself, which hold nothing secret."""
_STRUCK_IN_ANSWERS: Final = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})


class _ConnectionSteps(Struct, frozen=True, kw_only=True):
    """How the connection of an attempt was made."""

    address: str | None = None
    """What was dialled, such as `203.0.113.18`; None if no connection was made."""
    tls: str | None = None
    """The version that was agreed on, such as `TLSv1.3`."""
    is_new: bool = True
    """Whether the connection was made for this attempt."""
    name_us: int | None = None
    """How long each step took, for a connection that was made for this attempt; None if it was not reached."""
    connect_us: int | None = None
    tls_us: int | None = None


class Trace(_ConnectionSteps, frozen=True, array_like=True):
    """What a sender saw of an attempt."""

    request_head: bytes
    answer_head: bytes = b""
    """Status line and headers, as far as they were complete."""


class Exchange(_ConnectionSteps, frozen=True, omit_defaults=True):
    """A trace as it is kept and shown. Member names are part of the schema."""

    url: str
    request_headers: tuple[tuple[str, str], ...] = ()
    answer_headers: tuple[tuple[str, str], ...] = ()


def exchange_of(trace: Trace, url: str) -> Exchange:
    """What is kept of an attempt at a URL."""
    return Exchange(
        url=shown_url(url),
        request_headers=_headers(trace.request_head, lambda name: name in _SHOWN),
        answer_headers=_headers(trace.answer_head[:MAX_HEAD_BYTES], lambda name: name not in _STRUCK_IN_ANSWERS),
        address=trace.address,
        tls=trace.tls,
        is_new=trace.is_new,
        name_us=trace.name_us,
        connect_us=trace.connect_us,
        tls_us=trace.tls_us,
    )


def _headers(head: bytes, is_shown: Callable[[str], bool]) -> tuple[tuple[str, str], ...]:
    found = []
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found.append((name, value.strip() if is_shown(name.strip().lower()) else STRUCK))
    return tuple(found)
