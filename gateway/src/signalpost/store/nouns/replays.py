"""Replays as they are stored, and the deliveries that they still have to queue."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from signalpost.domain.delivery.exception_row import Row
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.event import Event
from signalpost.domain.subscription import Filters


class ReplayPart(Struct, frozen=True):
    """The next part of a replay, which a lane has room for."""

    replay: Replay
    up_to: int
    """The replay's end, or the lane's head if that is lower."""
    filters: Filters
    """The subscription's filters."""
    with_events: bool = False
    """Whether the events are wanted too, because the subscription has a condition on them."""


class Candidate(NamedTuple):
    """A delivery that a replay found failed or settled."""

    sequence: int
    document_id: str
    row: Row | None
    """None if it is settled."""


class Fed(Struct, frozen=True):
    """What a replay has next."""

    candidates: tuple[Candidate, ...]
    cursor: int
    """There are no other candidates up to this sequence."""
    events: Mapping[int, Event] = {}
    """The events of the candidates by sequence, where they were asked for. One that the retention removed is
    missing."""
