"""What an exam says about one rule."""

from enum import StrEnum

from msgspec import Struct


class RuleVerdict(StrEnum):
    """How a receiver does with one rule."""

    KEPT = "kept"
    BROKEN = "broken"
    """The receiver breaks a rule that every receiver must keep."""
    ADVICE = "advice"
    """The receiver breaks a rule that a good receiver keeps."""
    UNKNOWN = "not checked"


class ExamFinding(Struct, frozen=True, rename="camel"):
    """The verdict on one rule, with what was seen and what to do."""

    rule: str
    title: str
    verdict: RuleVerdict
    seen: str
    """What was sent and how it was answered, or why nothing could be seen; empty if the rule is kept."""
    fix: str
    clause: str
    """The clause of the contract (`docs/contract.md`) behind the rule; empty if there is none."""


class Broken(Exception):
    """The receiver did not do what the rule asks for. The message says what was seen."""


class NotChecked(Exception):
    """Whether the receiver keeps the rule could not be seen. The message says why."""
