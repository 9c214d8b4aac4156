"""Imports the messages of a batch, and learns what became of each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from signalpost_client import AsyncClient, SignalpostError
from signalpost_client.shapes import ImportedLine, ProblemOfLine
from signalpost_connect.mapping import LineMaker, Unusable
from signalpost_connect.source import AGAIN, APPLIED, UNCHANGED, Batch, Verdict, dead


class Judgement(NamedTuple):
    """A verdict on each message, and what kept the gateway from answering all of them."""

    verdicts: Sequence[Verdict]
    trouble: SignalpostError | None = None


class ReadyBatch(NamedTuple):
    """A batch as it is imported."""

    batch: Batch
    lines: Sequence[bytes]
    places: Sequence[int]
    """The message of each line, by its place in the batch."""
    unusable: Mapping[int, Verdict]
    """The verdicts on the other messages: no line can be made of them."""


def made_ready(batch: Batch, make: LineMaker) -> ReadyBatch:
    """Make the lines of a batch."""
    lines, places, unusable = list[bytes](), list[int](), dict[int, Verdict]()
    for place, message in enumerate(batch.messages):
        try:
            lines.append(make.line(message))
        except Unusable as error:
            unusable[place] = dead(str(error))
        else:
            places.append(place)
    return ReadyBatch(batch, lines, places, unusable)


async def judge(client: AsyncClient, ready: ReadyBatch) -> Judgement:
    """Import what can be. From the first message on that the gateway did not answer, all come again: a later state of a
    document must not arrive before an earlier one."""
    verdicts = [ready.unusable.get(place, AGAIN) for place in range(len(ready.batch.messages))]
    try:
        async for answer in client.documents.import_lines(ready.lines):
            verdicts[ready.places[answer.line - 1]] = verdict_of(answer)
    except SignalpostError as error:
        return Judgement(verdicts, error)
    return Judgement(verdicts)


def verdict_of(answer: ImportedLine) -> Verdict:
    """What an answer to a line means. Every line has a version, so a document that stays deleted was deleted later."""
    if answer.problem is None:
        return APPLIED if answer.changed else UNCHANGED
    return UNCHANGED if answer.problem.code == "document_deleted" else dead(_sentence(answer.problem))


def _sentence(problem: ProblemOfLine) -> str:
    bad = [f"{each.pointer or 'the line'}: {each.detail}" for each in problem.errors or ()]
    return f"{problem.status} {problem.code}: {' '.join(bad) or problem.detail}"
