"""Importing a file of many snapshots, one a line, in constant memory.

The lines go in requests of bounded size, one after the other over one connection. Every answer stands for a line that
is committed or refused, so an import that broke off says how far it came; and since a snapshot that is already in
changes nothing, the same file can be imported again.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from signalpost.cli.client import SEND_BUFFER, Client, CommandError, NoAnswer, path

MAX_LINE = 1024 * 1024 + 1
"""Bytes of a line that are sent: one more than the API takes, so that it refuses a longer one by itself."""
BATCH_LINES = 500
BATCH_BYTES = SEND_BUFFER // 2
MEDIA_TYPE = "application/x-ndjson"

Show = Callable[[dict[str, Any]], None]


class Line(NamedTuple):
    number: int
    content: bytes
    size: int
    """Of what it takes in the file."""


class Batch(NamedTuple):
    numbers: list[int]
    content: bytes
    size: int


@dataclass
class Tally:
    """What became of the lines so far."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    through: int = 0
    """The line up to which each one was imported or refused."""
    began: float = field(default_factory=time.monotonic)

    def count(self, answer: dict[str, Any]) -> None:
        if "problem" in answer:
            self.refused += 1
        elif answer["status"] == 201:
            self.created += 1
        elif answer["changed"]:
            self.updated += 1
        else:
            self.unchanged += 1
        self.through = answer["line"]

    @property
    def lines(self) -> int:
        return self.created + self.updated + self.unchanged + self.refused

    def __str__(self) -> str:
        seconds = max(time.monotonic() - self.began, 0.001)
        return (
            f"{self.lines:,} lines: {self.created:,} created, {self.updated:,} updated, {self.unchanged:,} unchanged, "
            f"{self.refused:,} refused ({self.lines / seconds:,.0f} lines/s)"
        )


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """The lines of a file; of one that is too long to import only its beginning."""
    number = 0
    while content := file.readline(MAX_LINE):
        number += 1
        size, piece = len(content), content
        while not piece.endswith(b"\n") and (piece := file.readline(MAX_LINE)):
            size += len(piece)
        yield Line(number, content.strip(b" \t\r\n"), size)


def import_lines(
    client: Client, lines: Iterable[Line], tally: Tally, show: Show, advance: Callable[[int], None]
) -> None:
    """Import them all. `show` gets every answer, with the line's number in the file; `advance` how many bytes of the
    file were gone through. Raises CommandError where the gateway cannot go on."""
    for batch in _batches(lines):
        unavailable = None
        for answer in _answers(client, batch):
            if answer["status"] == 503:
                unavailable = unavailable or answer
            elif unavailable is None:
                tally.count(answer)
            show(answer)
        if unavailable is not None:
            raise CommandError(str(unavailable["problem"]["detail"]))
        advance(batch.size)


def _batches(lines: Iterable[Line]) -> Iterator[Batch]:
    numbers: list[int] = []
    contents: list[bytes] = []
    length = size = 0
    for line in lines:
        if numbers and (len(numbers) == BATCH_LINES or length + len(line.content) > BATCH_BYTES):
            yield Batch(numbers, b"\n".join(contents), size)
            numbers, contents, length, size = [], [], 0, 0
        size += line.size
        if line.content:
            numbers.append(line.number)
            contents.append(line.content)
            length += len(line.content) + 1
    if numbers:
        yield Batch(numbers, b"\n".join(contents), size)


def _answers(client: Client, batch: Batch) -> Iterator[dict[str, Any]]:
    answered = 0
    for answer in client.exchange_lines(path("documents", "import"), MEDIA_TYPE, batch.content):
        yield {**answer, "line": batch.numbers[answered]}
        answered += 1
    if answered < len(batch.numbers):
        raise NoAnswer("The connection ended before every line was answered.")
