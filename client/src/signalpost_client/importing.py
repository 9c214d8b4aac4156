"""An import of many lines, without any I/O.

The lines go out in requests of bounded size, one after the other. A gateway reads as much before it waits until its
answers are read, so neither side ever waits for the other, although it answers while it still reads. A line counts as
done once it was answered. Whatever happens in between, the import goes on from the first line that was not, and a line
that is sent again changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from signalpost_client.core import Address, Answer, Call, Patience, Request, Wait, path, refusal
from signalpost_client.errors import NoAnswer, SignalpostError, UnexpectedAnswer, problem_of
from signalpost_client.shape import read
from signalpost_client.shapes import ImportedLine

BATCH_PLACES: Final = 500
"""A gateway has 512 for lines whose answers are not read. A line takes one for each `PLACE_BYTES` that it begins."""
PLACE_BYTES: Final = 8 * 1024
BATCH_BYTES: Final = 512 * 1024
"""Proxies in front of a gateway often refuse bodies above a mebibyte."""
_CALL: Final = Call[object]("POST", path("documents", "import"), {}, media_type="application/x-ndjson")
_NOT_NOW: Final = {429, 502, 503, 504}
_OF_THE_WHOLE: Final = {401, 403}
"""Statuses of a line that every line after it would have, too."""
_CODES_OF_THE_WHOLE: Final = {"tenant_not_found", "tenant_paused", "tenant_takes_no_documents", "too_many_refused"}
"""Codes that say so, whatever the status."""

Line = Mapping[str, Any] | bytes | str


class _NumberedLine(NamedTuple):
    number: int
    content: bytes

    @property
    def places(self) -> int:
        return 1 + len(self.content) // PLACE_BYTES


class LineImport:
    """Which lines are under way, and what to do next."""

    def __init__(self, address: Address, patience: Patience) -> None:
        self._address = address
        self._patience = patience
        """Begins anew whenever a line was answered, and when there are lines to send after that."""
        self._taken = 0
        self._waiting: deque[_NumberedLine] = deque()
        """Lines that were taken and not answered."""
        self._bytes = self._places = 0
        self._sent: list[_NumberedLine] = []
        self._answers = LineSplitter()

    # --- What is sent -------------------------------------------------------------------------------------------------

    def has_room(self) -> bool:
        """Whether the next request has room for one more line."""
        return self._places < BATCH_PLACES and self._bytes < BATCH_BYTES

    def take(self, line: Line) -> None:
        """Add a line: a snapshot or deletion, or its JSON."""
        self._taken += 1
        content = msgspec.json.encode(line) if isinstance(line, Mapping) else line
        content = (content.encode() if isinstance(content, str) else content).strip(b" \t\r\n")
        if content:
            self._waiting.append(_NumberedLine(self._taken, content))
            self._count(self._waiting[-1], 1)

    def _count(self, line: _NumberedLine, sign: int) -> None:
        self._bytes += sign * len(line.content)
        self._places += sign * line.places

    def request(self) -> Request | None:
        """The next request; None if every line was answered."""
        self._sent, size, places = [], 0, 0
        for line in self._waiting:
            size += len(line.content) + 1
            places += line.places
            if self._sent and (size > BATCH_BYTES or places > BATCH_PLACES):
                break
            self._sent.append(line)
        self._answers = LineSplitter()
        content = b"".join(line.content + b"\n" for line in self._sent)
        return self._address.request(replace(_CALL, content=content), {}) if self._sent else None

    def timeout(self, now: float) -> float:
        """Seconds that the gateway may take until the next answer."""
        self._begin_if_there_was_progress(now)
        self._patience.tries += 1
        return self._patience.of_one_try(now)

    # --- What comes back ----------------------------------------------------------------------------------------------

    def answered(self, part: bytes, now: float) -> Iterator[ImportedLine | Wait]:
        """The answers in a part of a response. After a Wait the rest of the response is of no use: the import goes on
        with another request. Raises an error that the lines after it would have, too."""
        for raw in self._answers.lines(part):
            answer = self._line(raw, now)
            yield answer
            if isinstance(answer, Wait):
                return

    def _line(self, raw: bytes, now: float) -> ImportedLine | Wait:
        answer, problem = self._read(raw)
        if answer.status in _NOT_NOW or problem.get("code") == "incomplete_body":
            return self._wait(problem_of(answer.status, problem), now)
        if answer.status in _OF_THE_WHOLE or problem.get("code") in _CODES_OF_THE_WHOLE:
            raise problem_of(answer.status, problem)
        self._count(self._waiting.popleft(), -1)
        self._patience.tries = 0
        return answer

    def _read(self, raw: bytes) -> tuple[ImportedLine, Mapping[str, Any]]:
        """The answer to the first line that has none, with its problem."""
        try:
            given = msgspec.json.decode(raw)
            sent = self._sent[given["line"] - 1]
            answer = read(ImportedLine, {**given, "line": sent.number})
            if sent is not self._waiting[0]:
                raise LookupError
        except (msgspec.MsgspecError, LookupError, TypeError):
            message = f"{self._address.url} answered an import in a way that this client does not know."
            raise UnexpectedAnswer(message) from None
        return answer, given.get("problem") or {}

    def refused(self, answer: Answer, now: float) -> Wait:
        """What to do if the gateway took no line at all. Raises why, if it is not to be asked again."""
        error: SignalpostError = refusal(answer, self._address.url)
        if answer.status not in _NOT_NOW:
            raise error
        return self._wait(error, now)

    def ended(self, now: float, reason: str = "the connection ended before every line was answered") -> Wait | None:
        """What to do at the end of a response: None if every line that was sent has its answer. Raises NoAnswer if
        there was no progress until the deadline."""
        if not self._waiting or not self._sent or self._waiting[0].number > self._sent[-1].number:
            return None
        first = self._waiting[0].number
        about = f"{self._address.url} did not answer line {first} and those after it ({reason}). Import them again."
        return self._wait(NoAnswer(about, outcome_unknown=True, idempotency_key=None), now)

    def _wait(self, error: SignalpostError, now: float) -> Wait:
        self._begin_if_there_was_progress(now)
        return Wait(self._patience.pause(error, now))

    def _begin_if_there_was_progress(self, now: float) -> None:
        if self._patience.tries == 0:
            self._patience.begin_again(now)


class LineSplitter:
    """Lines of bytes that come in parts. An end without a newline is no line."""

    def __init__(self) -> None:
        self._rest = b""

    def lines(self, part: bytes) -> list[bytes]:
        """The lines that end in this part."""
        *whole, self._rest = (self._rest + part).split(b"\n")
        return [line for line in whole if line]
