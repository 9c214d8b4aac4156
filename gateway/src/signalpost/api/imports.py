"""Importing many documents: NDJSON in, one line out for every line in, as they are committed.

Both ways are streamed. A bounded window of lines is under way at a time, so that a commit takes many of them and memory
stays the same however many come. A client has to read while it sends; one that does neither for `IDLE_SECONDS` is cut
off. What was answered is committed; after a connection that ended early, the same lines can be sent again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from signalpost.api import problems
from signalpost.api.body import BODY_MAX_BYTES, read_json
from signalpost.api.call import Body, Call
from signalpost.api.route import Example, Reply, Route
from signalpost.api.shapes import ImportedLine
from signalpost.domain import document, fields
from signalpost.domain.api_key import Role
from signalpost.domain.batch import Answer
from signalpost.domain.document_commands import ImportDocument
from signalpost.domain.errors import CallerError, TooLarge, Unavailable, Unparseable
from signalpost.domain.fields import check_object

NDJSON: Final = "application/x-ndjson"
LINES_MOST = 256
"""Under way at a time."""
BYTES_MOST = 4 * 1024 * 1024
"""Of these, together: more only where a single line is larger."""
IDLE_SECONDS = 60
log = structlog.get_logger()


class Line(NamedTuple):
    number: int
    content: bytes | None
    """None for one that is longer than a body may be."""


class _Waiting(NamedTuple):
    line: Line
    external_id: str | None
    result: "asyncio.Future[Answer]"


async def import_many(call: Call) -> Response:
    call.query()
    call.check_media_type(_BODY)
    chunks = call.stream()
    # The body's first part before the head of the answer: a client that waits for `100 Continue` gets it only so.
    first = await anext(chunks, b"")
    return _Streamed(_answers(call, _lines(first, chunks)))


async def _lines(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[Line]:
    """The lines that are not blank, numbered from 1 with those that are."""
    number, rest, too_long = 1, bytearray(first), False
    async for chunk in _and_the_end(chunks):
        rest += chunk
        begin = 0
        while (end := rest.find(b"\n", begin)) >= 0:
            content = bytes(rest[begin:end])
            if too_long or len(content) > BODY_MAX_BYTES:
                yield Line(number, None)
            elif content.strip():
                yield Line(number, content)
            number, begin, too_long = number + 1, end + 1, False
        del rest[:begin]
        if len(rest) > BODY_MAX_BYTES:
            too_long = True
            rest.clear()


async def _and_the_end(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks, and a newline: the last line may come without one."""
    yield b""
    async for chunk in chunks:
        yield chunk
    yield b"\n"


async def _answers(call: Call, lines: AsyncIterator[Line]) -> AsyncIterator[bytes]:
    waiting: deque[_Waiting] = deque()
    size = 0
    async for line in lines:
        waiting.append(_begun(call, line))
        size += len(line.content or b"")
        answered: list[bytes] = []
        while waiting and (waiting[0].result.done() or len(waiting) >= LINES_MOST or size > BYTES_MOST):
            done = waiting.popleft()
            size -= len(done.line.content or b"")
            answered.append(await _answer(call, done))
        if answered:
            yield b"".join(answered)
    for left in waiting:
        yield await _answer(call, left)


def _begun(call: Call, line: Line) -> _Waiting:
    """Have a line committed, or say at once what is wrong with it."""
    try:
        given = _given(line)
        external_id = _external_id(given)
        try:
            checked = check_object(given, _LINE, _REQUIRED)
            source_version = checked.pop("sourceVersion", None)
            command = ImportDocument(
                tenant_id=call.tenant_id,
                document_id=checked["externalId"],
                checked=checked,
                source_version=source_version,
            )
            return _Waiting(line, command.document_id, call.services.engine.enqueue(command))
        except (CallerError, Unavailable) as error:
            return _Waiting(line, external_id, _failed(error))
    except CallerError as error:
        return _Waiting(line, None, _failed(error))


def _given(line: Line) -> Any:
    if line.content is None:
        raise TooLarge("line_too_large", f"A line can have at most {BODY_MAX_BYTES} bytes.")
    return read_json(line.content)


def _external_id(given: Any) -> str | None:
    """What a refused line says of itself, so that its sender finds it again."""
    try:
        return fields.uuid(given["externalId"])  # type: ignore[no-any-return]
    except (KeyError, TypeError, ValueError):
        return None


def _failed(error: Exception) -> "asyncio.Future[Answer]":
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    future.set_exception(error)
    return future


async def _answer(call: Call, waiting: _Waiting) -> bytes:
    number, external_id = waiting.line.number, waiting.external_id
    try:
        answer = await waiting.result
    except CallerError as error:
        return _refused(number, external_id, problems.caller_document(error, call.request_id))
    except Unavailable as error:
        return _refused(number, external_id, problems.unavailable_document(error, call.request_id))
    except Exception:
        log.exception("a line could not be imported", request=call.request_id, line=number)
        return _refused(number, external_id, problems.defect_document(call.request_id))
    changed = ("signalpost-changed", "true") in answer.headers
    return _encoded(ImportedLine(line=number, status=answer.status, external_id=external_id, changed=changed))


def _refused(number: int, external_id: str | None, problem: dict[str, Any]) -> bytes:
    line = ImportedLine(line=number, status=problem["status"], external_id=external_id)
    return msgspec.json.encode({**msgspec.to_builtins(line), "problem": problem}) + b"\n"


def _encoded(line: ImportedLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


class _Streamed(Response):
    """An answer that is sent while the request still comes in."""

    media_type = NDJSON

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts
        self.status_code = 200
        self.background = None
        self.init_headers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            while (part := await asyncio.wait_for(anext(self._parts, None), IDLE_SECONDS)) is not None:
                message = {"type": "http.response.body", "body": part, "more_body": True}
                await asyncio.wait_for(send(message), IDLE_SECONDS)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (TimeoutError, Unparseable):
            # The head is sent: an answer that breaks off is all that can tell. What was answered is committed.
            log.info("an import broke off", request=self.headers.get("request-id"))


_LINE: Final = {
    **document.SNAPSHOT,
    "sourceVersion": fields.whole_number(0, 2**63 - 1).described("The source's own number of this state."),
}
_REQUIRED: Final = (*document.SNAPSHOT_REQUIRED, "externalId")
_BODY: Final = Body(_LINE, _REQUIRED, optional=True, media_types=(NDJSON, "application/ndjson", "application/jsonl"))

ROUTES = (
    Route(
        name="import_documents",
        method="POST",
        path="/v1/documents/import",
        summary="Import many snapshots: one JSON object a line in, one answer a line out",
        roles=frozenset({Role.OPERATOR}),
        handler=import_many,
        body=_BODY,
        replies={200: Reply("A line for each line, in order, as they are committed.", ImportedLine, media_type=NDJSON)},
        example=Example(
            {
                "externalId": "d24c0644-1d31-47fa-960e-b0cc8b4f136c",
                "type": "NDA",
                "title": "Mutual NDA",
                "status": "approved",
                "createdAt": "2026-01-15T09:30:00Z",
                "sourceApp": "archive",
                "ownerEmail": "owner@example.com",
                "authorEmail": "author@example.com",
                "sourceVersion": 7,
            }
        ),
    ),
)
