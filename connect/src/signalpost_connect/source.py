"""What a source is: it hands out messages in batches, and learns what became of each.

    take ──▶ batch ──▶ the gateway answers every message ──▶ settle

A message that was taken and not settled has to come again, after a crash or with the next `take`: that is the one
promise on which everything else rests. It may come twice without harm, as its version tells the gateway that it has it.
The messages of a document must come in the order of their versions, as an older state is dropped once a newer one is
there.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from msgspec import Struct


class Message(NamedTuple):
    """A state of a document, or its deletion, as the source has it."""

    id: str
    """What the source calls it, for people who look for it there."""
    body: bytes
    """JSON: a line of an import, or what a mapping makes one of."""
    version: int | None = None
    """What rises with every state of its document; None if the source does not know, and a mapping has to say."""
    headers: Mapping[str, str] = {}
    """What came beside the body. `traceparent` goes on to the gateway."""


class Batch(NamedTuple):
    """The messages of one `take`, oldest first."""

    messages: Sequence[Message]
    oldest_seconds: float = 0.0
    """For how long the oldest of them has waited in the source."""


class Outcome(Enum):
    """What became of a message."""

    APPLIED = "applied"
    """The gateway changed its document."""
    UNCHANGED = "unchanged"
    """The gateway has this state already, or a newer one."""
    DEAD = "dead"
    """The gateway will never take it as it is."""
    AGAIN = "again"
    """The gateway did not answer; it has to come again."""


class Verdict(NamedTuple):
    """What became of a message, and if it is dead, why."""

    outcome: Outcome
    problem: str = ""


APPLIED = Verdict(Outcome.APPLIED)
UNCHANGED = Verdict(Outcome.UNCHANGED)
AGAIN = Verdict(Outcome.AGAIN)


def dead(problem: str) -> Verdict:
    """The verdict on a message that will never be taken, with a sentence that says why."""
    return Verdict(Outcome.DEAD, problem)


class SourceAway(Exception):
    """The source cannot be used now. The message is a sentence for people, without a secret."""


class Source(Protocol):
    """Where messages come from. Registered as an entry point in the group `signalpost.sources`: its name is the `kind`
    of a configuration. If its messages have no version, `has_versions = False` has a mapping without one refused.

    With `reads_ahead = True` it is asked for the next batch while the gateway answers one: `take` then gives what
    follows the batches that are not settled. They are settled in the order in which they were taken, and once something
    of one comes again, so does everything of the next. Without, a batch is settled before the next `take`."""

    api: ClassVar[int] = 1
    """The version of this interface that the class is written for."""
    config: ClassVar[type[Struct]]
    """What the table `[source]` has besides `kind`. Forbid unknown fields, and use `Secret` for what is one."""

    def __init__(self, config: Any) -> None:
        """Take a checked `config`. Nothing is connected before the first `take`. Raises ValueError, whose message says
        which member is wrong, and has no secret in it."""

    async def take(self, most: int, seconds: float) -> Batch:
        """At most so many messages, which stay in the source until they are settled. If there is none, wait for so many
        seconds, and return an empty batch. After a failure the next call connects anew. Raises SourceAway."""
        ...

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Apply the verdicts on the messages of the oldest batch that is not settled, in their order: remove what is
        applied or unchanged, keep what is dead apart with its problem, and let come again what is `AGAIN`. Raises
        SourceAway; all that is not settled then comes again, also of later batches."""

    async def dead(self) -> int | None:
        """How many dead messages it keeps. None if it has no messages because another reader has them: then the other
        one tells the gateway how the source does. Raises SourceAway."""
        ...

    async def close(self) -> None:
        """Let go of connections. What was not settled comes again. Never raises."""


@runtime_checkable
class Looks(Protocol):
    """A source that can show messages and be no reader meanwhile: it has this if its `take` would disturb others."""

    async def look(self, most: int, seconds: float) -> Batch:
        """What the next `take` would give. Nothing is changed, and nothing is settled. Raises SourceAway."""
        ...
