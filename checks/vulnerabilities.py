"""Asks public lists of vulnerabilities about the locked versions, by pip-audit, where `make audit` has installed it.

Nothing found is good news only if a list was asked: if the lists cannot be reached, or know none of the packages,
that is a line that says so, and no success. Found vulnerabilities are the only failure.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / ".venv-audit" / "bin" / "pip-audit"
LOCKS = ("runtime", "dev", "mcp")
SECONDS = 60
SKIPPED = "SKIPPED: the locks were not audited: "


class Verdict(NamedTuple):
    passed: bool
    said: str


def verdict(report: str) -> Verdict:
    """What a report of pip-audit as JSON comes to; one that is no JSON is that of a failure."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        return Verdict(True, f"{SKIPPED}no list of vulnerabilities can be reached.")  # noqa: FBT003
    known = [each for each in dependencies if "vulns" in each]
    if not known:
        return Verdict(True, f"{SKIPPED}no list of vulnerabilities knows any of the packages.")  # noqa: FBT003
    found = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for each in known
        for vulnerability in each["vulns"]
    ]
    if found:
        return Verdict(False, "\n".join(found))  # noqa: FBT003
    return Verdict(True, f"{len(known)} of {len(dependencies)} locked packages have no known vulnerability.")  # noqa: FBT003


def main() -> None:
    if not TOOL.exists():
        print(f"{SKIPPED}`make audit` installs what it takes.", file=sys.stderr)
        return
    command = [str(TOOL), "--disable-pip", "--require-hashes", "--progress-spinner=off", "--format=json", "--timeout=5"]
    command += [f"--requirement={ROOT}/requirements/{name}.txt" for name in LOCKS]
    try:
        report = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout  # noqa: S603
    except subprocess.TimeoutExpired:
        report = ""
    passed, said = verdict(report)
    print(said, file=sys.stderr)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
