"""What answers about shadows look like."""

from typing import Annotated

from msgspec import Meta

from signalpost.api.routing.shapes.deliveries import DeliveredEvent, EndpointAnswer
from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.domain.delivery.comparison import Difference
from signalpost.domain.fields import Timestamp


class ComparedAttempt(EndpointAnswer, frozen=True):
    """The last attempt of an event to one of the two endpoints."""


class ComparedEvent(DeliveredEvent, frozen=True, kw_only=True):
    """An event that the two endpoints answered differently."""

    differ_in: list[Difference]
    original: ComparedAttempt
    shadow: ComparedAttempt


class Latencies(Shape, frozen=True):
    """How long an endpoint took to answer what was compared."""

    median_ms: float
    p95_ms: Annotated[float, Meta(description="95 of 100 answers came within this time.")]


class Comparison(Shape, frozen=True):
    """How the endpoints of a shadow and its original answered the same events."""

    compared: Annotated[
        int,
        Meta(
            description="How many events were compared: of the newest 10,000 below the cursor those that both "
            "endpoints got since they have their URLs."
        ),
    ]
    agree: Annotated[int, Meta(description="How many of them were answered alike, in status and answer.")]
    status_differs: Annotated[int, Meta(description="How many got another status, or no answer in another way.")]
    answer_differs: Annotated[int, Meta(description="How many got another first KiB of the answer.")]
    since: Annotated[
        Timestamp,
        Meta(
            description="From when on attempts are compared: a minute after the last change of a URL, since a node "
            "that hears of it late sends to the former one meanwhile."
        ),
    ]
    original: Annotated[Latencies | None, Meta(description="Null if nothing was compared, and so for the shadow.")]
    shadow: Latencies | None
    data: Annotated[list[ComparedEvent], Meta(description="Events that were answered differently, newest first.")]
    next: Cursor
