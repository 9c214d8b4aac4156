"""What a report on vulnerabilities comes to: only one that a list could have answered is a success."""

import json
from typing import Any

import pytest
from checks.vulnerabilities import SKIPPED, verdict

SOUND: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
UNKNOWN = {"name": "b", "skip_reason": "not found"}
VULNERABILITIES = [{"id": "CVE-1", "fix_versions": ["3"]}, {"id": "CVE-2", "fix_versions": []}]
FOUND = {"name": "c", "version": "2", "vulns": VULNERABILITIES}


@pytest.mark.parametrize(
    ("dependencies", "passed", "said"),
    [
        ([SOUND, UNKNOWN], True, "1 of 2 locked packages have no known vulnerability."),
        ([UNKNOWN], True, f"{SKIPPED}no list of vulnerabilities knows any of the packages."),
        ([SOUND, FOUND], False, "c 2: CVE-1, mended in 3\nc 2: CVE-2, mended in no version yet"),
    ],
)
def test_a_report(dependencies: list[Any], passed: bool, said: str) -> None:
    assert verdict(json.dumps({"dependencies": dependencies, "fixes": []})) == (passed, said)


@pytest.mark.parametrize("report", ["", "requests.exceptions.ConnectionError: …", "{}"])
def test_no_report_is_no_success_and_no_failure(report: str) -> None:
    assert verdict(report) == (True, f"{SKIPPED}no list of vulnerabilities can be reached.")
