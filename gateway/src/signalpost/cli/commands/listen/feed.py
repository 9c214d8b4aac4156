"""Reads a gateway's feed of events without losing any, even if the connection breaks.

Its position is a single number: the sequence of the last event that was handled. It reconnects until the gateway
answers, and reads on from there. Events that the retention removed meanwhile are reported as missed. If the log begins
anew (an emulator was reset, or another database was put in place), it is read from its first event on.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from signalpost.cli.client import MAX_PAGE, CallRefused, Client, CommandError, NoAnswer, path
from signalpost.local.emulator import RUN_HEADER

POLL_SECONDS = 0.25
WAITS = (0.5, 1.0, 2.0, 5.0)
"""Seconds before each further attempt to reach a gateway that does not answer; the last repeats."""
RETRIED = (429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""


class FeedEntry(Struct, frozen=True):
    """One event of the feed, as the very bytes that endpoints get."""

    sequence: int
    event: Raw

    @property
    def body(self) -> bytes:
        return bytes(self.event)


class FeedPage(Struct, frozen=True):
    """One answer of the feed."""

    data: list[FeedEntry]
    last: int
    """The sequence up to which the log was looked through, or its end if that is below."""
    run: str | None = None
    """The value of the answer's header `RUN_HEADER`."""


class Observer(Protocol):
    """Who is told what happens to the connection."""

    def lost(self, reason: str) -> None:
        """The gateway does not answer."""

    def found(self) -> None:
        """The gateway answers again."""

    def missed(self, first: int, last: int) -> None:
        """Some events are no longer kept, and were not handed out."""

    def began_anew(self) -> None:
        """The log that was read is gone; another one is read from its beginning."""


class EventFeed:
    """The events of a tenant after a sequence, filtered."""

    def __init__(
        self, client: Client, after: int, observer: Observer, event_type: str | None, document: str | None
    ) -> None:
        self.after = after
        """The sequence of the last event that was done with."""
        self._client = client
        self._observer = observer
        self._filter = {"eventType": event_type, "externalId": document}
        self._failures = 0
        self._run: str | None = None
        """Which gateway of an emulator answered last; None for a gateway that is no emulator."""

    async def entries(self) -> AsyncIterator[FeedEntry | None]:
        """The next events, for ever; None each time that there are no more for now. An event is done with when the
        next one is asked for."""
        while True:
            page = await self._page()
            if page is None or self._begins_anew(page):
                continue
            for entry in page.data:
                yield entry
                self.after = entry.sequence
            self.after = page.last
            if not page.data:
                yield None
                await asyncio.sleep(POLL_SECONDS)

    def _begins_anew(self, page: FeedPage) -> bool:
        """Whether a page is of another log than the one before. That log is then read from its first event on."""
        is_another = page.last < self.after or (self._run is not None and page.run != self._run)
        self._run = page.run
        if is_another:
            self.after = 0
            self._observer.began_anew()
        return is_another

    async def _page(self) -> FeedPage | None:
        """The next page, or None if it could not be read."""
        try:
            page = await asyncio.to_thread(self._read)
        except CallRefused as refused:
            await self._refused(refused)
            return None
        except NoAnswer as error:
            await self._wait(str(error))
            return None
        if self._failures:
            self._failures = 0
            self._observer.found()
        return page

    def _read(self) -> FeedPage:
        query = {"after": self.after, "limit": MAX_PAGE, **self._filter}
        with self._client.open(path("events"), query) as (headers, parts):
            raw, run = b"".join(parts), headers.get(RUN_HEADER.lower())
        try:
            return replace(msgspec.json.decode(raw, type=FeedPage), run=run)
        except msgspec.MsgspecError:
            raise CommandError(f"{self._client.url} does not answer like a Signalpost gateway.") from None

    async def _refused(self, refused: CallRefused) -> None:
        if "oldest" in refused.problem:
            oldest = int(refused.problem["oldest"])
            self._observer.missed(self.after + 1, oldest - 1)
            self.after = oldest - 1
        elif refused.problem.get("status") in RETRIED:
            await self._wait(str(refused))
        else:
            raise refused

    async def _wait(self, reason: str) -> None:
        if not self._failures:
            self._observer.lost(reason)
        await asyncio.sleep(WAITS[min(self._failures, len(WAITS) - 1)])
        self._failures += 1
