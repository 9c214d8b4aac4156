"""The blocking client: connections, a clock and sleep around the core."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, TypeVar

import httpx

from signalpost_client import calls, shapes
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


class Client(calls.Nouns):
    """Calls a gateway. Close it, or use it in a `with`; threads may share it."""

    documents: Documents
    events: Events

    def __init__(
        self,
        url: str,
        key: str,
        *,
        tenant: str | None = None,
        deadline: float = DEADLINE,
        transport: httpx.BaseTransport | None = None,
        auth: httpx.Auth | None = None,
    ) -> None:
        """`deadline` is in seconds: how long a call may take, with all its repeats. `tenant` is for an operator's key,
        which may name any. `transport` has the connections in place of httpx's own: for a proxy, or certificates that
        the system does not know. `auth` may give a request another key, as for one that is rotated. Raises ValueError
        for a URL or key that cannot be one."""
        self._address = Address(url, key, tenant)
        self._deadline = deadline
        self._http = httpx.Client(transport=transport, verify=tls_context() if transport is None else True, auth=auth)
        super().__init__(self)
        self.documents = Documents(self)
        self.events = Events(self)

    def __repr__(self) -> str:
        return f"Client({self._address!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Make a call, again if need be, and return its result. For calls that this release does not know; all others
        have a method. Raises SignalpostError."""
        ongoing = OngoingCall(self._address, call, Patience(self._deadline, time.monotonic()))
        while True:
            outcome = self._once(ongoing)
            if not isinstance(outcome, Wait):
                return outcome
            time.sleep(outcome.seconds)

    def _once(self, ongoing: OngoingCall[T]) -> T | Wait:
        try:
            with self._begun(ongoing.request, ongoing.timeout(time.monotonic())) as response:
                answer = answer_of(response, response.read())
        except httpx.RequestError as error:
            lost = loss_of(error)
        else:
            return ongoing.answered(answer, time.monotonic())
        return ongoing.lost(lost, time.monotonic())

    @contextmanager
    def open(self, call: Call[Any]) -> Iterator[StreamedAnswer[Iterator[bytes]]]:
        """Make a call whose answer is read part by part, as for a large file, and for as long as it comes. It is not
        repeated. Raises SignalpostError, also while it is read."""
        streamed = StreamedCall(self._address, call)
        timeout = Patience(self._deadline, time.monotonic()).of_one_try(time.monotonic())
        try:
            with self._begun(streamed.request, timeout) as response:
                if response.status_code != 200:
                    raise streamed.refused(answer_of(response, response.read()))
                yield StreamedAnswer(headers_of(response), _parts(response, streamed))
        except httpx.RequestError as error:
            reason = reason_of(error)
        else:
            return
        raise streamed.lost(reason)

    def _begun(self, request: Request, timeout: float) -> AbstractContextManager[httpx.Response]:
        return self._http.stream(
            request.method, request.url, headers=request.headers, content=_sent(request.content), timeout=timeout
        )

    def import_lines(self, lines: Iterable[Line]) -> Iterator[shapes.ImportedLine]:
        """What `documents.import_lines` does."""
        importing = LineImport(self._address, Patience(self._deadline, time.monotonic()))
        left = iter(lines)
        while True:
            while importing.has_room() and (line := next(left, None)) is not None:
                importing.take(line)
            request = importing.request()
            if request is None:
                return
            wait = yield from self._answers(importing, request)
            if wait is not None:
                time.sleep(wait.seconds)

    def _answers(self, importing: LineImport, request: Request) -> Generator[shapes.ImportedLine, None, Wait | None]:
        """The answers to one request of an import. Returns what to wait for if lines of it have to be sent again."""
        timeout = importing.timeout(time.monotonic())
        try:
            with self._begun(request, timeout) as response:
                if response.status_code != 200:
                    return importing.refused(answer_of(response, response.read()), time.monotonic())
                for part in response.iter_bytes():
                    for answer in importing.answered(part, time.monotonic()):
                        if isinstance(answer, Wait):
                            return answer
                        yield answer
        except httpx.RequestError as error:
            reason = reason_of(error)
        else:
            reason = "the connection ended before every line was answered"
        return importing.ended(time.monotonic(), reason)


class Documents(calls.Documents):
    """Calls of `/v1/documents`."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._client = client

    def import_lines(self, lines: Iterable[Line]) -> Iterator[shapes.ImportedLine]:
        """Import many documents, and delete some: each line is a snapshot or deletion, or its JSON. Yields the answer
        to each line in their order, once it is committed, or refused (`problem`); `line` counts from 1. Lines are taken
        as they are needed. Whatever breaks, it goes on from the first line without an answer. `POST
        /v1/documents/import`."""
        return self._client.import_lines(lines)

    def upload_version(
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
        return self._sender.send(call)


class Events(calls.Events):
    """Calls of `/v1/events`."""

    def follow(
        self, after: int = 0, *, event_type: str | None = None, external_id: str | None = None, every: float = 1.0
    ) -> Iterator[shapes.LogEntry]:
        """Every event with a higher sequence, oldest first, and then those that come, asking `every` so many seconds.
        Keep the `sequence` of the last that you handled, and go on after it. Raises Gone if the events after it are no
        longer kept. `GET /v1/events`."""
        while True:
            page = self.list(after=after, event_type=event_type, external_id=external_id, limit=250)
            yield from page.data
            if page.last == after:
                time.sleep(every)
            after = page.last


def _parts(response: httpx.Response, streamed: StreamedCall) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except httpx.RequestError as error:
        reason = reason_of(error)
    else:
        return
    raise streamed.lost(reason)


def _sent(content: bytes | Content | None) -> bytes | Iterator[bytes] | None:
    return content if content is None or isinstance(content, bytes) else content.parts()
