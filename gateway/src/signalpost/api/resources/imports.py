"""Imports many documents: NDJSON in, and one line out for every line in, in their order, once it is committed.

Request and response are streamed at the same time. One task reads lines and hands them to the committer. Beside it, the
answers are sent, each once it and all before it are there. A line holds places from when it is read until its answer is
sent. So a commit takes many lines, memory stays the same however long the import is, and a client that does not read
its answers is not read from either. An answered line is committed. If the response ends early, the client can send all
lines without an answer again.

If a line is refused for what is not wrong with it (the key, the tenant, a limit, the disk), or its commit fails, it is
the last one: were that over before the next line, a later state of its document would be taken before it. Of the lines
that were read by then, the commands say that they belong together (`OrderedLines`), and none of them is taken.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from signalpost.api.http.body import MAX_BODY_BYTES, read_typed
from signalpost.api.http.problems import problem_document
from signalpost.api.http.response import CONTENT_TYPE, StreamedResponse
from signalpost.api.rendering import EFFECT_STATUS
from signalpost.api.routing.context import RequestBody, RequestContext, Variant
from signalpost.api.routing.route import CHANGES_DOCUMENTS, Example, Reply, Route
from signalpost.api.routing.shapes.documents import ImportedLine
from signalpost.commands.command import CompletedCommand, OrderedLines, RepeatedCommand
from signalpost.commands.documents import DeleteLine, DocumentDeleted, DocumentImported, Effect, ImportLine
from signalpost.domain import body, trace_context
from signalpost.domain.documents.bodies import DeletionLine, SnapshotLine
from signalpost.domain.errors import (
    CallerError,
    Forbidden,
    Invalid,
    OutcomeUnknown,
    SignalpostError,
    TooLarge,
    Unavailable,
    Unparseable,
    first_of,
)
from signalpost.domain.fields import Uuid
from signalpost.listener.application import Turn
from signalpost.runtime.logger import log

NDJSON: Final = "application/x-ndjson"
MAX_REFUSED = 1_000
"""Number of refused lines after which an import ends: each costs as much as many correct ones, and its answer is some
hundred times its size."""
WRONG_LINE: Final = (Invalid, TooLarge, Unparseable)
"""How a line is refused for what is wrong with it. Whatever else it is refused for, the next one would be, too."""
MUST_BE_REPEATED: Final = (Forbidden, Unavailable)
"""How a line that was in a commit is refused for what is not wrong with it."""
MAX_PROBLEM_CHARACTERS = 4 * 1024
"""How much the answer to one line may say of what is wrong with it."""
LINES_IN_A_ROW = 64
BYTES_IN_A_ROW = 64 * 1024
"""Number of lines, or of bytes of a body, after which others have their turn."""
REFUSED_SECONDS = 0.0001
"""How much of the event loop's time a refused line counts for, which changes nothing."""
REFUSED_COST = 16
"""Refusing a line and saying why takes as long as answering this many correct ones."""
BLANK_BYTES = 1024
BLANK_SECONDS = 0.0003
"""How much of the event loop's time a piece of so many bytes or more counts for that has blank lines only, which change
nothing."""
ANSWERED_IN_A_ROW = 256
"""Number of answers after which others have their turn."""
_BLANK_LINES = re.compile(rb"\s*\n")
SPACE = 0x20
"""No byte of white space is above it."""
_check_uuid = body.check_of(Uuid)
PLACES = 512
PLACE_BYTES = 8 * 1024
"""A line takes one place for each of these that it begins, so at most 4 MiB of lines are under way."""


LineResult = asyncio.Future[CompletedCommand[DocumentImported | DocumentDeleted] | RepeatedCommand]


class NumberedLine(NamedTuple):
    number: int
    content: bytes | None
    """None if the line is longer than a body may be."""


class _WaitingLine(NamedTuple):
    number: int
    places: int
    external_id: str | None
    result: "LineResult"


async def import_many(context: RequestContext) -> StreamedResponse:
    context.query()
    context.check_media_type(_BODY)
    chunks = context.arriving()
    # Read before the head of the response is sent: only then a client that waits for `100 Continue` gets it.
    first = await anext(chunks, b"")
    found = lines(first, chunks, context.turn, partial(context.pay, BLANK_SECONDS))
    return StreamedResponse(_Import(context, found).answers(), ((CONTENT_TYPE, NDJSON),))


# --- Reading ----------------------------------------------------------------------------------------------------------


