"""Takes a batch, imports it, settles it, and takes the next.

One batch is under way at the gateway. Of a source that can read ahead, the batch before it is settled meanwhile, and
the one after it is taken and made into lines:

    the gateway        │ batch 2 is imported              │ batch 3 is imported              │
    the source         │ 1 is settled, 3 is taken         │ 2 is settled, 4 is taken         │

Nothing is imported before everything that was taken earlier was answered, and nothing is settled before that.

Backpressure follows from that. While the gateway says 429 or 503, the client waits as long as `Retry-After` says; if
that takes too long, the batch is settled as far as it was answered, what was taken ahead comes again, and nothing is
taken until the pause is over. Whatever ends the process, a batch that was not settled comes again, and what the gateway
has of it is unchanged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from signalpost_client import AsyncClient, Problem
from signalpost_connect.judging import Judgement, ReadyBatch, judge, made_ready
from signalpost_connect.mapping import LineMaker
from signalpost_connect.progress import Pauses, Progress
from signalpost_connect.source import AGAIN, Batch, Outcome, Source, SourceAway

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
        self._reads_ahead = getattr(source, "reads_ahead", False)
        self._answered: tuple[Batch, Judgement] | None = None
        """What the gateway has answered, and is not settled."""
        self._ahead: ReadyBatch | None = None
        """What was taken, and is imported next."""

    async def run(self, after_round: Callable[[], Awaitable[None]]) -> None:
        """Go on until cancelled."""
        while True:
            pause = await self.round()
            await after_round()
            if pause:
                await self._sleep(pause)

    async def round(self) -> float:
        """Import a batch. Returns for how many seconds nothing more should be taken."""
        try:
            ready = self._ahead or await self._take(TAKE_SECONDS)
            judgement, ahead = await asyncio.gather(judge(self._client, ready), self._meanwhile(ready.batch))
            if isinstance(ahead, SourceAway):
                raise ahead
            self._answered, self._ahead = (ready.batch, judgement), ahead
            if ahead is None or judgement.trouble is not None:
                await self._settle_all()
        except SourceAway as error:
            self._answered = self._ahead = None
            return self._failed(f"The source: {error}", None)
        if judgement.trouble is not None:
            asked = judgement.trouble.retry_after if isinstance(judgement.trouble, Problem) else None
            return self._failed(f"The gateway: {judgement.trouble}", asked)
        self._went_well()
        return 0.0

    async def _take(self, seconds: float) -> ReadyBatch:
        return made_ready(await self._source.take(MOST_MESSAGES, seconds), self._make)

    async def _meanwhile(self, batch: Batch) -> ReadyBatch | SourceAway | None:
        """While a batch is imported, settle the one before it. If it is full, there is more: take that, and return it.
        A source that is away is returned, too: the import goes on to its end."""
        try:
            await self._settle()
            if not self._reads_ahead or len(batch.messages) < MOST_MESSAGES:
                return None
            ahead = await self._take(0.0)
        except SourceAway as error:
            return error
        return ahead if ahead.batch.messages else None

    async def _settle_all(self) -> None:
        """Settle what was answered, and have what was taken ahead come again, which is behind it."""
        await self._settle()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            await self._source.settle(ahead.batch, [AGAIN] * len(ahead.batch.messages))

    async def _settle(self) -> None:
        """Settle what was answered, if there is something."""
        if self._answered is None:
            return
        batch, judgement = self._answered
        self._answered = None
        if batch.messages:
            await self._source.settle(batch, judgement.verdicts)
        self._progress.settled(batch, judgement.verdicts)
        for message, verdict in zip(batch.messages, judgement.verdicts, strict=True):
            if verdict.outcome is Outcome.DEAD:
                log.warning("message %s is dead: %s", message.id, verdict.problem)

    def _failed(self, trouble: str, asked: float | None) -> float:
        if self._progress.failed(trouble):
            log.warning("%s It is tried again.", trouble)
        return self._pauses.next(asked)

    def _went_well(self) -> None:
        self._progress.went_well()
        self._pauses = Pauses()
