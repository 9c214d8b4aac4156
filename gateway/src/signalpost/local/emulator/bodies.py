"""What the emulator's own calls take."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from signalpost.domain.body import Body, read_by
from signalpost.domain.checks import json_object
from signalpost.domain.fields import Uuid

MAX_WAIT_S = 60
EventType = Literal["documentCreated", "documentUpdated", "documentDeleted"]
Wait = Annotated[float, Meta(ge=0, le=MAX_WAIT_S, description="Seconds to wait for it.")]


class Trigger(Body, frozen=True, kw_only=True):
    """An event to make, with attributes of its document as on the wire (C7)."""

    event_type: EventType
    set: Annotated[dict[str, Any], Meta(extra=read_by(json_object))] = {}


class Expectation(Body, frozen=True, kw_only=True):
    """Which deliveries there must be, and how many: at least one, or exactly `count`."""

    event_id: Uuid | None = None
    event_type: EventType | None = None
    external_id: Uuid | None = None
    subscription_id: Uuid | None = None
    status: Literal["pending", "delivered", "retrying", "failed"] = "delivered"
    count: Annotated[int, Meta(ge=0, le=1000)] | None = None
    within_seconds: Wait = 10


class Settling(Body, frozen=True, kw_only=True):
    """How long to wait until nothing is left to send."""

    within_seconds: Wait = 10


class EmptyBody(Body, frozen=True, kw_only=True):
    """A body without members."""
