"""Stores files in a folder of this machine."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import StartError
from signalpost.files.draft import Draft, DraftUpload, claimed, done_by, trouble
from signalpost.files.files import NAME_BYTES, PART_BYTES, Condition, FileLost, Known, is_name
from signalpost.runtime import durable

T = TypeVar("T")
_NAMES_AT_ONCE = 1_000
_CHECKED_AT_ONCE = 1024 * 1024


class FolderUpload(DraftUpload):
    @property
    def name(self) -> str:
        return self._draft.path.name

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await (self._draft.release() if self._kept else self._draft.discard())

    async def store(self, file: StoredFile, filename: str) -> None:
        await self._draft.sync()


class Folder:
    def __init__(self, path: Path, executor: Executor, random_bytes: Callable[[int], bytes]) -> None:
        """Owns `executor` from now on. Creates the folder if it does not exist. Raises StartError."""
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            durable.sync(path.parent)
        except OSError as error:
            raise StartError(f"The folder {path} cannot be used: {error.strerror}.") from None
        self._path = path
        self._executor = executor
        self._random_bytes = random_bytes

    def draft(self, suffix: str = "") -> Draft:
        """A new draft, which is not begun yet."""
        return Draft(self._path / (self._random_bytes(NAME_BYTES).hex() + suffix), self._executor)

    def upload(self) -> FolderUpload:
        return FolderUpload(self.draft())

    async def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        with ExitStack() as opened:  # closes it also if the reader is cancelled while it is opened
            file = await self._run(lambda: opened.enter_context((self._path / name).open("rb", buffering=0)))
            for at in range(start, stop, PART_BYTES):
                wanted = min(PART_BYTES, stop - at)
                part = await self._run(lambda at=at, wanted=wanted: os.pread(file.fileno(), wanted, at))  # type: ignore[misc]
                if len(part) < wanted:
                    raise FileLost
                yield part

    async def link(self, name: str, seconds: int) -> str | None:
        return None

    async def remove(self, name: str) -> None:
        await self._run(lambda: (self._path / name).unlink(missing_ok=True))

    async def condition(self, file: StoredFile) -> Condition:
        return await self._run(lambda: self._condition(file))

    async def names(self) -> AsyncIterator[str]:
        entries: Iterator[os.DirEntry[str]] = await self._run(lambda: os.scandir(self._path))
        while some := await self._run(lambda: [entry.name for entry in islice(entries, _NAMES_AT_ONCE)]):
            for name in filter(is_name, some):
                yield name

    async def is_orphan(self, name: str, is_known: Known) -> bool:
        return await self._run(lambda: self._is_orphan(name, is_known))

    async def remove_orphan(self, name: str, is_known: Known) -> bool:
        return await self._run(lambda: self._remove_orphan(name, is_known))

    async def close(self) -> None:
        await asyncio.to_thread(self._executor.shutdown)

    def _is_orphan(self, name: str, is_known: Known) -> bool:
        with claimed(self._path / name) as free:
            return free and not is_known(name)

    def _remove_orphan(self, name: str, is_known: Known) -> bool:
        with claimed(self._path / name) as free:
            orphan = free and not is_known(name)
            if orphan:
                (self._path / name).unlink(missing_ok=True)
            return orphan

    def _condition(self, file: StoredFile) -> Condition:
        sha256 = hashlib.sha256()
        try:
            with (self._path / file.name).open("rb") as opened:
                while part := opened.read(_CHECKED_AT_ONCE):
                    sha256.update(part)
        except FileNotFoundError:
            return "missing"
        return "sound" if sha256.digest() == file.sha256 else "damaged"

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await done_by(self._executor, work)
        except FileNotFoundError:
            raise FileLost from None
        except OSError as error:
            raise trouble(error) from None
