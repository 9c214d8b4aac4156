"""A gateway's log of events, as a receiver looks through it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .event import Json


class Page(NamedTuple):
    """A part of the log."""

    entries: list[tuple[int, Json]]
    """Each event, as JSON, with its sequence; the oldest first."""
    last: int
    """The sequence after which the next page begins; the one that was asked for if there is nothing after it."""
    lost: int = 0
    """How many earlier events the gateway no longer keeps."""


class Feed(Protocol):
    """Where events can be looked up: `http_feed.HttpFeed`, or a program's own client."""

    def page(self, after: int) -> Page:
        """The events with a higher sequence than `after`, or the first of them. Raises FeedError."""
        ...
