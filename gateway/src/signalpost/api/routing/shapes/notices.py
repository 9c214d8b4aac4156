"""What answers about notices look like."""

from typing import Annotated, Literal

from msgspec import Meta

from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.operations.notices import Subject


class OpenNotice(Shape, frozen=True):
    """Something that is wrong now."""

    id: Uuid
    kind: str
    severity: Literal["info", "warning", "critical"]
    subject: Subject
    sentence: str
    url: Annotated[str, Meta(description="The page of the console that shows more.")]
    since: Timestamp
    opened_at: Timestamp
    told_at: Annotated[Timestamp | None, Meta(description="When a notice last told of it; null if none has yet.")]
    gone_since: Annotated[
        Timestamp | None,
        Meta(description="Since when it is not so any more: soon a notice says that it closed."),
    ]
    muted_until: Annotated[Timestamp | None, Meta(description="Until then nobody is reminded of it.")]


class NoticeCount(Shape, frozen=True):
    count: int


class NoticePage(Shape, frozen=True):
    data: list[OpenNotice]
    next: Cursor