async def lines(
    first: bytes, chunks: AsyncIterator[bytes], turn: Turn, after_blank: Turn
) -> AsyncIterator[list[NumberedLine]]:
    """All lines except blank ones, as many at a time as have arrived. Numbers count from 1 and include the blank
    ones. `after_blank` is waited for after a large piece that has nothing else."""
    number, rest, too_long = 1, bytearray(), False
    async for chunk in _in_small_pieces(_whole(first, chunks), turn):
        found: list[NumberedLine] = []
        begin, searched = 0, len(rest)
        rest += chunk
        while (end := rest.find(b"\n", max(begin, searched))) >= 0:
            if rest[begin] <= SPACE and not too_long and (blank := _BLANK_LINES.match(rest, begin)):
                number, begin = number + rest.count(b"\n", begin, blank.end()), blank.end()
                continue
            content = bytes(rest[begin:end])
            if too_long or len(content) > MAX_BODY_BYTES:
                found.append(NumberedLine(number, None))
            else:
                found.append(NumberedLine(number, content))
            number, begin, too_long = number + 1, end + 1, False
            if len(found) >= LINES_IN_A_ROW:
                yield found
                found = []
                await turn()
        yield found
        del rest[:begin]
        if len(chunk) >= BLANK_BYTES and chunk.isspace():
            await after_blank()
        if len(rest) > MAX_BODY_BYTES:
            too_long = True
            rest.clear()


async def _in_small_pieces(chunks: AsyncIterator[bytes], turn: Turn) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        for begin in range(0, len(chunk), BYTES_IN_A_ROW):
            if begin:
                await turn()
            yield chunk[begin : begin + BYTES_IN_A_ROW]


