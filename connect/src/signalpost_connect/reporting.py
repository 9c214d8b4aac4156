"""Tells the gateway how the source does, so that an operator sees it there, and a silence is noticed."""

import logging
from collections.abc import Callable
from typing import Final

from signalpost_client import AsyncClient, SignalpostError
from signalpost_connect.progress import Progress
from signalpost_connect.source import Source, SourceAway

EVERY_SECONDS: Final = 30.0

log = logging.getLogger("signalpost_connect")


class Reporter:
    """Reports between rounds. While the source cannot be used, nothing is reported, and the gateway calls it silent."""

    def __init__(
        self, client: AsyncClient, source: Source, name: str, progress: Progress, now: Callable[[], float]
    ) -> None:
        self._client = client
        self._source = source
        self._name = name
        self._progress = progress
        self._now = now
        self._due = now()
        self._last_trouble = ""

    async def report_if_due(self) -> None:
        """Report if the last time is long enough ago. A report that fails is left out: the next one comes soon."""
        if self._now() < self._due:
            return
        self._due = self._now() + EVERY_SECONDS
        try:
            dead = await self._source.dead()
            if dead is not None:
                oldest = int(self._progress.oldest_seconds)
                await self._client.sources.report(self._name, oldest_seconds=oldest, dead=dead)
            trouble = ""
        except (SignalpostError, SourceAway) as error:
            trouble = str(error)
        if trouble and trouble != self._last_trouble:
            log.warning("The gateway was not told how the source does: %s", trouble)
        self._last_trouble = trouble
