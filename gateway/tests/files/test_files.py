"""The contract of what keeps files, by every implementation."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.files.conftest import PDF, Cabinet, Keep, stored
from gateway.tests.patience import PATIENCE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalpost.domain.documents.version import StoredFile
from signalpost.files.draft import WRITTEN_AT_ONCE
from signalpost.files.files import PART_BYTES, FileLost
from signalpost.files.folder import Folder


def unknown(_name: str) -> bool:
    return False


def known(_name: str) -> bool:
    return True


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, WRITTEN_AT_ONCE * 2 + 7])
def test_a_file_is_read_as_it_was_written(keep: Keep, size: int) -> None:
    content = os.urandom(size)

    async def scenario(cabinet: Cabinet) -> None:
        file = await cabinet.upload(content)
        assert (file.size, file.sha256) == (size, hashlib.sha256(content).digest())
        assert await cabinet.read(file) == content
        assert await cabinet.files.condition(file) == "sound"
        assert await cabinet.names() == {file.name}

    keep(scenario)


def test_however_it_comes_in_parts(keep: Keep) -> None:
    @settings(suppress_health_check=list(HealthCheck), max_examples=15)
    @given(st.lists(st.binary(max_size=300_000), max_size=12).filter(any))
    def law(parts: list[bytes]) -> None:
        async def scenario(cabinet: Cabinet) -> None:
            async with cabinet.files.upload() as upload:
                for part in parts:
                    await upload.write(part)
                file = await stored(upload)
                await upload.store(file, "a.pdf")
                upload.keep()
            assert await cabinet.read(file) == b"".join(parts)

        keep(scenario)

    law()


def test_any_part_of_it_is_read_by_itself(keep: Keep) -> None:
    content = os.urandom(PART_BYTES * 2 + 10)

    async def scenario(cabinet: Cabinet) -> None:
        file = await cabinet.upload(content)
        for start, stop in ((0, 1), (0, len(content)), (5, 5 + PART_BYTES), (len(content) - 1, len(content))):
            assert await cabinet.read(file, start, stop) == content[start:stop]

    keep(scenario)


def test_names_are_random_digits_that_no_user_chose(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        names = {(await cabinet.upload(PDF)).name for _ in range(5)}
        assert len(names) == 5
        assert all(len(name) == 32 and set(name) <= set("0123456789abcdef") for name in names)

    keep(scenario)


def test_an_upload_that_is_not_kept_leaves_nothing(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        for steps in range(4):
            async with cabinet.files.upload() as upload:
                if steps > 0:
                    await upload.write(PDF * 100_000)
                if steps > 1:
                    await upload.received()
                if steps > 2:
                    await upload.store(await stored(upload), "a.pdf")
            assert await cabinet.names() == set()
            assert list(cabinet.folder.iterdir()) == []

    keep(scenario)


def test_an_upload_that_fails_leaves_nothing(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        async def failing() -> None:
            async with cabinet.files.upload() as upload:
                await upload.write(PDF)
                await upload.store(await stored(upload), "a.pdf")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await failing()
        assert await cabinet.names() == set()
        assert list(cabinet.folder.iterdir()) == []

    keep(scenario)


def test_what_is_removed_is_missing_and_removing_it_again_is_no_fault(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        file = await cabinet.upload(PDF)
        for _ in range(2):
            await cabinet.files.remove(file.name)
        assert await cabinet.files.condition(file) == "missing"
        with pytest.raises(FileLost):
            await cabinet.read(file)
        assert await cabinet.names() == set()

    keep(scenario)


def test_what_is_not_what_was_put_there_is_damaged(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        file = await cabinet.upload(PDF)
        another = StoredFile(file.name, file.size, hashlib.sha256(b"another").digest(), file.content_type)
        longer = StoredFile(file.name, file.size + 1, file.sha256, file.content_type)
        assert await cabinet.files.condition(another) == "damaged"
        with pytest.raises(FileLost):
            await cabinet.read(longer)

    keep(scenario)


def test_a_kept_file_is_an_orphan_unless_a_version_points_to_it(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        file = await cabinet.upload(PDF)
        assert not await cabinet.files.is_orphan(file.name, known)
        assert not await cabinet.files.remove_orphan(file.name, known)
        assert await cabinet.read(file) == PDF
        assert await cabinet.files.is_orphan(file.name, unknown)
        assert await cabinet.files.remove_orphan(file.name, unknown)
        assert await cabinet.names() == set()

    keep(scenario)


def test_an_upload_under_way_is_no_orphan_at_any_step(keep: Keep) -> None:
    async def scenario(cabinet: Cabinet) -> None:
        async def none_is() -> None:
            for name in await cabinet.names():
                assert not await cabinet.files.is_orphan(name, unknown)
                assert not await cabinet.files.remove_orphan(name, unknown)

        async with cabinet.files.upload() as upload:
            await none_is()
            await upload.write(PDF * 100_000)
            await none_is()
            file = await stored(upload)
            await none_is()
            await upload.store(file, "a.pdf")
            await none_is()
            upload.keep()
        assert await cabinet.read(file) == PDF * 100_000

    keep(scenario)


# --- Cancellation -----------------------------------------------------------------------------------------------------


class Held(ThreadPoolExecutor):
    """Holds one of the pieces of work that it is given, until it may go on."""

    def __init__(self, piece: int) -> None:
        super().__init__(4)
        self._piece = piece
        self.reached = threading.Event()
        self.may_go_on = threading.Event()

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._piece -= 1
        return super().submit(self._held, work, *args) if self._piece == -1 else super().submit(work, *args, **kwargs)

    def _held(self, work: Callable[..., Any], *args: Any) -> Any:
        self.reached.set()
        assert self.may_go_on.wait(PATIENCE)
        return work(*args)


PIECES = 5
"""The steps of an upload: begin, write twice, look at it, make it durable."""


@pytest.mark.parametrize("piece", range(PIECES))
def test_an_upload_that_is_cancelled_in_the_midst_of_any_piece_of_work_leaves_nothing(keep: Keep, piece: int) -> None:
    """The thread that does the piece goes on: nothing may be taken from under it, and what it made is removed."""

    async def scenario(cabinet: Cabinet) -> None:
        held = Held(piece)
        work_on(cabinet, held)
        before = open_files()
        uploading = asyncio.create_task(upload_in_two(cabinet))
        assert await asyncio.to_thread(held.reached.wait, PATIENCE)
        for _ in range(3):  # whoever is in a hurry cancels again
            uploading.cancel()
            await asyncio.sleep(0)
        held.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await uploading
        held.shutdown()
        work_on(cabinet, ThreadPoolExecutor(1))
        assert await cabinet.names() == set()
        assert list(cabinet.folder.iterdir()) == []
        assert open_files() == before

    keep(scenario)


def test_a_read_in_a_folder_that_is_cancelled_as_it_begins_leaves_nothing_open(tmp_path: Path) -> None:
    async def scenario() -> None:
        cabinet = Cabinet(Folder(tmp_path / "files", ThreadPoolExecutor(2), os.urandom), tmp_path / "files")
        file = await cabinet.upload(PDF)
        held = Held(0)
        work_on(cabinet, held)
        before = open_files()
        reading = asyncio.create_task(cabinet.read(file))
        assert await asyncio.to_thread(held.reached.wait, PATIENCE)
        reading.cancel()
        await asyncio.sleep(0)
        held.may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
        held.shutdown()
        assert open_files() == before
        await cabinet.files.close()

    asyncio.run(scenario())


async def upload_in_two(cabinet: Cabinet) -> None:
    async with cabinet.files.upload() as upload:
        await upload.write(PDF * 100_000)
        await upload.write(PDF)
        await upload.store(await stored(upload), "a.pdf")
        upload.keep()


def open_files() -> set[str]:
    """The files in a cabinet's folder that this process has open."""
    return {path for each in Path("/proc/self/fd").iterdir() if "/files/" in (path := os.path.realpath(each))}


