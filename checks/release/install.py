"""Installs what was uploaded as a stranger does, into an empty environment, and has it deliver its first event."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from checks.parts import ROOT
from checks.release.build import UV, CommandFailedError, plain_environment, run
from checks.release.index import TOOLS, free_port, wait_for

OLDEST = (3, 11)
SIGNED_WITH = "a secret of mine"
"""The secret of the README's receiver."""
VERIFIED = "verified: documentCreated 'My first'"
PATIENCE = 60
"""Seconds until the first event must have come, on the slowest machine."""


def pythons(home: Path) -> dict[str, Path]:
    """A Python of each version on this machine that the gateway supports: those on the path, and those of pyenv."""
    found: dict[str, Path] = {}
    for minor in range(OLDEST[1], 30):
        name = f"python3.{minor}"
        of_pyenv = sorted(home.glob(f".pyenv/versions/3.{minor}.*/bin/{name}"), reverse=True)
        candidates = [Path("/usr/bin", name), *of_pyenv, Path(shutil.which(name) or name)]
        for python in candidates:
            try:
                found[f"3.{minor}"] = _that_runs(python)
                break
            except (OSError, CommandFailedError):
                continue
    return found


def _that_runs(python: Path) -> Path:
    """The Python, if it runs and can make environments."""
    run([python, "-c", "import ensurepip, venv"], ROOT, plain_environment())
    return python


def empty_environment(python: Path, folder: Path) -> Path:
    """An environment of this Python with pip alone. Returns its folder of programs."""
    run([python, "-m", "venv", folder], ROOT, plain_environment())
    return folder / "bin"


def install(programs: Path, requirements: Path, index: str) -> None:
    """Install what the requirements name into an environment, from this index alone."""
    _pip_install(programs, index, "--require-hashes", "--requirement", requirements)


def install_by_name(programs: Path, required: str, index: str) -> None:
    """Install a distribution into an environment, with what it says that it needs, from this index alone."""
    _pip_install(programs, index, required)


def _pip_install(programs: Path, index: str, *what: str | Path) -> None:
    environment = plain_environment(PIP_CONFIG_FILE="/dev/null", PIP_DISABLE_PIP_VERSION_CHECK="1")
    how = ["--quiet", "--no-cache-dir", "--index-url", f"{index}/simple/"]
    run([programs / "pip", "install", *how, *what], programs, environment)


def run_without_installing(python: Path, index: str, folder: Path) -> str:
    """What `signalpost --version` prints if uv runs it without installing it first, as `uvx` does."""
    environment = plain_environment(UV_CACHE_DIR=str(folder / "cache"), UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never")
    how = ["--quiet", "--index-url", f"{index}/simple/"]
    return run([UV, "tool", "run", *how, "--python", python, "signalpost", "--version"], folder, environment).strip()


class Minute(NamedTuple):
    """The commands of the README's first minute, for a shell in which the environment is activated."""

    serve: str
    """Starts a gateway."""
    receive: str
    """Starts a receiver."""
    change: str
    """Creates a subscription and a document."""


def minute_of_readme(readme: str, gateway: int, receiver: int) -> Minute:
    """The README's first minute, with other ports."""
    section = readme.partition("## Your first verified event, in a minute")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    serve, receive, change = (each.replace(":8080", f":{gateway}").replace(":9000", f":{receiver}") for each in blocks)
    return Minute(serve.strip(), f"{receive.strip()} {receiver}", change)


def pipx(python: Path, index: str, folder: Path, *command: str | Path) -> str:
    """What pipx prints, with everything that it installs in a folder, from this index alone. It uses pip, as it does on
    a machine without uv."""
    environment = plain_environment(
        PIPX_HOME=str(folder / "pipx"), PIPX_BIN_DIR=str(folder / "bin"), PIPX_MAN_DIR=str(folder / "man"),
        PIPX_DEFAULT_PYTHON=str(python), PIPX_DEFAULT_BACKEND="pip",
        PIP_CONFIG_FILE="/dev/null", PIP_INDEX_URL=f"{index}/simple/", PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    return run([TOOLS / "pipx", *command], ROOT, environment).strip()


def install_with_pipx(python: Path, version: str, index: str, folder: Path) -> Path:
    """Install the gateway as pipx does. Returns the folder of programs of the environment that pipx made for it, to
    which the program on the user's path leads."""
    pipx(python, index, folder, "install", "--quiet", f"signalpost=={version}")
    return (folder / "bin" / "signalpost").resolve().parent


def activated(programs: Path, **more: str) -> dict[str, str]:
    """The environment of a shell in which the environment with these programs is activated."""
    return plain_environment(PATH=f"{programs}:{os.environ['PATH']}", VIRTUAL_ENV=str(programs.parent), **more)


def first_event(programs: Path, folder: Path, receive: str = "") -> float:
    """Follow the README's minute with an installed gateway. `receive` is a command that starts another receiver
    instead; the port is appended to it. Returns the seconds until an event was verified."""
    gateway, receiver, began = free_port(), free_port(), time.monotonic()
    folder.mkdir()
    settings = activated(programs, SIGNALPOST_PORT=str(gateway), PYTHONUNBUFFERED="1")
    minute = minute_of_readme((ROOT / "README.md").read_text(), gateway, receiver)
    with (
        _running(minute.serve, folder / "gateway.out", settings),
        _running(f"{receive} {receiver}" if receive else minute.receive, folder / "receiver.out", settings) as printed,
    ):
        wait_for(f"http://127.0.0.1:{gateway}/health/ready")
        _wait_until_printed(printed, "listening on")
        run(["sh", "-euc", minute.change], folder, settings)
        _wait_until_printed(printed, VERIFIED)
    return time.monotonic() - began


@contextmanager
def _running(command: str, output: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A command of a shell that runs until the block ends, and the file of what it prints, in whose folder it runs."""
    line = ["sh", "-euc", f"exec env {command}"]
    with (
        output.open("wb") as file,
        subprocess.Popen(line, cwd=output.parent, env=environment, stdout=file, stderr=file) as one,
    ):
        try:
            yield output
        finally:
            one.terminate()


def _wait_until_printed(file: Path, text: str) -> None:
    ends = time.monotonic() + PATIENCE
    while text not in (printed := file.read_text()):
        if time.monotonic() > ends:
            raise CommandFailedError(f"It did not print “{text}”, but:\n{printed}")
        time.sleep(0.05)
