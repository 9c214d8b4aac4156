"""The version: one for all that is published, and the changelog's heading of it.

`VERSION` in `gateway/src/signalpost/__init__.py` is where it is decided. Package files cannot read it there, so
`python -m checks.release.versions 0.2.0` writes it into all of them, and `make check` fails if one differs.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from checks.parts import ROOT

DECIDED = "gateway/src/signalpost/__init__.py"
OF_PROJECT = r'^version = "([^"]+)"|"signalpost(?:-receiver|-client)?==([^"]+)"'
_NAMED = r'"name": "(?:signalpost-receiver|@signalpost/client)",\s+"version": "([^"]+)"'
OF_PACKAGE = rf"\A\{{\s+{_NAMED}"
OF_LOCK = OF_PACKAGE + rf'|^    "": \{{\s+{_NAMED}'
PLACES: Mapping[str, str] = {
    DECIDED: r'^VERSION = "([^"]+)"',
    **{
        f"{name}/pyproject.toml": OF_PROJECT
        for name in ("receiver", "gateway", "bench", "destinations", "pytest-plugin", "client", "mcp-server", "connect")
    },
    "deploy/helm/Chart.yaml": r"^(?:version|appVersion): (\S+)$",
    **dict.fromkeys(
        ("deploy/kubernetes/gateway.yaml", "deploy/kubernetes/migrate.yaml", "docs/guides/production.md"),
        r"signalpost(?::|-migrate-)(\d[\w.]*\w)",
    ),
    "client/src/signalpost_client/version.py": r'^VERSION = "([^"]+)"',
    "client-node/src/version.ts": r'^export const VERSION = "([^"]+)"',
    **{f"{name}/package.json": OF_PACKAGE for name in ("receiver-node", "client-node")},
    **{f"{name}/package-lock.json": OF_LOCK for name in ("receiver-node", "client-node")},
}
"""Where the version stands: by file, a pattern whose groups match it."""


def found_in(text: str, pattern: str) -> list[str]:
    """The versions that stand in a file."""
    return [match[match.lastindex or 0] for match in re.finditer(pattern, text, re.MULTILINE)]


def replaced_in(text: str, pattern: str, version: str) -> str:
    """The file with another version."""

    def other(match: re.Match[str]) -> str:
        start, end = match.span(match.lastindex or 0)
        return text[match.start() : start] + version + text[end : match.end()]

    return re.sub(pattern, other, text, flags=re.MULTILINE)


def version_of(root: Path) -> str:
    """The version that is decided."""
    return found_in((root / DECIDED).read_text(), PLACES[DECIDED])[0]


def differing(root: Path) -> Iterator[str]:
    """The places that do not have the version that is decided."""
    version = version_of(root)
    for path, pattern in PLACES.items():
        found = found_in((root / path).read_text(), pattern)
        if set(found) != {version}:
            has = ", ".join(found) or "no version"
            yield f"{path} has {has}, and not {version}: python -m checks.release.versions {version}"


def wrong_heading(changelog: str, version: str, tag: str, today: date) -> str | None:
    """What is wrong with the first heading of the changelog. Without a tag (`tag` is "") a tree is no release yet, and
    may collect what is unreleased."""
    heading = next(iter(re.findall(r"^## (.+)$", changelog, re.MULTILINE)), "")
    dated = re.fullmatch(r"(\S+) - (\d{4}-\d\d-\d\d)", heading)
    if not tag and heading == "Unreleased":
        return None
    if not dated or dated[1] != version:
        return f"CHANGELOG.md begins with “{heading}”: write “## {version} - {today}”."
    if tag not in ("", f"v{version}"):
        return f"The tag is {tag}: the version is {version}, so it must be v{version}."
    if date.fromisoformat(dated[2]) > today:
        return f"CHANGELOG.md says that {version} is of {dated[2]}: that is to come."
    return None


def refusal(version: str) -> str | None:
    """Why this cannot be the version of all that is published. Python and npm write pre-releases differently, so there
    are none: what shall be tried before its release is installed from what the drill has built."""
    if re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        return None
    return f"{version} is no version that PyPI, npm and Helm all take: write three numbers, such as 0.2.0."


def tag_of(root: Path) -> str:
    """The tag of the commit that is checked out, or "" if it has none."""
    command = ["git", "tag", "--points-at", "HEAD", "--list", "v*"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    version = sys.argv[1]
    if why := refusal(version):
        sys.exit(why)
    for path, pattern in PLACES.items():
        file = ROOT / path
        file.write_text(replaced_in(file.read_text(), pattern, version))


if __name__ == "__main__":
    main()
