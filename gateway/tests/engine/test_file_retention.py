"""Files of deleted documents go a day later; whatever stops it half-way, no file stays that the gateway does not know
of."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from gateway.tests.bodies import new_document

from signalpost.api.rendering import kept_answers
from signalpost.commands.batch import BatchContext
from signalpost.commands.command import Command
from signalpost.commands.documents import CreateDocument, DeleteDocument
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import Number, StoredFile
from signalpost.domain.timestamps import SECOND
from signalpost.engine.maintenance.file_retention import BATCH, KEPT_AFTER_DELETION, FileRetention
from signalpost.files.files import FilesUnavailable
from signalpost.files.folder import Folder
from signalpost.store.sqlite.store import SqliteStore, thread_executors
from signalpost.store.vault import MasterKeys

LINKS = Links(b"", "")
START = 1_700_000_000 * SECOND


class Failing(Folder):
    """Takes some files away, and then none any more."""

    left = 2**62

    async def remove(self, name: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise FilesUnavailable("Not now.")
        await super().remove(name)


class Archive:
    """Documents with versions, and a clock that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.ahead = 0
        """How far the wall clock was set ahead."""
        self.store = SqliteStore(
            folder / "signalpost.db", MasterKeys([bytes(32)]),
            BatchContext(LINKS, kept_answers(LINKS), Random(1).getrandbits), self.wall, thread_executors(), print,
        )  # fmt: skip
        self.files = Failing(folder / "files", ThreadPoolExecutor(1), os.urandom)
        self.retention = FileRetention(self.store, self.files, self)

    def wall(self) -> int:
        return self.now + self.ahead

    def steady(self) -> int:
        return self.now

    async def do(self, *commands: Command[Any]) -> None:
        published = await self.store.publish(commands)
        assert not [result for result in published.results if isinstance(result, Exception)]

    async def make(self, document: int, versions: int = 1) -> None:
        await self.do(CreateDocument(tenant_id=1, document_id=identity(document), new=new_document(), source_app="app"))
        for _ in range(versions):
            async with self.files.upload() as upload:
                await upload.write(b"%PDF-")
                received = await upload.received()
                file = StoredFile(upload.name, received.size, received.sha256, "application/pdf")
                await upload.store(file, "a.pdf")
                upload.keep()
            await self.do(
                AddVersion(tenant_id=1, document_id=identity(document), file=file, publish=False, by="someone")
            )

    async def delete(self, document: int) -> None:
        await self.do(DeleteDocument(tenant_id=1, document_id=identity(document)))

    async def kept(self) -> int:
        return len([name async for name in self.files.names()])


def identity(document: int) -> str:
    return f"00000000-0000-4000-8000-{document:012d}"


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[Archive], Awaitable[None]]], None]:
    def run(scenario: Callable[[Archive], Awaitable[None]]) -> None:
        async def whole() -> None:
            archive = Archive(tmp_path)
            try:
                await scenario(archive)
            finally:
                await archive.store.close()
                await archive.files.close()

        asyncio.run(whole())

    return run


Play = Callable[[Callable[[Archive], Awaitable[None]]], None]


def test_files_stay_for_a_day_after_their_document_s_deletion(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.make(1)
        await archive.do(
            PublishVersion(tenant_id=1, document_id=identity(1), version_number=Number(0, 1), by="someone")
        )
        await archive.make(2)
        archive.now += SECOND
        await archive.delete(1)
        archive.now += KEPT_AFTER_DELETION
        await archive.retention.pass_once()
        assert await archive.kept() == 2
        assert await archive.store.versions.get(1, identity(1), Number(0, 1)), "a link to it would still find it"
        archive.now += 1
        await archive.retention.pass_once()
        assert await archive.kept() == 1
        for number in (Number(0, 1), Number(1, 0)):
            assert await archive.store.versions.get(1, identity(1), number) is None
        assert await archive.store.versions.get(1, identity(2), Number(0, 1))

    play(scenario)


def test_a_clock_that_is_set_ahead_takes_no_file_before_its_time(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.make(1)
        await archive.delete(1)
        archive.ahead = 365 * KEPT_AFTER_DELETION
        archive.now += KEPT_AFTER_DELETION
        await archive.retention.pass_once()
        assert await archive.kept() == 1

    play(scenario)


def test_many_go_in_one_pass(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.make(1, BATCH + 5)
        await archive.delete(1)
        archive.now += KEPT_AFTER_DELETION * 2
        await archive.retention.pass_once()
        assert await archive.kept() == 0
        assert await archive.store.versions.deleted(2**62, 1) == []

    play(scenario)


def test_a_pass_that_fails_goes_on_later_and_forgets_no_file_that_is_still_there(play: Play) -> None:
    async def scenario(archive: Archive) -> None:
        await archive.make(1, 5)
        await archive.delete(1)
        archive.now += KEPT_AFTER_DELETION * 2
        archive.files.left = 3
        with pytest.raises(FilesUnavailable):
            await archive.retention.pass_once()
        assert await archive.kept() == 2
        known = {row.file.name for _, row in await archive.store.versions.deleted(2**62, 10)}
        assert {name async for name in archive.files.names()} <= known
        archive.files.left = 100
        await archive.retention.pass_once()
        assert await archive.kept() == 0

    play(scenario)
