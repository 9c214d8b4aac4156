"""What verdicts mean for the partitions of a topic, without any I/O.

A partition has one offset for what is done: everything below it. So what is behind the first message that comes again
comes again as well, whatever became of it, and is unchanged then.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from signalpost_connect.source import Message, Outcome, Verdict

LONGEST_PROBLEM = 1000


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(Protocol):
    """A record as the client of Kafka has it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Settlement(NamedTuple):
    """What is to be done about the records of a batch."""

    done: Mapping[Place, int]
    """The offset below which everything of a partition is done."""
    dead: Sequence[tuple[Record, str]]
    """Records to keep, each with its problem."""
    again: Mapping[Place, int]
    """The offset from which on a partition comes again."""


def settlement_of(judged: Iterable[tuple[Record, Verdict]]) -> Settlement:
    """What the verdicts on records mean, which are in the order of their offsets."""
    done, again = dict[Place, int](), dict[Place, int]()
    dead = list[tuple[Record, str]]()
    for record, verdict in judged:
        place = Place(record.topic, record.partition)
        if place in again:
            continue
        if verdict.outcome is Outcome.AGAIN:
            again[place] = record.offset
            continue
        done[place] = record.offset + 1
        if verdict.outcome is Outcome.DEAD:
            dead.append((record, verdict.problem))
    return Settlement(done, dead, again)


def name_of(record: Record) -> str:
    """What people look for it under."""
    return f"{record.topic}/{record.partition}@{record.offset}"


def message_of(record: Record) -> Message:
    """The message that a record is. The offset is its version. Without a value, it deletes the document of its key."""
    key = None if record.key is None else record.key.decode(errors="replace")
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    if key is not None:
        headers.setdefault("key", key)
    body = record.value
    if body is None:
        body = json.dumps({"deleted": True} | ({} if key is None else {"externalId": key})).encode()
    return Message(name_of(record), body, record.offset, headers)


def headers_of_dead(record: Record, problem: str) -> list[tuple[str, bytes]]:
    """The headers of a dead record: those that it had, why it is dead, and where it was."""
    kept = [(name, value or b"") for name, value in record.headers if name not in ("problem", "origin")]
    return [*kept, ("problem", problem[:LONGEST_PROBLEM].encode()), ("origin", name_of(record).encode())]
