"""A folder into which a program puts a file for each change: `41.json`, `42.json`, and so on.

The number is the version. A file is written under another name, and renamed when it is whole.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from signalpost_connect import Batch, Message, Outcome, SourceAway, Verdict


class SpoolConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which folder."""

    folder: str
    dead_folder: str
    """The folder for what the gateway will never take, on the same disk."""


class Spool:
    """The files of a folder."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = SpoolConfig

    def __init__(self, config: SpoolConfig) -> None:
        if config.folder == config.dead_folder:
            raise ValueError("dead_folder: it must be another folder than the one that is read.")
        self._folder, self._dead_folder = Path(config.folder), Path(config.dead_folder)

    async def take(self, most: int, seconds: float) -> Batch:
        """The files with the lowest numbers."""
        try:
            found = [file for file in self._folder.iterdir() if file.suffix == ".json" and file.stem.isdecimal()]
            files = sorted(found, key=lambda file: int(file.stem))[:most]
            messages = [Message(file.name, file.read_bytes(), int(file.stem)) for file in files]
            oldest = files[0].stat().st_mtime if files else time.time()
        except OSError as error:
            raise SourceAway(f"{self._folder} cannot be read: {error.strerror}.") from error
        if not files:
            await asyncio.sleep(seconds)
        return Batch(messages, max(0.0, time.time() - oldest))

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Remove what is done, and move what is dead, with its reason beside it."""
        try:
            for message, verdict in zip(batch.messages, verdicts, strict=True):
                file = self._folder / message.id
                if verdict.outcome is Outcome.DEAD:
                    (self._dead_folder / f"{message.id}.problem").write_text(verdict.problem, encoding="utf-8")
                    file.replace(self._dead_folder / message.id)
                elif verdict.outcome is not Outcome.AGAIN:
                    file.unlink()
        except OSError as error:
            raise SourceAway(f"{error.filename} cannot be settled: {error.strerror}.") from error

    async def dead(self) -> int | None:
        """How many files are in the folder of dead ones."""
        return sum(1 for _ in self._dead_folder.glob("*.json"))

    async def close(self) -> None:
        """There is nothing to let go of."""
