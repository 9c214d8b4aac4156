"""Serves the file of a version, whole or a range of it, with headers that keep a browser from running it.

A whole file is checked while it is read: its last part is held back until its checksum is right, so a client never
takes a damaged file for a whole one. A range has no checksum. So this process reads the whole file once, and finds it
sound, before it serves the first range of it. Files never change.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from email.utils import formatdate
from typing import Final

from signalpost.api.http.ranges import ByteRange, still_applies, wanted
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.domain.documents.version import StoredFile, VersionRow
from signalpost.domain.timestamps import SECOND
from signalpost.files.filenames import disposition, filename
from signalpost.files.files import FileLost, Files
from signalpost.runtime.logger import log

SOUND_REMEMBERED: Final = 1_000
_SAFE: Final = {
    # No browser may run anything in a file of any kind, or show it as a page of this origin.
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
}


class Downloads:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._sound: dict[str, None] = {}
        """The names of files that were found intact, most recently used last."""

    async def response(self, request: Request, version: VersionRow, title: str | None) -> StreamedResponse:
        """The response to a GET or HEAD of the file. `title` is the title of its document, if it is known. Raises
        NoSuchRange, FileLost, FilesUnavailable."""
        file = version.file
        etag = f'"{file.sha256.hex()}"'
        modified = formatdate(version.created_at // SECOND, usegmt=True)
        asked, condition = request.header(b"range"), request.header(b"if-range")
        span = wanted(asked, file.size) if still_applies(condition, etag, modified) else None
        headers = {
            **_SAFE,
            "content-type": file.content_type,
            "content-disposition": disposition(filename(title or "", file.content_type)),
            "accept-ranges": "bytes",
            "etag": etag,
            "last-modified": modified,
            "content-length": str(file.size if span is None else span.stop - span.start),
        }
        if span is not None:
            headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
        parts = await self._parts(file, span)
        first = await anext(parts, b"")  # a file that is lost is then a problem, not a response that breaks off
        if request.method == "HEAD":
            await parts.aclose()
            first = b""
        return StreamedResponse(_continued(first, parts), tuple(headers.items()), 206 if span else 200)

    async def redirect(self, version: VersionRow, seconds: int) -> Response | None:
        """A redirect to a URL that serves the file for `seconds`; None if only the gateway serves it."""
        url = await self._files.link(version.file.name, seconds)
        if url is None:
            return None
        headers = (("location", url), ("cache-control", "no-store"), ("referrer-policy", "no-referrer"))
        return Response(302, b"", headers)

    async def _parts(self, file: StoredFile, span: ByteRange | None) -> AsyncGenerator[bytes, None]:
        if span is None:
            return checked(self._files.read(file.name, 0, file.size), file)
        if file.name not in self._sound and await self._files.condition(file) != "sound":
            log.error("a file is missing", file=file.name)
            raise FileLost
        self._sound.pop(file.name, None)
        self._sound[file.name] = None
        if len(self._sound) > SOUND_REMEMBERED:
            del self._sound[next(iter(self._sound))]
        return self._files.read(file.name, *span)


async def checked(parts: AsyncGenerator[bytes, None], file: StoredFile) -> AsyncGenerator[bytes, None]:
    """The parts of a whole file. Raises FileLost in place of the last part if they are not what was stored."""
    sha256, held = hashlib.sha256(), b""
    async with aclosing(parts):
        async for part in parts:
            sha256.update(part)
            if held:
                yield held
            held = part
    if sha256.digest() != file.sha256:
        log.error("a file is damaged", file=file.name)
        raise FileLost
    yield held


async def _continued(first: bytes, parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(parts):
        yield first
        async for part in parts:
            yield part
