"""What tests of sinks have in common."""

import uuid
from collections.abc import Sequence

from signalpost_connect.sink import Entry, Sink


def entry(sequence: int, document: str = "d", body: bytes = b"{}") -> Entry:
    """An event as the log has it."""
    return Entry(sequence, str(uuid.uuid4()), "documentUpdated", "2026-01-01T00:00:00.000000+00:00", document, body)


async def written(sink: Sink, entries: Sequence[Entry]) -> int | None:
    """Write events as a drain does that begins, and return the cursor that it found."""
    try:
        found = await sink.cursor()
        await sink.write(entries)
        return found
    finally:
        await sink.close()
