"""Stores files in a bucket of S3 or of a compatible service.

The usual variables say where the bucket is and with which credentials to use it: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL and so on; on an AWS machine, that machine's role.

An upload is first a draft on this machine, then one PUT. So an object exists whole or not at all, and no parts of an
unfinished upload stay where no list shows them. Drafts have a folder of their own. The draft of a process that is gone
is an orphan, like an object that nothing points to.
"""

import asyncio
import hashlib
import http.client
import os
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from signalpost.domain.documents.version import StoredFile
from signalpost.domain.errors import StartError, WrongSetting
from signalpost.files.draft import Draft, DraftUpload, done_by
from signalpost.files.filenames import disposition
from signalpost.files.files import PART_BYTES, Condition, FileLost, FilesUnavailable, Known, is_name
from signalpost.files.folder import Folder
from signalpost.runtime.logger import log

DRAFT = ".draft"
"""The suffix of a draft's file; the name before it is that of the future object."""
PUT_TRIES = 3
CONNECT_SECONDS = 5
PUT_SECONDS = 60
"""Seconds that the bucket may take to accept the next part of an upload, or to answer."""
CLEARING_UP_SECONDS = 5
if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_PUT_LINK = timedelta(hours=1)
_CLIENT: "ClientConfig" = {"allow_http": True, "connect_timeout": f"{CONNECT_SECONDS}s", "timeout": "300s"}
_RETRY: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class Bucket:
    def __init__(self, url: str, drafts: Folder, executor: Executor, tls: ssl.SSLContext) -> None:
        """`url` is `s3://bucket/prefix`. Raises StartError."""
        try:
            self._objects = S3Store.from_url(url, client_options=_CLIENT, retry_config=_RETRY)
        except (BaseError, ValueError) as error:
            raise StartError(f"FILES_URL {url} cannot be used: {_first_line(error)}.") from None
        self._url = url
        self._drafts = drafts
        self._executor = executor
        self._tls = tls

    async def check(self) -> None:
        """Check that the bucket exists and accepts these credentials. Raises StartError."""
        check_endpoint(os.environ)
        try:
            async for _ in obstore.list(self._objects, chunk_size=1):
                return
        except Exception as error:  # the library panics on an endpoint like http://1.2.3.4.5
            raise StartError(
                f"FILES_URL {self._url} cannot be used: {_first_line(error)}. Its credentials and its endpoint are "
                "those of the AWS_… variables."
            ) from None

    def upload(self) -> "BucketUpload":
        return BucketUpload(self._drafts.draft(DRAFT), self)

    async def put(self, path: Path, file: StoredFile, filename: str) -> None:
        """Upload a file of this machine as an object. Raises FilesUnavailable."""
        headers = {
            "content-type": file.content_type,
            "content-disposition": disposition(filename),
            "content-length": str(file.size),
        }
        for left in reversed(range(PUT_TRIES)):
            try:
                url = await obstore.sign_async(self._objects, "PUT", file.name, _PUT_LINK)
                put = _PutRequest(url, path, headers, self._tls)
                await done_by(self._executor, put.run, put.cut_short)
            except (BaseError, OSError, http.client.HTTPException) as error:
                if not left:
                    raise _unavailable(error) from None
                await asyncio.sleep(1)
            else:
                return

    async def read(self, name: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        at = start
        try:
            got = await obstore.get_async(self._objects, name, options={"range": (start, stop)})
            async for part in got.stream(min_chunk_size=PART_BYTES):
                at += len(part)
                yield bytes(part)
        except FileNotFoundError:
            raise FileLost from None
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        if at != stop:
            raise FileLost

    async def link(self, name: str, seconds: int) -> str | None:
        try:
            return await obstore.sign_async(self._objects, "GET", name, timedelta(seconds=seconds))
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None

    async def remove(self, name: str) -> None:
        try:
            await obstore.delete_async(self._objects, name)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None

    async def condition(self, file: StoredFile) -> Condition:
        sha256 = hashlib.sha256()
        try:
            async for part in self.read(file.name, 0, file.size):
                sha256.update(part)
        except FileLost:
            return "missing" if sha256.digest() == hashlib.sha256().digest() else "damaged"
        return "sound" if sha256.digest() == file.sha256 else "damaged"

    async def names(self) -> AsyncIterator[str]:
        try:
            async for some in obstore.list(self._objects):
                for found in some:
                    if is_name(found["path"]):
                        yield found["path"]
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        async for name in self._drafts.names():
            yield name

    async def is_orphan(self, name: str, is_known: Known) -> bool:
        return await self._drafts.is_orphan(_draft(name), _of(name, is_known))

    async def remove_orphan(self, name: str, is_known: Known) -> bool:
        # The draft goes last: while it exists, it shows that something else may be left.
        orphan = await self._drafts.is_orphan(_draft(name), _of(name, is_known))
        if orphan and not name.endswith(DRAFT):
            await self.remove(name)
        return orphan and await self._drafts.remove_orphan(_draft(name), _of(name, is_known))

    async def close(self) -> None:
        await self._drafts.close()
        await asyncio.to_thread(self._executor.shutdown)


class BucketUpload(DraftUpload):
    def __init__(self, draft: Draft, bucket: Bucket) -> None:
        super().__init__(draft)
        self._bucket = bucket
        self._put = False

    @property
    def name(self) -> str:
        return self._draft.path.name.removesuffix(DRAFT)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._put and not self._kept:
                with suppress(FilesUnavailable, TimeoutError):  # then it is an orphan
                    async with asyncio.timeout(CLEARING_UP_SECONDS):
                        await self._bucket.remove(self.name)
        finally:
            await self._draft.discard()

    async def store(self, file: StoredFile, filename: str) -> None:
        self._put = True  # also if its outcome is not known
        await self._bucket.put(self._draft.path, file, filename)


def check_endpoint(environment: Mapping[str, str]) -> None:
    """Check the variables that may say where the bucket is reached. The library reads them itself, and some malformed
    values make it panic. Raises WrongSetting."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if (text := environment.get(name)) is not None:
            _check_endpoint(name, text)


def _check_endpoint(name: str, text: str) -> None:
    if not _is_http_url(text):
        raise WrongSetting(
            f"{name} must be http(s)://host[:port], such as https://s3.example.com; leave it out for Amazon's own."
        )
    if urlsplit(text).username is not None:
        raise WrongSetting(
            f"{name} must have no user name and no password: links would show them. Credentials are "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_http = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return False
    has_host = re.fullmatch("[A-Za-z0-9._:-]+", parts.hostname or "") is not None
    return is_http and has_host and re.fullmatch("[!-~]+", text) is not None


def _draft(name: str) -> str:
    return name.removesuffix(DRAFT) + DRAFT


def _of(name: str, is_known: Known) -> Known:
    """The name of the object that a draft would become. Nothing points to a draft itself."""
    return lambda _draft: not name.endswith(DRAFT) and is_known(name)


class _PutRequest:
    """One PUT request, which sends the file part by part. It can be aborted, so a hanging bucket cannot delay a
    shutdown."""

    def __init__(self, url: str, path: Path, headers: dict[str, str], tls: ssl.SSLContext) -> None:
        self._url = urlsplit(url)
        self._path = path
        self._headers = headers
        assert self._url.hostname is not None
        secure = partial(http.client.HTTPSConnection, context=tls)
        kind = secure if self._url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(self._url.hostname, self._url.port, timeout=CONNECT_SECONDS, blocksize=PART_BYTES)
        self._is_cut_short = False

    def run(self) -> None:
        """Raises OSError, HTTPException."""
        connection = self._connection
        try:
            connection.connect()
            connection.sock.settimeout(PUT_SECONDS)
            if self._is_cut_short:
                raise OSError("cut short")
            with self._path.open("rb") as file:
                connection.request("PUT", f"{self._url.path}?{self._url.query}", file, self._headers)
                answer = connection.getresponse()
            said = answer.read(200)
            if answer.status != 200:
                raise OSError(f"the bucket answered {answer.status} to an upload: {said.decode(errors='replace')}")
        finally:
            connection.close()

    def cut_short(self) -> None:
        """Abort the request, from another thread. A request that is still connecting is aborted once it is
        connected."""
        self._is_cut_short = True
        sock: socket.socket | None = self._connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _unavailable(error: Exception) -> FilesUnavailable:
    log.warning("the bucket of files cannot be used now", error=_first_line(error))
    return FilesUnavailable("The file storage cannot be reached now. Retry later.")


def _first_line(error: Exception) -> str:
    """The first line of an error, which is what an operator needs; the rest describes the library's internals."""
    return str(error).partition("\n")[0].strip()[:300].rstrip(".")
