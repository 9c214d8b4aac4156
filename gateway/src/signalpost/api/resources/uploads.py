"""The steps of an upload, through the API or embedded: limit its size, check what kind of file it is, make it durable,
then commit its version. If the version is refused, the file is removed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from signalpost.api.routing.services import Services
from signalpost.commands.command import CompletedCommand, RepeatedCommand
from signalpost.commands.versions import AddVersion, VersionCreated
from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import FieldError, Invalid, OutcomeUnknown, TooLarge, UnsupportedMedia
from signalpost.files.content_types import KINDS
from signalpost.files.filenames import filename
from signalpost.files.files import Upload

MAX_FILE_BYTES: Final = 100 * 1024 * 1024


def within_limit(services: Services, incoming: Upload) -> Callable[[bytes], Awaitable[None]]:
    """A function that writes a part of the file. It raises TooLarge above the limit, and DiskNearlyFull."""
    size = 0

    async def write(part: bytes) -> None:
        nonlocal size
        size += len(part)
        if size > MAX_FILE_BYTES:
            raise too_large()
        services.engine.disk.check()
        await incoming.write(part)

    return write


async def received_file(services: Services, incoming: Upload) -> StoredFile:
    """The file that was uploaded. Raises Invalid if it is empty, UnsupportedMedia if its kind is not accepted."""
    received = await incoming.received()
    if not received.size:
        raise Invalid([FieldError("/file", "wrong_length", "The file is empty.")])
    allowed = services.installation.file_kinds
    if received.kind not in allowed:
        found = received.kind or "no known kind of file"
        detail = f"By its content this is {found}. Accepted kinds: {', '.join(sorted(allowed))}."
        raise UnsupportedMedia("file_kind_not_allowed", detail)
    return StoredFile(incoming.name, received.size, received.sha256, KINDS[received.kind].content_type)


async def add_version(
    services: Services, incoming: Upload, title: str, command: AddVersion
) -> CompletedCommand[VersionCreated] | RepeatedCommand:
    """Makes the file durable, then commits the version that points to it. Raises as `Engine.submit` does."""
    await incoming.store(command.file, filename(title, command.file.content_type))
    try:
        outcome = await services.engine.submit(command)
    except (OutcomeUnknown, asyncio.CancelledError):
        incoming.keep()  # it may be committed: only a scrub can tell
        raise
    if isinstance(outcome, CompletedCommand):
        incoming.keep()
    return outcome


def too_large() -> TooLarge:
    return TooLarge("file_too_large", f"A file can have at most {MAX_FILE_BYTES} bytes.")
