"""The doctor passes a correct receiver, and finds what is wrong with each of many that are wrong in one way."""

import asyncio
from collections.abc import Iterator

import pytest
from gateway.tests.local.flawed_receivers import FLAWS, KINDS, SECRET, Correct, FlawedServer, Fragile, Slow
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost.local.doctor.exam import examine
from signalpost.local.doctor.finding import ExamFinding, RuleVerdict
from signalpost.local.doctor.patient import Patient
from signalpost.local.doctor.rules import RULES
from signalpost.local.poster import Poster

pytestmark = pytest.mark.slow
NOT_INSPECTED = {Slow, Fragile}
"""Receivers of which the doctor hears nothing but answers: one that never answers, one that only breaks at the end."""


@pytest.fixture(scope="module")
def server() -> Iterator[FlawedServer]:
    server = FlawedServer()
    yield server
    server.close()


async def findings(server: FlawedServer, kind: type[Correct], *, inspected: bool = True) -> list[ExamFinding]:
    timeout = 0.5 if kind is Slow else ATTEMPT_TIMEOUT
    inspect = f"{server.url}/{kind.__name__}/{{externalId}}" if inspected and kind not in NOT_INSPECTED else None
    async with Poster(external=False, attempt_timeout=timeout) as poster:
        patient = Patient(poster, f"{server.url}/{kind.__name__}", SECRET, inspect, timeout)
        return [finding async for finding in examine(patient)]


@pytest.fixture(scope="module")
def exams(server: FlawedServer) -> dict[type[Correct], list[ExamFinding]]:
    """All exams, several at a time."""

    async def all_of_them() -> dict[type[Correct], list[ExamFinding]]:
        turns = asyncio.Semaphore(6)

        async def one(kind: type[Correct]) -> tuple[type[Correct], list[ExamFinding]]:
            async with turns:
                return kind, await findings(server, kind)

        return dict(await asyncio.gather(*map(one, KINDS)))

    return asyncio.run(all_of_them())


def test_a_correct_receiver_keeps_every_rule(exams: dict[type[Correct], list[ExamFinding]]) -> None:
    assert [finding for finding in exams[Correct] if finding.verdict is not RuleVerdict.KEPT] == []
    assert [finding.rule for finding in exams[Correct]] == [rule.name for rule in RULES]


@pytest.mark.parametrize("kind", FLAWS, ids=lambda kind: kind.__name__)
def test_a_receiver_that_is_wrong_fails_for_its_own_reason(
    kind: type[Correct], exams: dict[type[Correct], list[ExamFinding]]
) -> None:
    wrong = [finding for finding in exams[kind] if finding.verdict in (RuleVerdict.BROKEN, RuleVerdict.ADVICE)]
    assert {finding.rule for finding in wrong} == FLAWS[kind], wrong
    assert all(finding.seen and finding.fix for finding in wrong)


def test_every_rule_is_broken_by_a_receiver_here() -> None:
    assert {rule for broken in FLAWS.values() for rule in broken} == {rule.name for rule in RULES}


def test_what_cannot_be_seen_is_not_called_kept(server: FlawedServer) -> None:
    found = asyncio.run(findings(server, Correct, inspected=False))
    unknown = {finding.rule for finding in found if finding.verdict is RuleVerdict.UNKNOWN}
    assert unknown == {"handled-once", "newest-wins", "forged-unhandled"}
    assert "--inspect" in next(finding.seen for finding in found if finding.verdict is RuleVerdict.UNKNOWN)


def test_nothing_is_said_of_a_receiver_that_takes_nothing(exams: dict[type[Correct], list[ExamFinding]]) -> None:
    answers, *others = exams[Slow]
    assert answers.verdict is RuleVerdict.BROKEN
    assert "within 0.5 s" in answers.seen
    assert {finding.verdict for finding in others} == {RuleVerdict.UNKNOWN}
