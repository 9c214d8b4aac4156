"""Forwards events to a receiver: as they are, signed, one after the other, and with the trouble that was asked for.

An event that the receiver does not take is shown and left behind: nothing ends it, and nothing is retried but by hand.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from signalpost.cli.commands.listen.feed import FeedEntry
from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.request import OutgoingRequest
from signalpost.local.chaos import Chaos, ChaosSigning, PlannedRequest
from signalpost.local.direct_delivery import endpoint, event_of
from signalpost.local.poster import Poster
from signalpost.runtime.clock import wall_clock
from signalpost_receiver import make_token


class Heading(Struct, frozen=True, rename="camel"):
    """What is shown of an event."""

    id: str
    type: str
    created_at: str
    data: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = self.data.get("document", {})
        return found


class ForwardedRequest(Struct, frozen=True):
    """One request that was made, and what happened to it."""

    planned: PlannedRequest[FeedEntry]
    heading: Heading
    request: OutgoingRequest
    outcome: Outcome

    @property
    def is_right(self) -> bool:
        """Whether the receiver did what it should: it takes what is genuine, and refuses what is forged."""
        if self.planned.signing is not ChaosSigning.FORGED:
            return self.outcome.failure is None
        return self.outcome.status is not None and 400 <= self.outcome.status < 500


class Forwarder:
    """Forwards events to one URL."""

    def __init__(
        self,
        poster: Poster,
        url: str,
        secret: str,
        chaos: Chaos[FeedEntry],
        sending: Callable[[PlannedRequest[FeedEntry], Heading], None],
        sent: Callable[[ForwardedRequest], None],
        dropped: Callable[[PlannedRequest[FeedEntry], Heading], None],
    ) -> None:
        """`sending` is called before each request, `sent` after it, `dropped` if none is made on purpose."""
        self._poster = poster
        self._chaos = chaos
        self._sending = sending
        self._sent = sent
        self._dropped = dropped
        other = make_token()
        self._webhooks = {
            ChaosSigning.USUAL: Webhook(endpoint(url, secret)),
            ChaosSigning.OLD: Webhook(endpoint(url, secret, other)),
            ChaosSigning.NEW: Webhook(endpoint(url, other, secret)),
            ChaosSigning.FORGED: Webhook(endpoint(url, other)),
        }
        self._later: set[asyncio.Task[None]] = set()

    async def forward(self, entry: FeedEntry | None) -> None:
        """Make the requests of an event; if there is none, those that were held back."""
        await self._make(self._chaos.flush() if entry is None else self._chaos.plan(entry))

    async def send(self, planned: PlannedRequest[FeedEntry]) -> None:
        """Make one request now."""
        body, heading = planned.entry.body, heading_of(planned.entry)
        self._sending(planned, heading)
        event = event_of(body, heading.id, str(heading.document.get("externalId")), planned.entry.sequence)
        now = wall_clock()
        request = self._webhooks[planned.signing].prepare(event, planned.attempt, RequestKind.DELIVERY, now)
        self._sent(ForwardedRequest(planned, heading, request, await self._poster.post(request)))

    async def close(self) -> None:
        """Give up what was to be sent later."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    async def _make(self, requests: list[PlannedRequest[FeedEntry]]) -> None:
        for planned in requests:
            if planned.is_dropped:
                self._dropped(planned, heading_of(planned.entry))
            elif planned.delay_s:
                task = asyncio.create_task(self._send_later(planned))
                self._later.add(task)
                task.add_done_callback(self._later.discard)
            else:
                await self.send(planned)

    async def _send_later(self, planned: PlannedRequest[FeedEntry]) -> None:
        await asyncio.sleep(planned.delay_s)
        await self.send(planned)


class EventDisplay:
    """Shows events that are forwarded nowhere."""

    def __init__(self, shown: Callable[[PlannedRequest[FeedEntry], Heading], None]) -> None:
        self._shown = shown

    async def forward(self, entry: FeedEntry | None) -> None:
        """Show an event, if there is one."""
        if entry is not None:
            await self.send(PlannedRequest(entry))

    async def send(self, planned: PlannedRequest[FeedEntry]) -> None:
        """Show one event."""
        self._shown(planned, heading_of(planned.entry))


def heading_of(entry: FeedEntry) -> Heading:
    """What is shown of an event of the feed."""
    return msgspec.json.decode(entry.body, type=Heading)


def chance() -> float:
    """A random number from 0 to 1, excluding 1."""
    return secrets.randbelow(1 << 53) / (1 << 53)
