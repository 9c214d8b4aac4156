"""`signalpost check`: examines the installation of a gateway on this machine, and says what to do."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import msgspec

from signalpost.cli.client import CommandError, readiness_here
from signalpost.cli.data_directory import DataDir
from signalpost.cli.terminal.options import flag
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.cli.terminal.verdicts import FAULT, UNKNOWN, WARNING, WELL, verdict
from signalpost.installation.examination import examine
from signalpost.installation.findings import Finding, Verdict
from signalpost.installation.machine import SystemMachine

MARKS: Final = {
    Verdict.WELL: WELL,
    Verdict.FAULT: FAULT,
    Verdict.WARNING: WARNING,
    Verdict.UNKNOWN: UNKNOWN,
}
_NAME_WIDTH: Final = len("certificate")


def check(
    *,
    data_dir: DataDir = None,
    strict: Annotated[bool, flag("Warnings count as faults for the exit code.")] = False,
    out: Output = TEXT,
) -> None:
    flags = {} if data_dir is None else {"data_dir": str(data_dir)}
    found = []
    for finding in examine(os.environ, flags, SystemMachine(), readiness_here):
        out.tell(_told(finding))
        found.append(finding)
    counts = Counter(each.verdict for each in found)
    passed = not counts[Verdict.FAULT] and not (strict and counts[Verdict.WARNING])
    out.show({"passed": passed, "findings": msgspec.to_builtins(found)}, "", f"{', '.join(_counted(counts))}.")
    if not passed:
        raise CommandError("This installation is not as it should be. What to do is said below each finding.")


def _counted(counts: Mapping[Verdict, int]) -> Iterator[str]:
    for each in filter(counts.get, Verdict):
        is_many = counts[each] > 1 and each in (Verdict.FAULT, Verdict.WARNING)
        yield f"{counts[each]} {each}{'s' if is_many else ''}"


def _told(finding: Finding) -> Parts:
    return verdict(MARKS[finding.verdict], finding.check, _NAME_WIDTH, finding.seen, finding.fix)
