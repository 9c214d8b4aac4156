"""A file as it comes in, on this machine's disk.

It is locked from its first moment on until it was released. A lock ends with its process, however that ends: so a draft
that is not locked and that nothing points to is nobody's.

Its work is done piece by piece, by threads. Who is cancelled waits for the piece under way: it is using what the next
one, which clears up, takes away.
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
from typing import TypeVar

from signalpost.domain.errors import DiskNearlyFull, Stopping, Unavailable
from signalpost.files.content_types import kind_of
from signalpost.files.files import FilesUnavailable, Received
from signalpost.runtime import durable

WRITTEN_AT_ONCE = 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)
T = TypeVar("T")


class Draft:
    """Blocking work runs on the executor, one piece after the other."""

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
            await self.discard()  # nobody leaves what was never entered
            raise

    async def write(self, part: bytes) -> None:
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting >= WRITTEN_AT_ONCE:
            await self._flush()

    async def received(self) -> Received:
        await self._flush()
        return await self._run(self._recognise)

    async def sync(self) -> None:
        """Make it durable, with its name."""
        await self._run(self._sync)

    async def release(self) -> None:
        """Leave it as it is."""
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

    def _recognise(self) -> Received:
        kind = kind_of(lambda at, size: os.pread(self.descriptor, size, at), self._size)
        return Received(self._size, self._sha256.digest(), kind)

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


async def done_by(executor: Executor, work: Callable[[], T], cut_short: Callable[[], None] | None = None) -> T:
    """What comes of work that a thread does. Where the caller is cancelled, that is raised only once it has ended;
    `cut_short` hastens it. Raises Stopping where the executor takes no more."""
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
        future.exception()  # nobody hears of it any more
        raise cancelled
    return future.result()


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether no upload to a draft is under way; if so, none will be as long as the block lasts. True as well of what
    is not there."""
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
    """What a caller is told of an error of the disk."""
    if error.errno in _FULL:
        return DiskNearlyFull()
    return FilesUnavailable(f"Files cannot be kept or read now ({error.strerror}). Repeat the request later.")
