"""What answers about the state of deliveries look like: the overview and statistics."""

from typing import Annotated

from msgspec import Meta, field

from signalpost.api.routing.shapes.deliveries import Diagnosis
from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.api.routing.shapes.sources import SourceShown
from signalpost.domain.delivery.attention import Need
from signalpost.domain.delivery.replay import What
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.domain.stats import Step


class Counted(Shape, frozen=True):
    """How the attempts of a span of time ended. Attempts that do not count, such as those that were cut short, are left
    out."""

    delivered: int
    first_try: Annotated[int, Meta(description="Delivered by the first attempt.")]
    retried: Annotated[int, Meta(description="Attempts that failed and will be retried.")]
    failed: Annotated[int, Meta(description="Failed attempts after which the delivery was given up.")]
    median_ms: Annotated[
        float | None, Meta(description="Median duration of delivered attempts; null if there are none.")
    ]
    p99_ms: float | None


class StatsPoint(Counted, frozen=True, rename="camel"):
    at: Timestamp
    latency: Annotated[
        list[int], Meta(description="Number of delivered attempts up to each of `latencyBoundsMs`, and of slower ones.")
    ]


class Stats(Shape, frozen=True):
    step: Step
    latency_bounds_ms: list[int]
    total: Counted
    data: Annotated[
        list[StatsPoint], Meta(description="Oldest first. Minutes or hours without an attempt are left out.")
    ]


class NamedSubscription(Shape, frozen=True):
    id: Uuid
    name: str


class SubscriptionNames(Shape, frozen=True):
    data: list[NamedSubscription]
    next: Cursor
    total: Annotated[int, Meta(description="How many subscriptions there are, whatever was asked for.")]


class NeedsAttention(Shape, frozen=True):
    """A subscription that needs an operator."""

    subscription: NamedSubscription
    need: Need
    since: Timestamp | None
    detail: Annotated[str, Meta(description="Why it needs attention, in a sentence.")]
    waiting: int
    failed: int
    lost: int
    oldest_due_at: Annotated[
        Timestamp | None,
        Meta(description="When the first of the deliveries that await a retry was due or is due; null if none is."),
    ]
    event_id: Annotated[Uuid | None, Meta(description="An event that failed there, as an example.")]
    diagnosis: Diagnosis | None
    last_hour: Annotated[list[StatsPoint], Meta(description="Its last 60 minutes.")]


class AttentionCount(Shape, frozen=True):
    count: Annotated[
        int,
        Meta(
            description="Number of subscriptions that need attention: those in the overview's `attention` and its "
            "`more`."
        ),
    ]


class Ending(Shape, frozen=True):
    """A rotation, the certificate of an endpoint or one that it is offered, which ends soon."""

    subscription: NamedSubscription
    what: Annotated[str, Meta(extra_json_schema={"enum": ["rotation", "certificate", "clientCertificate"]})]
    at: Timestamp


class RunningReplay(Shape, frozen=True):
    id: Uuid
    subscription: NamedSubscription
    status: What
    from_: Annotated[Timestamp, Meta(description="Events created at this moment or later.")] = field(name="from")
    to: Annotated[Timestamp, Meta(description="Events created before this moment.")]
    count: int
    count_is_capped: Annotated[bool, Meta(description="Counting stopped at this number; there may be more.")]
    queued: int
    delivered: Annotated[int, Meta(description="How many of the queued deliveries were delivered.")]
    failed: Annotated[int, Meta(description="How many were given up again.")]
    waiting: Annotated[int, Meta(description="How many are queued and still have no outcome.")]
    created_by: Annotated[str | None, Meta(description="Name of the key or member that started it.")]


class SubscriptionCounts(Shape, frozen=True):
    healthy: int
    failing: int
    paused: int
    disabled: int


class Overview(Shape, frozen=True):
    """What needs an operator now."""

    attention: Annotated[list[NeedsAttention], Meta(description="Worst first, at most 20.")]
    more: Annotated[int, Meta(description="Number of further subscriptions that need attention.")]
    subscriptions: SubscriptionCounts
    waiting: Annotated[int, Meta(description="Deliveries of active subscriptions that are not delivered yet.")]
    failed: Annotated[int, Meta(description="Deliveries that were given up and are kept.")]
    lost: Annotated[int, Meta(description="Events that the retention removed before they were delivered.")]
    most_behind: Annotated[
        int, Meta(description="How many events wait for the active subscription that is furthest behind.")
    ]
    last_hour: Counted
    replays: Annotated[list[RunningReplay], Meta(description="Replays in progress.")]
    sources: Annotated[
        list[SourceShown], Meta(description="What feeds the tenant: those first that a person should look at.")
    ]
    soon: Annotated[list[Ending], Meta(description="Rotations that end within a day, certificates within 14 days.")]
