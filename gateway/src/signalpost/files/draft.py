"""A draft: an uploaded file while it arrives on this machine's disk.

A draft is locked from its creation to its release. The lock ends with the process, however that ends. So a draft that
is neither locked nor pointed to is an orphan.

Threads do its work in pieces. A cancelled caller first waits for the piece in progress, because cleaning up would
remove what that piece is using.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from signalpost.domain.errors import DiskNearlyFull, Stopping, Unavailable
from signalpost.files.content_types import kind_of
from signalpost.files.files import FilesUnavailable, ReceivedFile
from signalpost.runtime import durable

WRITTEN_AT_ONCE = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")


class Draft:
    """A file being written. Blocking work runs on the executor, one piece after the other."""

    def __init__(self, path: Path, executor: Executor) -> None:
        self.path = path
        self._executor = executor
        self._descriptor: int | None = None
        self._parts: list[bytes] = []
        self._waiting = 0
        self._size = 0
        self._sha256 = hashlib.sha256()

    async def begin(self) -> None:
        try:
            await self._run(self._begin)
        except BaseException:
            await self.discard()  # what was never entered is never left
            raise

    async def write(self, part: bytes) -> None:
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting >= WRITTEN_AT_ONCE:
            await self._flush()

    async def received(self) -> ReceivedFile:
        await self._flush()
        return await self._run(self._recognise)

    async def sync(self) -> None:
        """Make the draft and its name durable."""
        await self._run(self._sync)

    async def release(self) -> None:
        """Release the draft without removing it."""
        await self._run(self._close)

    async def discard(self) -> None:
        try:
            await self._run(self._discard)
        except Stopping:
            self._discard()  # no thread does anything for it any more

    async def _flush(self) -> None:
        data, self._parts, self._waiting = b"".join(self._parts), [], 0
        await self._run(lambda: self._write(data))

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await done_by(self._executor, work)
        except OSError as error:
            raise trouble(error) from None

    # --- On the executor ----------------------------------------------------------------------------------------------

    @property
    def descriptor(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _begin(self) -> None:
        while True:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:
                return
            os.close(self._descriptor)  # `claimed` found it before it was locked, and it is gone

    def _write(self, data: bytes) -> None:
        self._sha256.update(data)
        self._size += len(data)
        left = memoryview(data)
        while left:
            left = left[os.write(self.descriptor, left) :]

    def _recognise(self) -> ReceivedFile:
        kind = kind_of(lambda at, size: os.pread(self.descriptor, size, at), self._size)
        return ReceivedFile(self._size, self._sha256.digest(), kind)

    def _sync(self) -> None:
        os.fsync(self.descriptor)
        durable.sync(self.path.parent)

    def _discard(self) -> None:
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DraftUpload:
    """An upload whose bytes come into a draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._kept = False

    async def __aenter__(self) -> Self:
        await self._draft.begin()
        return self

    async def write(self, part: bytes) -> None:
        await self._draft.write(part)

    async def received(self) -> ReceivedFile:
        return await self._draft.received()

    def keep(self) -> None:
        self._kept = True


async def done_by(executor: Executor, work: Callable[[], T], cut_short: Callable[[], None] | None = None) -> T:
    """Run blocking work on a thread and return its result. If the caller is cancelled, CancelledError is raised only
    once the work has ended; `cut_short` hastens that. Raises Stopping if the executor has been shut down."""
    try:
        future = asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError:
        raise Stopping from None
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
            if cut_short is not None:
                cut_short()
    if cancelled is not None:
        future.exception()  # no caller is left to hear of it
        raise cancelled
    return future.result()


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether no upload to a draft is in progress. If so, none can begin while the block lasts. Also True for a draft
    that does not exist."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def trouble(error: OSError) -> Unavailable:
    """The error that a caller gets for an error of the disk."""
    if error.errno in _FULL:
        return DiskNearlyFull()
    return FilesUnavailable(f"Files cannot be stored or read now ({error.strerror}). Retry later.")