# --- Crashes ----------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here."""


class Crashing(ThreadPoolExecutor):
    """Ends the process, as it were, before one of the pieces of work that it is given: nothing of it runs after."""

    def __init__(self, after: int) -> None:
        super().__init__(1)
        self._left = after

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._left -= 1
        if self._left < 0:
            raise Crash
        return super().submit(work, *args, **kwargs)


def work_on(cabinet: Cabinet, executor: Executor) -> None:
    """All that the cabinet does on this machine's disk goes through the executor."""
    files: Any = cabinet.files
    for each in (files, getattr(files, "_drafts", files)):
        each._executor = executor


@pytest.mark.parametrize("after", range(8))
def test_what_a_crash_leaves_is_found_and_can_be_removed(make_files: Callable[[], Cabinet], after: int) -> None:
    """Whatever was done last: begun, written, read for its kind, made durable. Its lock ended with it."""

    async def crash() -> str | None:
        cabinet = make_files()
        crashing = Crashing(after)
        work_on(cabinet, crashing)
        upload = cabinet.files.upload()
        draft: Any = upload._draft  # type: ignore[attr-defined]
        try:
            async with upload:
                await upload.write(PDF * 100_000)
                file = await stored(upload)
                await upload.store(file, "a.pdf")
                upload.keep()
        except Crash:
            return upload.name
        finally:
            crashing.shutdown()
            if draft._descriptor is not None:
                os.close(draft._descriptor)  # what the end of a process does
        return None

    async def restart(crashed: str | None) -> None:
        cabinet = make_files()
        kept = set() if crashed else await cabinet.names()
        assert crashed or kept
        if crashed:
            assert {name.removesuffix(".draft") for name in await cabinet.names()} <= {crashed}
        for name in await cabinet.names() - kept:
            assert await cabinet.files.is_orphan(name, unknown)
            assert await cabinet.files.remove_orphan(name, unknown)
        assert await cabinet.names() == kept
        assert {path.name for path in cabinet.folder.iterdir()} <= kept
        await cabinet.files.close()

    asyncio.run(restart(asyncio.run(crash())))
