"""What the answer of a search looks like."""

from typing import Annotated, Literal

from msgspec import Meta

from signalpost.api.routing.shapes.shape import Shape
from signalpost.domain.fields import Timestamp, Uuid


class SearchResult(Shape, frozen=True):
    """Something that a text leads to."""

    kind: Literal["event", "document", "subscription"]
    id: Uuid
    title: Annotated[str, Meta(description="A document's title, a subscription's name, or an event's type.")]
    detail: Annotated[str, Meta(description="What distinguishes it: status, URL, reference, owner.")]
    at: Annotated[Timestamp, Meta(description="When it changed last; of an event, when it was made.")]


class SearchResults(Shape, frozen=True):
    data: Annotated[list[SearchResult], Meta(description="The closest first, at most 20 of a kind.")]
