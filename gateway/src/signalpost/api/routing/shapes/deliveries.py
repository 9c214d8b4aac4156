"""What answers about deliveries and replays look like."""

from typing import Annotated

from msgspec import Meta, field

from signalpost.api.routing.shapes.shape import Cursor, Shape, shows
from signalpost.domain.delivery.diagnosis_rules import CAUSES, Change, Remedy
from signalpost.domain.delivery.explanation import Cause
from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.replay import LeftOut, ReplayState, What
from signalpost.domain.event import EventTypeName
from signalpost.domain.fields import Timestamp, Uuid
from signalpost.store.nouns.deliveries import DeliveryStatus


class DeliveryCause(Shape, frozen=True):
    """Why an event did or did not reach a subscription."""

    code: Cause
    detail: Annotated[str, Meta(description="The cause in a sentence for people.")]
    event_id: Annotated[Uuid | None, Meta(description="The earlier event that it waits behind; null for others.")] = (
        None
    )


class Diagnosis(Shape, frozen=True):
    """The likely cause of a failure, and what to do. It is a judgement: the facts are in the attempts."""

    cause: Annotated[str, Meta(extra_json_schema={"enum": list(CAUSES)})]
    title: str
    for_us: Annotated[str, Meta(description="What happened, and what it most likely means.")]
    for_customer: Annotated[str, Meta(description="The same for the people who run the endpoint, with what to do.")]
    remedy: Annotated[Remedy, Meta(description="What is most likely to fix it.")]
    change: Annotated[Change | None, Meta(description="The change of the subscription that most likely caused it.")]
    changed_at: Timestamp | None


class AttemptSummary(Shape, frozen=True):
    """An attempt, without the body of the endpoint's answer."""

    number: Annotated[int, Meta(description="Number of the attempt in its run: 1, 2, …")]
    started_at: Timestamp
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None


class DeliveredEvent(Shape, frozen=True, kw_only=True):
    """Which event was to be delivered."""

    event_id: Uuid
    sequence: int
    event_type: EventTypeName
    external_id: Uuid
    title: Annotated[
        str | None, Meta(description="The document's title as the event has it; null once the document was erased.")
    ]
    created_at: Timestamp


class Delivery(DeliveredEvent, frozen=True, kw_only=True):
    """What happened to an event at a subscription."""

    subscription_id: Uuid
    subscription_name: str
    status: Annotated[
        DeliveryStatus | None,
        Meta(
            description="Null if the subscription has no delivery of this event. Only lists with `eventId` show such "
            "subscriptions."
        ),
    ]
    next_attempt_at: Annotated[
        Timestamp | None,
        Meta(
            description="Earliest time of the next attempt: the retry, or the next probe of an open breaker. Null if "
            "it only waits for its turn."
        ),
    ]
    last_attempt: Annotated[AttemptSummary | None, Meta(description="Null before the first attempt.")]
    cause: DeliveryCause


class Header(Shape, frozen=True):
    name: str
    value: Annotated[str, Meta(description="`***` where it may be a secret.")]


class AttemptExchange(Shape, frozen=True):
    """What went over the wire in an attempt."""

    url: Annotated[str, Meta(description="`***` replaces what may be a credential.")]
    request_headers: list[Header]
    answer_headers: list[Header]
    address: Annotated[str | None, Meta(description="The address that was dialled; null if no connection was made.")]
    tls: Annotated[str | None, Meta(description="Version of TLS, such as `TLSv1.3`.")]
    new_connection: bool
    name_ms: Annotated[float | None, Meta(description="How long each step of a new connection took.")]
    connect_ms: float | None
    tls_ms: float | None


class EndpointAnswer(Shape, frozen=True, kw_only=True):
    """How an endpoint answered a request, or why it did not."""

    started_at: Timestamp
    duration_ms: float
    status_code: int | None
    error: Failure | None
    detail: str | None
    answer: Annotated[str, Meta(description="The first 1 KiB of the endpoint's answer.")]


class Attempt(EndpointAnswer, frozen=True):
    number: int
    run: Annotated[
        int,
        Meta(
            description="0 for the first attempts; each replay and each retry of a settled delivery begins another run."
        ),
    ]
    counted: bool
    exchange: Annotated[
        AttemptExchange | None,
        Meta(description="Kept for webhook attempts that failed, and for replays; otherwise null."),
    ]


class RetryAsked(Shape, frozen=True):
    """Somebody asked for one more attempt, now."""

    at: Timestamp
    by: Annotated[str, Meta(description="Name of whoever asked for it.")]
    delivered_meanwhile: Annotated[
        bool, Meta(description="Whether the attempt that was under way then succeeded, so that nothing more was sent.")
    ]


