"""What the stream of changes tells."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.routing.shapes.shape import Shape
from signalpost.engine.revisions import Topic


class Changed(Shape, frozen=True):
    """One message of the stream."""

    topics: Annotated[list[Topic], Meta(description="What changed since the previous message.")]
