"""Subscriptions as their owners know them: what they asked for, and from when to when each of it may have held."""

from collections.abc import Mapping
from math import inf
from typing import Any, Literal, NamedTuple

from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.old_signatures import OldSigning
from gateway.tests.world.timeline import Change, Timeline

Condition = Mapping[str, Any] | None


class Wait(NamedTuple):
    """`after`: how long each delivery waits, and what must still be so then."""

    seconds: float
    still: Condition = None


class Secrets(NamedTuple):
    """What signs: the current secret and, during a rotation, the next one until it takes over."""

    current: str
    next: str | None = None
    until: float = float("inf")
    """When the next one takes over, at the earliest."""
    at_last: float = float("inf")
    """When it does, at the latest."""


class Again(NamedTuple):
    """Something that was asked to be sent again: one delivery by hand, or those of a replay."""

    what: Literal["retry", "failed", "waiting", "all"]
    begun: float
    """When it was asked for."""
    answered: float
    """When it was answered that it will be done."""
    first: int
    last: int
    types: frozenset[str] | None
    """Only events of these types; None for all."""
    document_id: str | None
    """Only events of this document; None for all."""

    def covers(self, event: LoggedEvent) -> bool:
        """Whether it is about this event."""
        return (
            self.first <= event.sequence <= self.last
            and (self.types is None or event.type in self.types)
            and self.document_id in (None, event.document_id)
        )


class Skip(NamedTuple):
    """A backlog that was skipped: up to an event between `least` and `most`, at some moment from `begun` to `done`."""

    least: int
    most: int
    begun: float
    done: float


class Wish:
    """A subscription."""

    def __init__(
        self,
        name: str,
        kind: str,
        at: float,
        types: frozenset[str],
        *,
        latest_wins: bool = False,
        when: Condition = None,
        after: Wait | None = None,
        status: str = "active",
        ordering: str = "loose",
        delays: tuple[int, ...] = (10, 60, 300),
        url: str = "",
        headers: Mapping[str, str] | None = None,
        secret: str = "",
        text: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.latest_wins = latest_wins
        """Whether its kind sets values, so that only the last event of a document counts."""
        self.id = ""
        self.starts_after = 0
        self.begun = at
        """When it was asked for."""
        self.made_at = inf
        """When it was surely there."""
        self.types = Timeline(types, -1)
        """The marks of this one are sequences; those of all others are times."""
        self.when = Timeline(when, at)
        self.after = Timeline(after, at)
        self.status = Timeline(status, at)
        self.ordering = Timeline(ordering, at)
        self.delays = Timeline(delays, at)
        self.url = Timeline(url, at)
        self.headers: Timeline[Mapping[str, str]] = Timeline(headers or {}, at)
        self.secrets = Timeline(Secrets(secret), at)
        self.sign_also: Timeline[tuple[OldSigning, ...]] = Timeline((), at)
        self.has_key_pair = Timeline(value=False, mark=at)
        self.oauth: Timeline[str | None] = Timeline(None, at)
        """The client as which it asks for the tokens that its requests carry; None if they carry none."""
        self.certificate: Timeline[str | None] = Timeline(None, at)
        """The name in the client certificate that is offered to its endpoint; None if none is."""
        self.text = Timeline(text, at)
        """What a connector sends, before its placeholders."""
        self.deleted = Timeline(value=False, mark=at)
        self.skips: list[Skip] = []
        self.again: list[Again] = []

    @property
    def is_webhook(self) -> bool:
        return self.kind == "webhook"

    @property
    def wants_tokens(self) -> bool:
        """Whether its requests carried tokens at some time."""
        return any(each is not None for each in self.oauth.ever())

    @property
    def is_bound(self) -> bool:
        """Whether it ever had what has to be given again if its URL moves to another origin."""
        return any(each is not None for each in (*self.oauth.ever(), *self.certificate.ever()))

    def forget(self, change: Change[Any]) -> None:
        """A change of it was refused."""
        for timeline in vars(self).values():
            if isinstance(timeline, Timeline) and change in timeline.changes:
                timeline.changes.remove(change)

    def wants_type(self, event: LoggedEvent) -> bool | None:
        """Whether it asked for such an event when that was made; None if only the gateway can know."""
        possible = {event.type in types for types in self.types.at(event.sequence - 0.5)}
        return possible.pop() if len(possible) == 1 else None

    def __repr__(self) -> str:
        return self.name
