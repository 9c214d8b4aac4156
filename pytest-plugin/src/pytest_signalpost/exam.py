"""The rules of receivers, as tests that a class inherits.

    @pytest.fixture(scope="module")
    def signalpost_receiver() -> Iterator[ReceiverUnderTest]:
        with our_application() as url:
            yield ReceiverUnderTest(url, secret="a secret of mine")

    class TestOurReceiver(ReceiverExam):
        pass

They are the rules of `signalpost doctor`, in its order: what cannot be judged after a broken gate is skipped.
"""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from signalpost.local.doctor.exam import check
from signalpost.local.doctor.finding import ExamFinding, RuleVerdict
from signalpost.local.doctor.patient import Patient
from signalpost.local.doctor.rules import GATES, RULES, Rule
from signalpost.local.poster import ATTEMPT_TIMEOUT, Poster


@dataclass(frozen=True)
class ReceiverUnderTest:
    """Where a receiver is, and what it verifies with."""

    url: str
    secret: str
    inspect: str | None = None
    """A URL with `{externalId}` at which the receiver says what it did about that document, as JSON: `handled`, how
    many of its events it handled, and `title`, the document's title."""
    attempt_timeout: float = ATTEMPT_TIMEOUT
    """Seconds that the receiver has for an answer."""

    def __repr__(self) -> str:
        return f"ReceiverUnderTest({self.url})"


class ReceiverExam:
    """One test for each rule. Needs the fixture `signalpost_receiver`, which returns a ReceiverUnderTest."""

    strict: ClassVar[bool] = False
    """Whether it is a failure not to do what a good receiver does but need not do."""

    broken_gate: ClassVar[str | None] = None
    """The rule that turned out to be broken, and without which the others cannot be judged."""

    @pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
    def test_rule(self, rule: Rule, signalpost_receiver: ReceiverUnderTest) -> None:
        """The receiver keeps this rule."""
        if self.broken_gate is not None:
            pytest.skip(f"It cannot be judged while “{self.broken_gate}” is broken.")
        finding = asyncio.run(_checked(rule, signalpost_receiver))
        if finding.verdict is RuleVerdict.BROKEN and rule.name in GATES:
            type(self).broken_gate = rule.name
        message = f"{finding.title}: {finding.seen} {finding.fix}"
        if finding.verdict is RuleVerdict.UNKNOWN:
            pytest.skip(finding.seen)
        if finding.verdict is RuleVerdict.ADVICE and not self.strict:
            pytest.xfail(message)
        if finding.verdict is not RuleVerdict.KEPT:
            pytest.fail(message, pytrace=False)


async def _checked(rule: Rule, receiver: ReceiverUnderTest) -> ExamFinding:
    async with Poster(external=False, attempt_timeout=receiver.attempt_timeout) as poster:
        patient = Patient(poster, receiver.url, receiver.secret, receiver.inspect, receiver.attempt_timeout)
        return await check(patient, rule)
