"""An exam: checks the rules one after the other."""

from collections.abc import AsyncIterator, Sequence

from signalpost.local.doctor.finding import Broken, ExamFinding, NotChecked, RuleVerdict
from signalpost.local.doctor.patient import Patient
from signalpost.local.doctor.rules import GATES, RULES, Rule


async def examine(patient: Patient, rules: Sequence[Rule] = RULES) -> AsyncIterator[ExamFinding]:
    """The findings on a receiver, rule by rule. After a broken gate, the rest is not checked."""
    broken_gate: str | None = None
    for rule in rules:
        if broken_gate is not None:
            yield _finding(rule, RuleVerdict.UNKNOWN, f"It cannot be judged while “{broken_gate}” is broken.")
            continue
        finding = await check(patient, rule)
        if finding.verdict is RuleVerdict.BROKEN and rule.name in GATES:
            broken_gate = rule.name
        yield finding


async def check(patient: Patient, rule: Rule) -> ExamFinding:
    """The finding on one rule."""
    try:
        await rule.check(patient)
    except Broken as broken:
        return _finding(rule, RuleVerdict.BROKEN if rule.required else RuleVerdict.ADVICE, str(broken))
    except NotChecked as reason:
        return _finding(rule, RuleVerdict.UNKNOWN, str(reason))
    return _finding(rule, RuleVerdict.KEPT, "")


def _finding(rule: Rule, verdict: RuleVerdict, seen: str) -> ExamFinding:
    return ExamFinding(rule.name, rule.title, verdict, seen, rule.fix, rule.clause)
