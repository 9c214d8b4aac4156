"""Imports the messages of a batch, and learns what became of each."""

from collections.abc import Sequence
from typing import NamedTuple

from signalpost_client import AsyncClient, SignalpostError
from signalpost_client.shapes import ImportedLine, ProblemOfLine
from signalpost_connect.mapping import LineMaker, Unusable
from signalpost_connect.source import AGAIN, APPLIED, UNCHANGED, Message, Verdict, dead


class Judgement(NamedTuple):
    """A verdict on each message, and what kept the gateway from answering all of them."""

    verdicts: Sequence[Verdict]
    trouble: SignalpostError | None = None


async def judge(client: AsyncClient, make: LineMaker, messages: Sequence[Message]) -> Judgement:
    """Import what can be. From the first message on that the gateway did not answer, all come again: a later state of a
    document must not arrive before an earlier one."""
    verdicts = [AGAIN] * len(messages)
    lines, places = list[bytes](), list[int]()
    for place, message in enumerate(messages):
        try:
            lines.append(make.line(message))
        except Unusable as error:
            verdicts[place] = dead(str(error))
        else:
            places.append(place)
    try:
        async for answer in client.documents.import_lines(lines):
            verdicts[places[answer.line - 1]] = verdict_of(answer)
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
