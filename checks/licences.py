"""Writes `THIRD-PARTY.md`: every part of the runtime with its licence. `make licences` does so.

`make check` fails if the page is not up to date, if the licence of a part is not known, or if it is not one that the
project takes.
"""

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from checks.parts import LOCK, ROOT, CarriedPart, LockedPackage, carried_by, licence_of, reached, read_lock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = ROOT / "THIRD-PARTY.md"
ACCEPTED = frozenset(
    """Apache-2.0 BSD-2-Clause BSD-3-Clause BSD-Attribution-HPND-disclaimer BSL-1.0 CC0-1.0 ISC LGPL-2.1-or-later
    LGPL-3.0-only MIT MIT-0 MPL-2.0 OLDAP-2.8 PSF-2.0 PostgreSQL Unicode-3.0 Unlicense Zlib any-OSI blessing""".split()
)
"""Licences that a part of the runtime may have. Those with copyleft are of libraries that stay replaceable files."""

INTRODUCTION = """# Third-party parts

What a gateway is installed with, from its lock (`requirements/runtime.txt`), and under which licence. `make licences`
writes this page. `make check` fails if it is not up to date, or if a part has a licence that is not among those that
the project takes. `make sbom` writes the same for programs, with hashes.

The receiver kits for Python and Node need nothing but their language. The scripts, styles and pictures of the console
are our own. psycopg, keyutils and libcrypt are under the LGPL, certifi, a list of certificates that the command line
brings with it, under the MPL: we change nothing in them, and each is a file that can be replaced by another version.

What is inside wheels is what the wheels for Linux on x86-64 say, and what was read by hand. The wheel of psycopg-binary
has no licences of its libraries: those here are of the projects that they come from.
"""


def accepted(expression: str) -> bool:
    """Whether a licence, an SPDX expression, lets the project use a part: of an OR one side is enough, of an AND all
    are needed, and an exception (WITH) only allows more."""
    words = re.findall(r"[()]|[^\s()]+", expression)

    def takes(word: str) -> bool:
        taken = words[:1] == [word]
        del words[:taken]
        return taken

    def any_of() -> bool:
        result = all_of()
        while takes("OR"):
            result = all_of() or result
        return result

    def all_of() -> bool:
        result = one()
        while takes("AND"):
            result = one() and result
        return result

    def one() -> bool:
        if takes("("):
            return any_of() & takes(")")
        result = bool(words) and words.pop(0) in ACCEPTED
        if takes("WITH"):
            del words[:1]
        return result

    return any_of() and not words


def problems(licences: Mapping[str, str], carried: Mapping[str, Sequence[CarriedPart]]) -> Iterator[str]:
    """What is wrong with the licences of packages and of what they carry."""
    named = [*licences.items()]
    named += [(f"{part.name} in {package}", part.licence) for package, parts in carried.items() for part in parts]
    for name, licence in named:
        if not licence:
            yield f"{name}: no licence is known: read it, and add it to checks/parts.py."
        elif not accepted(licence):
            yield f"{name}: {licence} is not among the licences that checks/licences.py takes."


def page(
    lock: Sequence[LockedPackage],
    licences: Mapping[str, str],
    carried: Mapping[str, Sequence[CarriedPart]],
    always: set[str],
) -> str:
    """The page. `always` names the packages that every gateway needs."""
    lines = [INTRODUCTION, "## Packages\n", "| package | version | licence | needed |", "| --- | --- | --- | --- |"]
    for package in lock:
        needed = "always" if package.name in always else "by an extra or the bench"
        lines.append(f"| {package.name} | {package.version} | {licences[package.name]} | {needed} |")
    lines.append("\n## Inside their wheels\n")
    for name, parts in carried.items():
        lines += [f"### {name}\n", "| licence | parts |", "| --- | --- |"]
        by_licence = defaultdict(list)
        for part in parts:
            by_licence[part.licence].append(f"{part.name} {part.version}".strip())
        lines += [f"| {licence} | {', '.join(names)} |" for licence, names in sorted(by_licence.items())]
        lines.append("")
    return "\n".join(lines)


def written() -> tuple[str, list[str]]:
    """The page as it should be, and what is wrong with the licences."""
    lock = read_lock(LOCK.read_text())
    licences = {package.name: licence_of(package.name) for package in lock}
    carried = {package.name: parts for package in lock if (parts := carried_by(package.name))}
    return page(lock, licences, carried, at_work(lock)), [*problems(licences, carried)]


def at_work(lock: Sequence[LockedPackage]) -> set[str]:
    """The packages of the lock that every gateway needs, with the Pythons and systems of all."""
    files = [ROOT / name / "pyproject.toml" for name in ("gateway", "client", "receiver")]
    required = [each for file in files for each in tomllib.loads(file.read_text())["project"]["dependencies"]]
    graph = {name: [each.name for each in lock if name in each.needed_by] for name in (each.name for each in lock)}
    return reached([canonicalize_name(Requirement(each).name) for each in required], graph)


def main() -> None:
    text, wrong = written()
    Path(sys.argv[1]).write_text(text)
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
