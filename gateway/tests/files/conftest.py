"""Where files are kept, under test: every implementation through one contract."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar
from uuid import uuid4

import pytest
from gateway.tests.files.seaweed import Seaweed
from hypothesis import settings

from signalpost.domain.documents.version import StoredFile
from signalpost.files.files import Files, Upload
from signalpost.files.folder import Folder
from signalpost.sender.tls_context import tls_context

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

T = TypeVar("T")
PDF = b"%PDF-1.7 a document "
"""How what is uploaded begins."""


class Cabinet:
    """Files under test, and what is on this machine's disk of them."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.files = files
        self.folder = folder
        """Where files are, or drafts of objects."""

    async def upload(self, content: bytes) -> StoredFile:
        """One that is kept."""
        async with self.files.upload() as upload:
            await upload.write(content)
            file = await stored(upload)
            await upload.store(file, "a name.pdf")
            upload.keep()
        return file

    async def read(self, file: StoredFile, start: int = 0, stop: int | None = None) -> bytes:
        parts = self.files.read(file.name, start, file.size if stop is None else stop)
        return b"".join([part async for part in parts])

    async def names(self) -> set[str]:
        return {name async for name in self.files.names()}


async def stored(upload: Upload) -> StoredFile:
    received = await upload.received()
    return StoredFile(upload.name, received.size, received.sha256, "application/pdf")


class Keep(Protocol):
    def __call__(self, scenario: Callable[[Cabinet], Awaitable[T]]) -> T: ...


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """One for the session; tests take buckets of their own."""
    server = Seaweed(tmp_path_factory.mktemp("seaweed"))
    yield server
    server.stop()


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.slow)])
def make_files(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Cabinet]:
    """Opens the same files again at each call, as a process that starts does."""
    prefix = uuid4().hex

    def folder() -> Folder:
        return Folder(tmp_path / "files", ThreadPoolExecutor(2), os.urandom)

    def make() -> Cabinet:
        if request.param == "folder":
            return Cabinet(folder(), tmp_path / "files")
        from signalpost.files.bucket import Bucket

        bucket = Bucket(f"s3://tests/{prefix}", folder(), ThreadPoolExecutor(2), tls_context(None))
        return Cabinet(bucket, tmp_path / "files")

    if request.param == "bucket":
        server: Seaweed = request.getfixturevalue("seaweed")
        monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
    return make


@pytest.fixture
def keep(make_files: Callable[[], Cabinet]) -> Keep:
    """Runs a scenario on fresh files, and closes them."""

    def run(scenario: Callable[[Cabinet], Awaitable[T]]) -> T:
        async def whole() -> T:
            cabinet = make_files()
            try:
                return await scenario(cabinet)
            finally:
                await cabinet.files.close()

        return asyncio.run(whole())

    return run
