"""`signalpost doctor`: examines a receiver, and says what to fix."""

import asyncio
from collections import Counter
from typing import Annotated

import msgspec
from cyclopts import Parameter

from signalpost.cli.client import CommandError, Misuse
from signalpost.cli.terminal.given_secret import GivenSecret, the_secret
from signalpost.cli.terminal.options import flag
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.verdicts import FAULT, UNKNOWN, WARNING, WELL, verdict
from signalpost.domain.checks import Bad
from signalpost.local.doctor.exam import examine
from signalpost.local.doctor.finding import ExamFinding, RuleVerdict
from signalpost.local.doctor.patient import DOCUMENT, Patient
from signalpost.local.doctor.rules import RULES
from signalpost.local.poster import ATTEMPT_TIMEOUT, Poster

MARKS = {
    RuleVerdict.KEPT: WELL,
    RuleVerdict.BROKEN: FAULT,
    RuleVerdict.ADVICE: WARNING,
    RuleVerdict.UNKNOWN: UNKNOWN,
}


def doctor(
    url: Annotated[str, Parameter(name="URL", help="The receiver's URL.")],
    /,
    *,
    secret: GivenSecret = None,
    inspect: Annotated[
        str | None,
        Parameter(
            help=f"A URL at which the receiver says what it did about the document {DOCUMENT}, as JSON: "
            "how many events it handled, and the document's title."
        ),
    ] = None,
    strict: Annotated[bool, flag("Advice counts as broken for the exit code.")] = False,
    attempt_timeout: Annotated[float, Parameter(help="Seconds that the receiver has for an answer.")] = ATTEMPT_TIMEOUT,
    allow_external: Annotated[bool, flag("The receiver may be on another machine.")] = False,
    out: Output = TEXT,
) -> None:
    findings = asyncio.run(_examined(url, the_secret(secret), inspect, attempt_timeout, out, external=allow_external))
    counts = Counter(each.verdict for each in findings)
    passed = not counts[RuleVerdict.BROKEN] and not (strict and counts[RuleVerdict.ADVICE])
    out.show(
        {"url": url, "passed": passed, "findings": msgspec.to_builtins(findings)},
        "",
        ", ".join(f"{counts[verdict]} {verdict}" for verdict in RuleVerdict if counts[verdict]) + ".",
    )
    if not passed:
        raise CommandError(
            f"{url} breaks {counts[RuleVerdict.BROKEN] or counts[RuleVerdict.ADVICE]} of {len(RULES)} rules."
        )


async def _examined(
    url: str, secret: str, inspect: str | None, attempt_timeout: float, out: Output, *, external: bool
) -> list[ExamFinding]:
    findings: list[ExamFinding] = []
    async with Poster(external=external, attempt_timeout=attempt_timeout) as poster:
        try:
            for each in (url, inspect):
                if each is not None:
                    await poster.check(each.replace(DOCUMENT, "0"))
        except Bad as bad:
            raise Misuse(f"This URL cannot be called: {bad}") from None
        patient = Patient(poster, url, secret, inspect, attempt_timeout)
        async for finding in examine(patient):
            out.tell(_told(finding, repeated=any(each.seen == finding.seen for each in findings)))
            findings.append(finding)
    return findings


def _told(finding: ExamFinding, *, repeated: bool) -> Parts:
    width = max(len(rule.name) for rule in RULES)
    seen = "" if repeated else finding.seen
    is_wrong = finding.verdict in (RuleVerdict.BROKEN, RuleVerdict.ADVICE)
    fix = f"{finding.fix}{f' ({finding.clause})' if finding.clause else ''}" if is_wrong else ""
    return verdict(MARKS[finding.verdict], finding.rule, width, finding.title, seen, fix)
