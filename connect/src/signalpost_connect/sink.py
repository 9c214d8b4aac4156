"""What a sink is: it writes events, and knows itself how far it is.

The cursor is kept where the events are, so no other program has to remember anything. Best it is written with them, all
or nothing: then whatever ends the process, who reads the sink sees each event once. A sink that cannot do that writes
the cursor after the events, never before. A crash between the two then has events written twice, under the same ids,
and none is missing.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

from msgspec import Meta, Struct

Origin = Annotated[str, Meta(pattern="^[!-~]{1,256}$")]
"""Where events come from, as the attribute `source` of CloudEvents says it."""


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


def attributes_of(entry: Entry, source: str) -> Mapping[str, str]:
    """What CloudEvents says beside an event, by the names of its attributes; what goes before a name depends on how it
    is sent."""
    attributes = {
        "specversion": "1.0",
        "id": entry.id,
        "source": source,
        "type": entry.type,
        "time": entry.created_at,
        "sequence": str(entry.sequence),
    }
    return attributes if entry.document is None else {**attributes, "subject": entry.document}


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
        """Take over from the process before, and return the sequence of the last event that was written; None if there
        is none. If another process still writes, it fails from now on, or `write` of this one does, or this raises:
        what two processes write is never mixed. Raises SinkAway."""
        ...

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write all of them in their order, and the sequence of the last as the cursor. Raises SinkAway; it is then
        unknown how many were written, and `cursor` tells."""
        ...

    async def close(self) -> None:
        """Let go of connections. Never raises."""
