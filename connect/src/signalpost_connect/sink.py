"""What a sink is: it writes events, and knows itself how far it is.

The cursor is written with the events, all or nothing. So whatever ends the process, what reads the sink afterwards sees
each event once, and no other program has to remember anything.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from msgspec import Struct


class Entry(NamedTuple):
    """An event of the gateway's log."""

    sequence: int
    id: str
    type: str
    created_at: str
    document: str | None
    """The `externalId` of its document; None if that was erased."""
    body: bytes
    """The event as webhooks get it, in JSON."""


class SinkAway(Exception):
    """The sink cannot be used now. The message is a sentence for people, without a secret."""


class Sink(Protocol):
    """Where events are written. Registered as an entry point in the group `signalpost.sinks`: its name is the `kind` of
    a configuration."""

    api: ClassVar[int] = 1
    """The version of this interface that the class is written for."""
    config: ClassVar[type[Struct]]
    """What the table `[sink]` has besides `kind`. Forbid unknown fields, and use `Secret` for what is one."""

    def __init__(self, config: Any) -> None:
        """Take a checked `config`. Nothing is connected before the first `cursor`. Raises ValueError, whose message
        says which member is wrong, and has no secret in it."""

    async def cursor(self) -> int | None:
        """Take over, so that nothing which another process has begun to write is written any more, and return the
        sequence of the last event that was written; None if there is none. Raises SinkAway."""
        ...

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write all of them, and the sequence of the last as the cursor, or nothing. Raises SinkAway; it is then
        unknown whether they were written, and `cursor` tells."""
        ...

    async def close(self) -> None:
        """Let go of connections. Never raises."""
