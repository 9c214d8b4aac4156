"""Installs what was uploaded as a stranger does, into an empty environment, and has it deliver its first event."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from checks.parts import ROOT
from checks.release.build import UV, CommandFailedError, plain_environment, run
from checks.release.index import TOOLS, free_port, wait_for

OLDEST = (3, 11)
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
    environment = plain_environment(PIP_CONFIG_FILE="/dev/null", PIP_DISABLE_PIP_VERSION_CHECK="1")
    how = ["--quiet", "--no-cache-dir", "--index-url", f"{index}/simple/", "--require-hashes"]
    run([programs / "pip", "install", *how, "--requirement", requirements], programs, environment)


def run_without_installing(python: Path, index: str, folder: Path) -> str:
    """What `signalpost --version` prints if uv runs it without installing it first, as `uvx` does."""
    environment = plain_environment(UV_CACHE_DIR=str(folder / "cache"), UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never")
    how = ["--quiet", "--index-url", f"{index}/simple/"]
    return run([UV, "tool", "run", *how, "--python", python, "signalpost", "--version"], folder, environment).strip()


def commands_of_readme(readme: str, gateway: int, receiver: int) -> str:
    """The commands that create a subscription and a document, from the README's minute, with other ports."""
    section = readme.partition("## Your first verified event, in a minute")[2].partition("\n## ")[0]
    commands: str
    (commands,) = (block for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) if "curl" in block)
    return commands.replace(":8080/", f":{gateway}/").replace(":9000/", f":{receiver}/")


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


def example(programs: Path) -> Sequence[str | Path]:
    """The receiver that is installed with the gateway."""
    return [programs / "python", programs.parent / "share" / "signalpost" / "examples" / "receiver.py"]


def first_event(programs: Path, folder: Path, receiving: Sequence[str | Path]) -> float:
    """Follow the README's minute with an installed gateway, and a receiver that is called with its secret and its port.
    Returns the seconds until an event was verified."""
    gateway, receiver, began = free_port(), free_port(), time.monotonic()
    folder.mkdir()
    settings = plain_environment(
        SIGNALPOST_PORT=str(gateway), SIGNALPOST_ALLOW_TARGETS=f"http://127.0.0.1:{receiver}", PYTHONUNBUFFERED="1"
    )
    with (
        _running([programs / "signalpost", "serve"], folder, settings),
        _running([*receiving, "a secret of mine", str(receiver)], folder, settings) as printed,
    ):
        wait_for(f"http://127.0.0.1:{gateway}/health/ready")
        _wait_until_printed(printed, "listening on")
        commands = commands_of_readme((ROOT / "README.md").read_text(), gateway, receiver)
        run(["sh", "-euc", commands], folder, settings)
        _wait_until_printed(printed, VERIFIED)
    return time.monotonic() - began


@contextmanager
def _running(command: list[str | Path], folder: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A program that runs until the block ends, and the file of what it prints."""
    printed = folder / f"{Path(command[-1]).name}.out"
    with (
        printed.open("wb") as file,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file) as one,
    ):
        try:
            yield printed
        finally:
            one.terminate()


def _wait_until_printed(file: Path, text: str) -> None:
    ends = time.monotonic() + PATIENCE
    while text not in (printed := file.read_text()):
        if time.monotonic() > ends:
            raise CommandFailedError(f"It did not print “{text}”, but:\n{printed}")
        time.sleep(0.05)