async def _whole(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All chunks, and a newline at the end, which the last line may lack."""
    yield first
    async for chunk in chunks:
        yield chunk
    yield b"\n"


# --- Committing and answering -----------------------------------------------------------------------------------------


class _Import:
    """An import while it runs: the lines that were read, and the answers that are owed."""

    def __init__(self, context: RequestContext, lines: AsyncIterator[list[NumberedLine]]) -> None:
        self._call = context
        self._lines = lines
        self._places = PLACES
        """How many are free."""
        self._freed = asyncio.Event()
        """Set when places became free."""
        self._waiting: deque[_WaitingLine | None] = deque()
        """Lines without an answer, oldest first; None after the last line."""
        self._came = asyncio.Event()
        """Set when something was added to `_waiting`."""
        self._is_over = False
        """Whether no line is read any more."""
        self._order = OrderedLines()

    async def answers(self) -> AsyncGenerator[bytes, None]:
        """The lines of the response, in parts: each part has what one commit settled. If the body breaks off, too many
        lines are refused or the gateway stops, the last line says so, and from which line on to repeat."""
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(_noted)
        following, refused, request_id = 1, 0, self._call.request_id
        try:
            while answered := await self._answered():
                yield b"".join(map(self._answer, answered))
                following = answered[-1].number + 1
                for line in answered:
                    refused += isinstance(line.result.exception(), CallerError)
                    self._places += line.places
                if isinstance(answered[-1].result.exception(), MUST_BE_REPEATED):
                    return
                if refused >= MAX_REFUSED:
                    raise _too_many_refused(refused)
                self._freed.set()
            await reading
        except Unparseable as error:
            log.info("an import ended early", request=request_id, line=following, why=error.detail)
            yield _refused(following, None, problem_document(error, request_id))
        except asyncio.CancelledError:
            log.info("an import was ended by the shutdown", request=request_id, line=following)
            stopped = OutcomeUnknown("Signalpost is stopping. Send this line and those after it again.")
            yield _refused(following, None, problem_document(stopped, request_id))
        finally:
            reading.cancel()
            for waiting in filter(None, self._waiting):
                waiting.result.add_done_callback(_noted)

    async def _answered(self) -> list[_WaitingLine]:
        """Waits for the result of the oldest line. Returns it with lines after it that have a result by then, as many
        as are answered in a row, up to one that must be repeated; nothing after the last line."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        if (oldest := self._waiting[0]) is not None:
            await asyncio.wait([oldest.result])
        answered: list[_WaitingLine] = []
        room = ANSWERED_IN_A_ROW
        while room > 0 and self._waiting and (waiting := self._waiting[0]) is not None and waiting.result.done():
            answered.append(waiting)
            self._waiting.popleft()
            error = waiting.result.exception()
            room -= 1 if error is None else REFUSED_COST
            if isinstance(error, MUST_BE_REPEATED):
                break
        if room <= 0:
            await self._call.turn()
        return answered

    async def _read(self) -> None:
        try:
            async for found in self._lines:
                for line in found:
                    if self._is_over:
                        break
                    places = 1 + len(line.content or b"") // PLACE_BYTES
                    while self._places < places:
                        self._freed.clear()
                        await self._freed.wait()
                    self._places -= places
                    waiting = await self._begun(line, places)
                    self._waiting.append(waiting)
                    self._came.set()
                    if waiting.result.done():
                        await self._call.turn()  # it was refused, which costs as much as many that are right
                        await self._call.pay(REFUSED_SECONDS)
                if self._is_over:
                    break
            self._call.services.engine.wait_for_no_more()
        finally:
            self._waiting.append(None)
            self._came.set()

    async def _begun(self, line: NumberedLine, places: int) -> _WaitingLine:
        """Hand a line to the committer. If the line is wrong, its result is available at once."""
        given: Any = None
        said: SnapshotLine | DeletionLine | None = None
        external_id: str | None
        result: LineResult
        try:
            if line.content is None:
                raise TooLarge("line_too_large", f"A line can have at most {MAX_BODY_BYTES} bytes.")
            said = read_typed(SnapshotLine, line.content, {})
            if said is None:
                given = await self._call.decoded(line.content)
            await self._call.check_still_allowed()
            await self._call.services.engine.limits.import_turn(self._call.tenant_id)
            said = said or body.read(DeletionLine if _is_deletion(given) else SnapshotLine, given)
            command = self._command(said)
            external_id = command.document_id
            result = await self._call.services.engine.enqueue(command)
        except (CallerError, Unavailable) as error:
            self._is_over = not isinstance(error, WRONG_LINE)
            external_id = _external_id(given) if said is None else said.external_id
            result = asyncio.get_running_loop().create_future()
            result.set_exception(error)
        return _WaitingLine(line.number, places, external_id, result)

    def _command(self, said: SnapshotLine | DeletionLine) -> ImportLine | DeleteLine:
        """What a line asks for."""
        asked: dict[str, Any] = {
            "tenant_id": self._call.tenant_id,
            "caller": self._call.principal.key_id,
            "document_id": said.external_id,
            "source_version": None if said.source_version is UNSET else said.source_version,
            "trace": trace_context.parse(said.traceparent),
            "lines": self._order,
        }
        if isinstance(said, DeletionLine):
            return DeleteLine(**asked, actor=self._call.actor)
        return ImportLine(**asked, snapshot=said)

    def _answer(self, waiting: _WaitingLine) -> bytes:
        number, external_id, request_id = waiting.number, waiting.external_id, self._call.request_id
        try:
            outcome = waiting.result.result()
        except Exception as error:
            if not isinstance(error, SignalpostError):
                log.exception("a line could not be imported", request=request_id, line=number)
            return _refused(number, external_id, problem_document(_shortened(error), request_id))
        assert isinstance(outcome, CompletedCommand)  # a line has no Idempotency-Key
        effect = outcome.result.effect
        changed = effect is not Effect.UNCHANGED
        return _encoded(
            ImportedLine(line=number, status=EFFECT_STATUS[effect], external_id=external_id, changed=changed)
        )


def _is_deletion(given: Any) -> bool:
    return isinstance(given, dict) and "deleted" in given


def _noted(ended: "asyncio.Future[Any]") -> None:
    """Marks a failure as seen. Once the client is gone no one looks at it, and asyncio would complain."""
    if not ended.cancelled():
        ended.exception()


def _external_id(given: Any) -> str | None:
    """The `externalId` of a refused line, if it has a valid one, so that its sender finds the line again."""
    try:
        return str(_check_uuid(given["externalId"]))
    except (KeyError, TypeError, ValueError):
        return None


def _refused(number: int, external_id: str | None, problem: dict[str, Any]) -> bytes:
    line = ImportedLine(line=number, status=problem["status"], external_id=external_id)
    return msgspec.json.encode({**msgspec.to_builtins(line), "problem": problem}) + b"\n"


def _too_many_refused(refused: int) -> Unparseable:
    detail = (
        f"{refused} lines were refused, so the import ends. Correct them, and send this line and those after it again."
    )
    return Unparseable("too_many_refused", detail)


def _shortened(error: BaseException) -> BaseException:
    """The error of a line, with as many places as the answer to one line may name."""
    if not isinstance(error, Invalid):
        return error
    return Invalid(first_of(error.errors, MAX_PROBLEM_CHARACTERS), error.code)


def _encoded(line: ImportedLine) -> bytes:
    return msgspec.json.encode(line) + b"\n"


_BODY: Final = RequestBody(
    SnapshotLine,
    optional=True,
    variants=(Variant("DeletionLine", DeletionLine, _is_deletion),),
    media_types=(NDJSON, "application/ndjson", "application/jsonl"),
)

_REPLY: Final = (
    "One line for each line of the request, in order, as they are committed. If the import cannot go on, the last line"
    " is a problem that says why, and its number is the line to repeat from."
)

ROUTES = (
    Route(
        name="import_documents",
        method="POST",
        path="/v1/documents/import",
        summary="Import and delete many documents: one JSON object per line in, one result per line out",
        roles=CHANGES_DOCUMENTS,
        handler=import_many,
        changes=True,
        body=_BODY,
        replies={200: Reply(_REPLY, ImportedLine, media_type=NDJSON)},
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
