"""Takes a batch, imports it, settles it, and takes the next: one batch is under way, and nothing is ahead of it.

Backpressure follows from that. While the gateway says 429 or 503, the client waits as long as `Retry-After` says; if
that takes too long, the batch is settled as far as it was answered, and nothing is taken until the pause is over.
Whatever ends the process, a batch that was not settled comes again, and what the gateway has of it is unchanged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from signalpost_client import AsyncClient, Problem
from signalpost_connect.judging import judge
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import Pauses, Progress
from signalpost_connect.source import Outcome, Source, SourceAway

MOST_MESSAGES: Final = 500
"""An import ends after a thousand refused lines; a batch stays below that even if all of it is wrong."""
TAKE_SECONDS: Final = 1.0

log = logging.getLogger("signalpost_connect")


class Pump:
    """Moves messages from a source to a gateway."""

    def __init__(
        self,
        source: Source,
        client: AsyncClient,
        make: LineMaker,
        progress: Progress,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._client = client
        self._make = make
        self._progress = progress
        self._sleep = sleep
        self._pauses = Pauses()

    async def run(self, after_round: Callable[[], Awaitable[None]]) -> None:
        """Go on until cancelled."""
        while True:
            pause = await self.round()
            await after_round()
            if pause:
                await self._sleep(pause)

    async def round(self) -> float:
        """Move one batch. Returns for how many seconds nothing more should be taken."""
        try:
            batch = await self._source.take(MOST_MESSAGES, TAKE_SECONDS)
            judgement = await judge(self._client, self._make, batch.messages)
            if batch.messages:
                await self._source.settle(batch, judgement.verdicts)
        except SourceAway as error:
            return self._failed(f"The source: {error}", None)
        self._progress.settled(batch, judgement.verdicts)
        for message, verdict in zip(batch.messages, judgement.verdicts, strict=True):
            if verdict.outcome is Outcome.DEAD:
                log.warning("message %s is dead: %s", message.id, verdict.problem)
        if judgement.trouble is not None:
            asked = judgement.trouble.retry_after if isinstance(judgement.trouble, Problem) else None
            return self._failed(f"The gateway: {judgement.trouble}", asked)
        self._went_well()
        return 0.0

    def _failed(self, trouble: str, asked: float | None) -> float:
        if self._progress.failed(trouble):
            log.warning("%s It is tried again.", trouble)
        return self._pauses.next(asked)

    def _went_well(self) -> None:
        self._progress.went_well()
        self._pauses = Pauses()
