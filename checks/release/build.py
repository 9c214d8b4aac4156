"""Builds all that is published from a fresh clone, so that the same commit gives the same files."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from posixpath import join, normpath

from checks.parts import PYTHON_DISTRIBUTIONS, ROOT

NPM_PACKAGES = ("receiver-node", "client-node")
UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What must not show in what is built: its folder, time zone, language, and the rights of new files."""

    folder: str
    time_zone: str
    language: str
    umask: int


TWICE = (Circumstances("a", "UTC", "C", 0o022), Circumstances("elsewhere/b", "Pacific/Kiritimati", "C.UTF-8", 0o077))
"""Two builds that have nothing but the commit in common."""


class CommandFailedError(Exception):
    """A command ended with an error; the message has what it printed."""


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], umask: int = -1) -> str:
    """What a command prints, run with this environment alone."""
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), umask=umask, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandFailedError(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def plain_environment(**more: str) -> dict[str, str]:
    """The environment without what would lead a tool to this tree, its settings or another environment of Python."""
    led = ("PYTHON", "PIP_", "UV_", "VIRTUAL_ENV", "SIGNALPOST_", "TWINE_", "npm_", "MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(led)} | more


def build(folder: Path, how: Circumstances) -> list[Path]:
    """The source distributions, wheels made of them, and packages of npm, of the commit that is checked out."""
    clone, built = folder / how.folder / "source", folder / how.folder / "built"
    built.mkdir(parents=True)
    run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], folder, plain_environment(), how.umask)
    committed = run(["git", "log", "-1", "--format=%ct"], clone, plain_environment()).strip()
    environment = plain_environment(SOURCE_DATE_EPOCH=committed, TZ=how.time_zone, LC_ALL=how.language)
    for name in (*PYTHON_DISTRIBUTIONS, *NPM_PACKAGES):
        readme = clone / name / "README.md"
        readme.write_text(with_published_links(readme.read_text(encoding="utf-8"), name), encoding="utf-8")
    for name in PYTHON_DISTRIBUTIONS:
        command = ["build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
        run([UV, *command, "--out-dir", built, name], clone, environment, how.umask)
    for name in npm_packages():
        _pack(clone / name, built, environment, how.umask)
    (built / ".gitignore").unlink(missing_ok=True)  # what uv puts into a folder of what is built
    return sorted(built.iterdir())


def with_published_links(readme: str, folder: str) -> str:
    """A README whose links to files of the source, seen from a folder of it, lead to where that is published: an index
    shows it beside no other file."""
    source = tomllib.loads((ROOT / "gateway" / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"][
        "Source"
    ]

    def absolute(link: re.Match[str]) -> str:
        return f"]({source}/{normpath(join(folder, link[1]))})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)]+)\)", absolute, readme)


def _pack(package: Path, built: Path, environment: Mapping[str, str], umask: int) -> None:
    """Make a package of npm, which would keep the rights that files have on this machine."""
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], package, os.environ, umask)
    run(["npm", "run", "--silent", "build"], package, environment, umask)
    run(["chmod", "--recursive", "u=rwX,go=rX", "."], package, environment, umask)
    run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", built], package, environment, umask)


def npm_packages() -> tuple[str, ...]:
    """The packages of npm that can be built here."""
    if shutil.which("npm") is None:
        print("SKIPPED: the packages of npm, because there is no npm here.", file=sys.stderr)
        return ()
    return NPM_PACKAGES


def sums(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file, by name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names of files that only one build has, or that differ."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
