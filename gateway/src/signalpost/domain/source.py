"""Sources: programs outside of the gateway that feed it, such as a reader of an outbox or of a queue.

The gateway cannot see what waits there. So each source says every 30 seconds how old the oldest change is that it has
not handed over, and how many it gave up. From that, and from silence, follows whether it is in trouble.
"""

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from signalpost.domain.body import Body
from signalpost.domain.timestamps import MINUTE, SECOND, readable

SOURCE_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
MAX_NUMBER: Final = 10**12
MOST_SOURCES: Final = 100
"""How many sources a tenant may have."""
BEHIND_FROM: Final = 300
"""How old a change may become at its source, in seconds."""
SILENT_AFTER: Final = 2 * MINUTE
"""For how long nothing may be heard: four reports."""


class SourceState(StrEnum):
    HEALTHY = "healthy"
    BEHIND = "behind"
    SILENT = "silent"
    """Nothing was heard of it for so long that it may have ended."""


class Source(Struct, frozen=True, kw_only=True):
    """A source, and what it said last."""

    number: int
    tenant_id: int
    id: str
    name: str
    oldest_seconds: int
    """How old the oldest change was that it had not handed over; 0 if there was none."""
    dead: int
    """How many changes it had given up and kept."""
    added_at: int
    heard_at: int
    deleted_at: int | None = None
    """When it was removed: its row is removed as it is written."""

    @property
    def created_at(self) -> int:
        """What `Table.removals` holds against the end of a row."""
        return self.heard_at if self.deleted_at is None else self.deleted_at

    def state(self, now: int) -> SourceState:
        if now - self.heard_at > SILENT_AFTER:
            return SourceState.SILENT
        return SourceState.BEHIND if self.oldest_seconds >= BEHIND_FROM else SourceState.HEALTHY

    def needs_someone(self, now: int) -> bool:
        """Whether a person should look at it."""
        return self.dead > 0 or self.state(now) is not SourceState.HEALTHY


class SourceTrouble(NamedTuple):
    """Why a person should look at a source."""

    since: int
    detail: str


def trouble_of(source: Source, now: int, listens_since: int) -> SourceTrouble | None:
    """What is wrong with a source; None if nothing is. The gateway listens since `listens_since`: if nothing was heard
    before that, it may not have been the source that was silent."""
    found: list[SourceTrouble] = []
    if now - max(source.heard_at, listens_since) > SILENT_AFTER:
        detail = f"Nothing was heard of it since {readable(source.heard_at)}."
        found.append(SourceTrouble(source.heard_at, detail))
    if source.oldest_seconds >= BEHIND_FROM:
        since = source.heard_at - source.oldest_seconds * SECOND
        found.append(SourceTrouble(since, f"A change has waited there since {readable(since)}."))
    if source.dead:
        given_up = f"{source.dead:,} {'change' if source.dead == 1 else 'changes'}"
        found.append(SourceTrouble(source.heard_at, f"It gave up {given_up}, and keeps the reasons."))
    if not found:
        return None
    return SourceTrouble(min(each.since for each in found), " ".join(each.detail for each in found))


class SourceReport(Body, frozen=True, kw_only=True):
    """How a source does, as it says itself."""

    oldest_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_NUMBER,
            description="Age of the oldest change that it has not handed over, in whole seconds; 0 if there is none.",
        ),
    ]
    dead: Annotated[
        int, Meta(ge=0, le=MAX_NUMBER, description="Number of changes that it gave up and keeps, each with its reason.")
    ]
