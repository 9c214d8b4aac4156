"""What answers about sources look like."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.source import BEHIND_FROM, SILENT_AFTER, SourceState
from signalpost.domain.timestamps import SECOND


class SourceShown(Shape, frozen=True):
    """A program that feeds the tenant, and what it said last."""

    id: Uuid
    name: str
    state: Annotated[
        SourceState,
        Meta(
            description=f"`silent` if nothing was heard of it for {SILENT_AFTER // SECOND} s, else `behind` if a "
            f"change had waited there for {BEHIND_FROM} s or more."
        ),
    ]
    oldest_seconds: Annotated[
        int, Meta(description="How old the oldest change was that it had not handed over; 0 if there was none.")
    ]
    dead: Annotated[int, Meta(description="How many changes it had given up and kept.")]
    added_at: Timestamp
    heard_at: Annotated[Timestamp, Meta(description="When it last said how it does.")]


class SourcePage(Shape, frozen=True):
    data: list[SourceShown]
    next: Cursor
