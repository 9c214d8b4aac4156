"""The client for asyncio: connections, a clock and sleep around the core."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, TypeVar

import httpx

from signalpost_client import async_calls, shapes
from signalpost_client.core import (
    DEADLINE,
    Address,
    Call,
    Content,
    OngoingCall,
    Patience,
    Request,
    StreamedAnswer,
    StreamedCall,
    Wait,
)
from signalpost_client.forms import File, FileForm, upload_of
from signalpost_client.importing import Line, LineImport
from signalpost_client.transport import answer_of, headers_of, loss_of, reason_of, tls_context

T = TypeVar("T")
Lines = Iterable[Line] | AsyncIterable[Line]


class AsyncClient(async_calls.AsyncNouns):
    """Calls a gateway. Close it, or use it in an `async with`; tasks may share it."""

    documents: AsyncDocuments
    events: AsyncEvents

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tenant: str | None = None,
        deadline: float = DEADLINE,
        transport: httpx.AsyncBaseTransport | None = None,
        auth: httpx.Auth | None = None,
    ) -> None:
        """`deadline` is in seconds: how long a call may take, with all its repeats. `tenant` is for an operator's key,
        which may name any. `transport` has the connections in place of httpx's own: for a proxy, or certificates that
        the system does not know. `auth` may give a request another key, as for one that is rotated. Raises ValueError
        for a URL or key that cannot be one."""
        self._address = Address(url, key, tenant)
        self._deadline = deadline
        self._http = httpx.AsyncClient(
            transport=transport, verify=tls_context() if transport is None else True, auth=auth
        )
        super().__init__(self)
        self.documents = AsyncDocuments(self)
        self.events = AsyncEvents(self)

    def __repr__(self) -> str:
        return f"AsyncClient({self._address!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Make a call, again if need be, and return its result. For calls that this release does not know; all others
        have a method. Raises SignalpostError."""
        ongoing = OngoingCall(self._address, call, Patience(self._deadline, time.monotonic()))
        while True:
            outcome = await self._once(ongoing)
            if not isinstance(outcome, Wait):
                return outcome
            await asyncio.sleep(outcome.seconds)

    async def _once(self, ongoing: OngoingCall[T]) -> T | Wait:
        try:
            async with self._begun(ongoing.request, ongoing.timeout(time.monotonic())) as response:
                answer = answer_of(response, await response.aread())
        except httpx.RequestError as error:
            lost = loss_of(error)
        else:
            return ongoing.answered(answer, time.monotonic())
        return ongoing.lost(lost, time.monotonic())

    @asynccontextmanager
    async def open(self, call: Call[Any]) -> AsyncIterator[StreamedAnswer[AsyncIterator[bytes]]]:
        """Make a call whose answer is read part by part, as for a large file, and for as long as it comes. It is not
        repeated. Raises SignalpostError, also while it is read."""
        streamed = StreamedCall(self._address, call)
        timeout = Patience(self._deadline, time.monotonic()).of_one_try(time.monotonic())
        try:
            async with self._begun(streamed.request, timeout) as response:
                if response.status_code != 200:
                    raise streamed.refused(answer_of(response, await response.aread()))
                yield StreamedAnswer(headers_of(response), _read(response, streamed))
        except httpx.RequestError as error:
            reason = reason_of(error)
        else:
            return
        raise streamed.lost(reason)

    def _begun(self, request: Request, timeout: float) -> AbstractAsyncContextManager[httpx.Response]:
        return self._http.stream(
            request.method, request.url, headers=request.headers, content=_sent(request.content), timeout=timeout
        )

    async def import_lines(self, lines: Lines) -> AsyncIterator[shapes.ImportedLine]:
        """What `documents.import_lines` does."""
        importing = LineImport(self._address, Patience(self._deadline, time.monotonic()))
        left = _each(lines)
        while True:
            while importing.has_room() and (line := await anext(left, None)) is not None:
                importing.take(line)
            request = importing.request()
            if request is None:
                return
            wait = None
            async with aclosing(self._answers(importing, request)) as answers:
                async for answer in answers:
                    if isinstance(answer, Wait):
                        wait = answer
                    else:
                        yield answer
            if wait is not None:
                await asyncio.sleep(wait.seconds)

    async def _answers(
        self, importing: LineImport, request: Request
    ) -> AsyncGenerator[shapes.ImportedLine | Wait, None]:
        """The answers to one request of an import. The last is what to wait for if lines have to be sent again."""
        timeout, reason = importing.timeout(time.monotonic()), "the connection ended before every line was answered"
        try:
            async with self._begun(request, timeout) as response:
                if response.status_code != 200:
                    yield importing.refused(answer_of(response, await response.aread()), time.monotonic())
                    return
                async for part in response.aiter_bytes():
                    for answer in importing.answered(part, time.monotonic()):
                        yield answer
                        if isinstance(answer, Wait):
                            return
        except httpx.RequestError as error:
            reason = reason_of(error)
        if (wait := importing.ended(time.monotonic(), reason)) is not None:
            yield wait


class AsyncDocuments(async_calls.AsyncDocuments):
    """Calls of `/v1/documents`."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__(client)
        self._client = client

    def import_lines(self, lines: Lines) -> AsyncIterator[shapes.ImportedLine]:
        """Import many documents, and delete some: each line is a snapshot or deletion, or its JSON. Yields the answer
        to each line in their order, once it is committed, or refused (`problem`); `line` counts from 1. Lines are taken
        as they are needed. Whatever breaks, it goes on from the first line without an answer. `POST
        /v1/documents/import`."""
        return self._client.import_lines(lines)

    async def upload_version(
        self,
        external_id: str,
        file: bytes | File,
        *,
        publish: bool = False,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Number:
        """Upload a file as a new version. `POST /v1/documents/{externalId}/versions`."""
        call = upload_of(external_id, FileForm(file, publish=publish), if_match, idempotency_key)
        return await self._sender.send(call)


class AsyncEvents(async_calls.AsyncEvents):
    """Calls of `/v1/events`."""

    async def follow(
        self, after: int = 0, *, event_type: str | None = None, external_id: str | None = None, every: float = 1.0
    ) -> AsyncIterator[shapes.LogEntry]:
        """Every event with a higher sequence, oldest first, and then those that come, asking `every` so many seconds.
        Keep the `sequence` of the last that you handled, and go on after it. Raises Gone if the events after it are no
        longer kept. `GET /v1/events`."""
        while True:
            page = await self.list(after=after, event_type=event_type, external_id=external_id, limit=250)
            for entry in page.data:
                yield entry
            if page.last == after:
                await asyncio.sleep(every)
            after = page.last


async def _each(lines: Lines) -> AsyncIterator[Line]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line


async def _read(response: httpx.Response, streamed: StreamedCall) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_bytes():
            yield part
    except httpx.RequestError as error:
        reason = reason_of(error)
    else:
        return
    raise streamed.lost(reason)


def _sent(content: bytes | Content | None) -> bytes | AsyncIterator[bytes] | None:
    return content if content is None or isinstance(content, bytes) else _parts(content)


async def _parts(content: Content) -> AsyncIterator[bytes]:
    for part in content.parts():
        yield part