class WaitingBehind(Shape, frozen=True):
    """Later events of the same document that the subscription has yet to get."""

    count: int
    count_is_capped: Annotated[
        bool, Meta(description="Only the newest 100 events of the document were looked at; more may wait.")
    ]


class DeliveryWithAttempts(Delivery, frozen=True, kw_only=True):
    attempts: list[Attempt]
    diagnosis: Annotated[Diagnosis | None, Meta(description="Null unless the last attempt failed.")]
    retries_asked: Annotated[
        list[RetryAsked],
        Meta(description="Oldest first, as far as the newest 100 entries in the audit of the subscription tell."),
    ] = []
    waiting_behind: Annotated[
        WaitingBehind | None, Meta(description="Null once it was delivered or given up, since nothing waits for it.")
    ] = None


class DeliveryPage(Shape, frozen=True):
    data: list[Delivery]
    next: Cursor
    looked_back_to: Annotated[
        Timestamp | None,
        Meta(description="Set if the page is short although there is a next one: how far back in time it looked."),
    ] = None


class ReplayCount(Shape, frozen=True):
    count: int
    count_is_capped: Annotated[bool, Meta(description="Counting stopped at this number; there may be more.")]
    left_out: LeftOut


class ShownReplay(Shape, frozen=True):
    """A replay as the API shows it."""

    id: str
    subscription_id: str
    state: ReplayState
    from_: Annotated[str, Meta(extra=shows("from_at"))] = field(name="from")
    to: Annotated[str, Meta(extra=shows("to_at"))]
    from_sequence: Annotated[int, Meta(description="Sequence of the first event in the replay's range.")]
    to_sequence: Annotated[
        int,
        Meta(description="Sequence of the last event in its range; lower than `fromSequence` if the range is empty."),
    ]
    status: Annotated[What, Meta(extra=shows("what"))]
    """Which deliveries were asked for."""
    count: Annotated[
        int,
        Meta(
            description="Number of deliveries to send: as counted at the start, or more if more have been queued "
            "since.",
            extra=shows("known_count"),
        ),
    ]
    count_is_capped: bool
    queued: int
    delivered: Annotated[int, Meta(description="How many of the queued deliveries were delivered.")]
    failed: Annotated[int, Meta(description="How many were given up again.")]
    skipped: Annotated[
        int,
        Meta(
            description="How many were not sent after all, because nothing was left to send or a later replay took "
            "them over."
        ),
    ]
    waiting: Annotated[int, Meta(description="How many are queued and still have no outcome.")]
    created_at: str
    finished_at: str | None
    event_types: Annotated[
        list[EventTypeName] | None, Meta(description="The types that were chosen; null if all are sent.")
    ]
    external_id: Annotated[
        Uuid | None,
        Meta(description="The document that was chosen; null if all are sent.", extra=shows("document_id")),
    ]
    created_by: Annotated[str | None, Meta(description="Name of the key or member that started it.")]


class NamedReplay(ShownReplay, frozen=True):
    """A replay among those of other subscriptions."""

    subscription_name: str


class StartedReplay(ShownReplay, frozen=True):
    """A replay, and how many deliveries of its time range it leaves out."""

    left_out: LeftOut


class ReplayOfOne(Shape, frozen=True):
    """The part of a replay of several subscriptions that concerns one of them."""

    subscription_id: Uuid
    subscription_name: str
    still_failing: Annotated[
        bool, Meta(description="Whether the endpoint is failing now: if so, many deliveries may fail again.")
    ]
    replay_id: Annotated[Uuid | None, Meta(description="Null for `dryRun`, and if the replay could not be started.")]
    count: int
    count_is_capped: Annotated[bool, Meta(description="Counting stopped at this number; there may be more.")]
    left_out: LeftOut
    refused: Annotated[str | None, Meta(description="Why the replay could not be started, in a sentence.")]


class ReplaysOfMany(Shape, frozen=True):
    data: Annotated[list[ReplayOfOne], Meta(description="Subscriptions with something to send, largest number first.")]
    count: Annotated[int, Meta(description="Total number of deliveries.")]
    count_is_capped: Annotated[
        bool, Meta(description="Counting stopped early for at least one subscription; there may be more.")
    ]
    unmet: Annotated[
        int,
        Meta(description="Total number of events that do not meet the condition of their subscription, as it is now."),
    ] = 0


class ReplayPage(Shape, frozen=True):
    data: list[ShownReplay]
    next: Cursor


class NamedReplayPage(Shape, frozen=True):
    data: list[NamedReplay]
    next: Cursor
