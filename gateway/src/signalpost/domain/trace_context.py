"""Trace contexts (W3C Trace Context): they connect a client's work with the event that it caused, and with what became
of that event.

A context is 25 bytes, as an event keeps it: the trace, the span that asked for the event, and flags. Only one whose
trace is recorded ("sampled") is kept. Zeros stand for no trace yet, and for no span that asked.

The ids of our own spans are stored nowhere. They are derived from what a span is about. So an endpoint can be told the
id of a span that is made once the attempt has ended, after a restart or by another node if need be.
"""

import re
from hashlib import blake2b
from typing import Final

NOT_TRACED: Final = b""
NO_TRACE: Final = bytes(16)
NO_SPAN: Final = bytes(8)
SAMPLED: Final = 0x01
_KNOWN_FLAGS: Final = 0x03
"""Sampled, and that the trace's id is random."""
_HEADER: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.DOTALL
)
_LENGTH: Final = 55
"""How long a header of version 00 is, which has nothing after the flags."""
_RANDOM_BITS: Final = 56
"""How many bits at the end of a trace's id are random: the last 14 digits of an event's id."""


def parse(header: str | None) -> bytes:
    """The context that a `traceparent` names; `NOT_TRACED` if it is missing or malformed. Of a later version, that is
    read which 00 has, too."""
    if header is None:
        return NOT_TRACED
    found = _HEADER.fullmatch(header)
    if found is None or (len(header) > _LENGTH and header.startswith("00")):
        return NOT_TRACED
    return bytes.fromhex(found[1] + found[2]) + bytes((int(found[3], 16) & _KNOWN_FLAGS,))


def asked_within(context: bytes, span: bytes) -> bytes:
    """The context of what is done within a span of ours that was asked for in a context, or in none."""
    return NO_TRACE + span + b"\0" if context == NOT_TRACED else context[:16] + span + context[24:]


def is_sampled(context: bytes) -> bool:
    return context != NOT_TRACED and bool(context[24] & SAMPLED)


def kept_with(context: bytes, event_id: str, ratio: float) -> bytes:
    """The context that an event keeps which was asked for in this one: `NOT_TRACED` if it is not sampled. A client that
    names a trace has decided that. Of the other events a share is sampled, each in a trace with the event's own id."""
    if context and context[:16] != NO_TRACE:
        return context if is_sampled(context) else NOT_TRACED
    if int(event_id[-15:].replace("-", ""), 16) >= ratio * (1 << _RANDOM_BITS):
        return NOT_TRACED
    return trace_of_event(event_id) + (context[16:24] or NO_SPAN) + bytes((_KNOWN_FLAGS,))


def trace_of_event(event_id: str) -> bytes:
    """The id of the trace of an event for which no client named one: the event's own. All but its time is random."""
    return bytes.fromhex(event_id.replace("-", ""))


def span_of(*about: str | int) -> bytes:
    """The id of the span about these things."""
    return _derived(8, about)


def trace_of(*about: str | int) -> bytes:
    """The id of a trace of its own about these things."""
    return _derived(16, about)


def _derived(size: int, about: tuple[str | int, ...]) -> bytes:
    return blake2b("\n".join(map(str, about)).encode(), digest_size=size).digest()


def header_of(trace: bytes, span: bytes) -> str:
    """The `traceparent` of what is done within a span of a sampled trace."""
    return f"00-{trace.hex()}-{span.hex()}-{SAMPLED:02x}"
