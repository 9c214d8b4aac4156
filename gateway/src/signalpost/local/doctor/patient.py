"""The receiver that is examined: requests are sent to it, and its answers are judged."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.endpoint import parse_url
from signalpost.domain.request import OutgoingRequest
from signalpost.local.doctor.drafts import Drafts, RequestDraft
from signalpost.local.doctor.finding import Broken, NotChecked
from signalpost.local.poster import Poster
from signalpost.runtime.clock import wall_clock

DOCUMENT: Final = "{externalId}"
"""What stands for the document's id in the URL to inspect."""
LOOK_SECONDS: Final = 0.05
SETTLE_SECONDS: Final = 0.3
"""How long work that a receiver does after its answer may take to show where it must not show at all."""
_CLOSED: Final = (Failure.RESET, Failure.CONNECT, Failure.PROTOCOL)


class Inspection(Struct, frozen=True):
    """What the receiver says that it did about a document."""

    handled: int = 0
    """How many events of the document it handled."""
    title: str | None = None
    """The document's title, as far as the receiver knows."""


class Patient:
    """A receiver under examination."""

    now = staticmethod(wall_clock)

    def __init__(self, poster: Poster, url: str, secret: str, inspect_url: str | None, attempt_timeout: float) -> None:
        """`inspect_url` answers what the receiver did about the document whose id stands for `{externalId}`."""
        self.drafts = Drafts(url, secret)
        self._poster = poster
        self._inspect_url = inspect_url
        self._attempt_timeout = attempt_timeout

    async def send(self, draft: RequestDraft) -> Outcome:
        """Send a request."""
        return await self._poster.post(draft.request())

    async def takes(self, draft: RequestDraft, what: str) -> None:
        """Raises Broken unless the receiver answers 2xx."""
        outcome = await self.send(draft)
        if outcome.failure is not None:
            raise Broken(f"{what} was answered {_answer(outcome)}; 2xx is right.")

    async def take(self, drafts: Sequence[RequestDraft], what: str) -> None:
        """Send requests at the same time. Raises Broken unless every one is answered 2xx."""
        outcomes = await asyncio.gather(*map(self.send, drafts))
        bad = [outcome for outcome in outcomes if outcome.failure is not None]
        if bad:
            raise Broken(f"{len(bad)} of {what} were answered {_answer(bad[0])}; 2xx is right.")

    async def refuses(self, draft: RequestDraft, what: str, *, may_close: bool = False) -> None:
        """Raises Broken unless the receiver answers 4xx; with `may_close`, it may also close the connection."""
        outcome = await self.send(draft)
        if outcome.status is None and may_close and outcome.failure in _CLOSED:
            return
        if outcome.status is None or not 400 <= outcome.status < 500:
            raise Broken(f"{what} was answered {_answer(outcome)}; 4xx is right.")

    async def inspect(self, document: str) -> Inspection:
        """What the receiver did about a document by now. Raises NotChecked."""
        if self._inspect_url is None:
            raise NotChecked("Only the receiver knows. Let it tell with --inspect, and this is checked, too.")
        url = parse_url(self._inspect_url.replace(DOCUMENT, document))
        head = f"GET {url.path} HTTP/1.1\r\nhost: {url.authority}\r\naccept: application/json\r\n\r\n"
        outcome = await self._poster.post(OutgoingRequest(url.target, head.encode("ascii"), b"", keeps=True))
        if outcome.status == 404:
            return Inspection()
        try:
            found: Any = json.loads(outcome.answer) if outcome.failure is None else None
            return Inspection(int(found["handled"]), found.get("title"))
        except (ValueError, TypeError, KeyError, AttributeError):
            why = 'It must be JSON such as {"handled": 1, "title": "…"}.'
            raise NotChecked(f"The URL to inspect was answered {_answer(outcome)}. {why}") from None

    async def handled(self, document: str) -> Inspection:
        """What the receiver did about a document, once it has handled an event and then got nothing more for a
        moment."""
        until = time.monotonic() + self._attempt_timeout
        while not (await self.inspect(document)).handled and time.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(SETTLE_SECONDS)
        return await self.inspect(document)


def _answer(outcome: Outcome) -> str:
    return str(outcome.status) if outcome.status is not None else f"by nothing ({outcome.detail or outcome.failure})"
