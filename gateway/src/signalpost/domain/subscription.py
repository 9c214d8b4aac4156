"""A subscription: who wants which events where, and from which point of the log (C14)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain import endpoint, fields
from signalpost.domain.event import BY_WIRE, EventType
from signalpost.domain.fields import Field, nullable

Status = Literal["active", "paused", "disabled"]
Ordering = Literal["loose", "strict"]
Filters = tuple[tuple[int, int], ...]
"""Pairs of (sequence, types as bits): the types that count for events above that sequence, ascending."""


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription as the engine uses it. Secret and header values never leave it but for a request's head."""

    id: str
    tenant_id: int
    number: int
    """Its key in the store."""
    name: str
    url: str
    secret: str
    next_secret: str | None = None
    """During a rotation: the one that takes the place of `secret` at `promote_at` (C21)."""
    promote_at: int | None = None
    headers: dict[str, str]
    status: Status
    ordering: Ordering
    rate_limit: int | None
    retry_delays: tuple[int, ...]
    starts_after: int
    """It gets exactly the events with a higher sequence."""
    filters: Filters
    skip_to: int = 0
    """Events up to here that were not settled when it resumed with `skipBacklog` are given up."""
    skipped_at: int = 0
    """When it did so last."""
    disabled_at: int | None = None
    """When it was disabled, if it is: its endpoint had failed for days."""
    revived_at: int = 0
    """When it was last taken out of that state."""
    created_at: int
    updated_at: int
    version: int = 1
    deleted_at: int | None = None

    def __repr__(self) -> str:
        """What shows a traceback's variables shows no secret."""
        return f"Subscription({self.id}, tenant {self.tenant_id}, {self.status}, version {self.version})"

    @property
    def event_types(self) -> tuple[str, ...]:
        mask = self.filters[-1][1]
        return tuple(event_type.wire for event_type in EventType if event_type & mask)

    @property
    def attempts(self) -> int:
        """How many attempts an event gets before it is given up (C16)."""
        return len(self.retry_delays) + 1

    def with_secrets_of(self, now: int) -> "Subscription":
        """The same, with a rotation whose overlap is over by `now` brought to its end."""
        if self.promote_at is None or now < self.promote_at:
            return self
        return self.promoted()

    def promoted(self) -> "Subscription":
        """With the new secret, if there is one, as the only one."""
        return replace(self, secret=self.next_secret or self.secret, next_secret=None, promote_at=None)

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


def wanted(filters: Filters, sequence: int) -> int:
    """The types, as bits, that counted when the event with `sequence` was made."""
    mask = 0
    for after, types in filters:
        if sequence <= after:
            break
        mask = types
    return mask


def refiltered(filters: Filters, last_sequence: int, mask: int) -> Filters:
    """The filters with `mask` for every event to come."""
    if filters[-1][1] == mask:
        return filters
    earlier = tuple(pair for pair in filters if pair[0] < last_sequence)
    return (*earlier, (last_sequence, mask))


# --- What each field may be -------------------------------------------------------------------------------------------


_event_type_names = fields.each(fields.one_of(*BY_WIRE), least=1, most=10)
_delays = fields.each(fields.whole_number(1, 86_400), least=0, most=10)


@fields.field(**_event_type_names.schema)
def event_types(value: Any) -> int:
    """The types as bits."""
    mask = 0
    for name in _event_type_names(value):
        mask |= BY_WIRE[name]
    return mask


@fields.field(**_delays.schema, description="Seconds before each retry.")
def retry_delays(value: Any) -> tuple[int, ...]:
    return tuple(_delays(value))


secret: Final = fields.text(256, least=8)
OVERLAP_HOURS: Final = 24
"""How long both secrets sign, unless the caller says otherwise (C21)."""
MAX_OVERLAP_HOURS: Final = 720

_EDITABLE: Final[dict[str, Field]] = {
    "name": fields.text(),
    "url": endpoint.url,
    "eventTypes": event_types,
    "headers": endpoint.headers,
    "ordering": fields.one_of("loose", "strict"),
    "rateLimit": nullable(
        fields.whole_number(1, 100_000).described(
            "Attempts that start in any one second at most; after a pause, up to this many at once."
        )
    ),
    "retryDelays": retry_delays,
}
NEW: Final[dict[str, Field]] = {**_EDITABLE, "secret": secret, "status": fields.one_of("active", "paused")}
NEW_REQUIRED: Final = ("url", "eventTypes")
PATCH: Final[dict[str, Field]] = {
    **_EDITABLE,
    "status": fields.one_of("active", "paused"),
    "skipBacklog": fields.truth.described("With a resume: go on at the end of the log."),
}
ROTATE: Final[dict[str, Field]] = {
    "secret": secret,
    "overlapHours": fields.whole_number(0, MAX_OVERLAP_HOURS).described(
        "How long both secrets sign; 0 makes the new one the only one at once."
    ),
}

ATTRIBUTES: Final[Mapping[str, str]] = {
    "name": "name", "url": "url", "headers": "headers", "status": "status", "ordering": "ordering",
    "rateLimit": "rate_limit", "retryDelays": "retry_delays", "secret": "secret",
}  # fmt: skip
"""From a field on the wire to the attribute that it sets as it is."""
