"""What answers about rehearsals look like."""

from typing import Annotated

from msgspec import Meta, field

from signalpost.api.routing.shapes.shape import Shape
from signalpost.domain.delivery.rehearsal import RehearsedEvent
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.engine.connectors.shown_requests import ShownRequest


class RehearsalExamples(Shape, frozen=True):
    """The newest twenty events of each kind."""

    both: list[RehearsedEvent]
    more: list[RehearsedEvent]
    less: list[RehearsedEvent]
    cannot: list[RehearsedEvent]


class RehearsedRequests(Shape, frozen=True):
    event_id: Uuid
    requests: Annotated[
        list[ShownRequest],
        Meta(
            description="The request, and for kinds that look first what would follow. Secrets are struck out; what "
            "signs a webhook's is not its secret but a text that is none."
        ),
    ]


class Rehearsal(Shape, frozen=True):
    """What a subscription would have sent of a part of the log, beside what it sends as it is."""

    id: Annotated[
        str | None,
        Meta(
            description="Once the change is saved, a replay of this sends what was missing. Null for a new "
            "subscription. Nothing is kept under it; it says itself what was rehearsed."
        ),
    ]
    from_: Timestamp = field(name="from")
    to: Timestamp
    from_sequence: int
    to_sequence: Annotated[int, Meta(description="Lower than `fromSequence` if there are no events.")]
    looked_back_to: Annotated[
        Timestamp | None,
        Meta(
            description="Set if the rehearsal ended before it came to `from`, because it looks at so many events only: "
            "all numbers are about events from this moment on."
        ),
    ]
    now: Annotated[int, Meta(description="Events that the subscription sends as it is.")]
    then: Annotated[int, Meta(description="Events that it would send.")]
    both: Annotated[int, Meta(description="Events that it sends as it is, and would send.")]
    more: Annotated[int, Meta(description="Events that only the changed subscription would send.")]
    less: Annotated[int, Meta(description="Events that it would no longer send.")]
    cannot: Annotated[
        int,
        Meta(
            description="Events that it would want and could make nothing of, such as a placeholder that does not fit."
        ),
    ]
    examples: RehearsalExamples
    requests: Annotated[
        list[RehearsedRequests],
        Meta(
            description="What would be sent of up to three events, those first that it does not send as it is. Only "
            "operators see requests to vendors."
        ),
    ]
