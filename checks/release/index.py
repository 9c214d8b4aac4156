"""An index of packages on this machine, that distributions are uploaded to and installed from."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

from checks.parts import LOCK, ROOT
from checks.release.build import plain_environment, run

TOOLS = ROOT / ".venv-release" / "bin"
PATIENCE = 60
"""Seconds until a server must answer, on the slowest machine."""


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_for(url: str) -> None:
    """Return as soon as the address answers, within a minute."""
    patience = ["--retry", str(PATIENCE), "--retry-delay", "1", "--retry-connrefused", "--max-time", str(PATIENCE)]
    run(
        ["curl", "--silent", "--show-error", "--fail", "--output", "/dev/null", *patience, url],
        ROOT,
        plain_environment(),
    )


@contextmanager
def serve(packages: Path) -> Iterator[str]:
    """An index of what is in a folder, as pip and uv ask it. It never leads to another index."""
    port = free_port()
    where = ["--interface=127.0.0.1", f"--port={port}", "--disable-fallback", "--server=wsgiref", "--log-stream=none"]
    command: list[str | Path] = [TOOLS / "pypi-server", "run", *where, "-a", ".", "-P", ".", packages]
    with subprocess.Popen(command, env=plain_environment(), stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def check(distributions: Sequence[Path]) -> None:
    """Fail if an index would refuse one, or could not show its description."""
    run([TOOLS / "twine", "check", "--strict", *distributions], ROOT, plain_environment())


def upload(distributions: Sequence[Path], url: str) -> None:
    """Upload distributions, as a release does."""
    how = ["--non-interactive", "--disable-progress-bar", "--username=drill", "--password=drill"]
    environment = plain_environment(HOME=str(TOOLS))
    run([TOOLS / "twine", "upload", *how, "--repository-url", url, *distributions], ROOT, environment)


def fetch_third_parties(programs: Path, packages: Path) -> None:
    """Put what the lock needs with the Python of an environment into the folder of the index, from where this machine
    has packages."""
    how = ["--quiet", "--only-binary=:all:", "--no-deps", "--require-hashes"]
    run([programs / "pip", "download", *how, "--requirement", LOCK, "--dest", packages], ROOT, os.environ)


def fetch_for_companions(programs: Path, packages: Path) -> None:
    """Put there what distributions beside the gateway need, and the gateway does not."""
    how: list[str | Path] = ["--quiet", "--only-binary=:all:", "--dest", packages]
    locked: list[str | Path] = ["--no-deps", "--require-hashes", "--requirement", ROOT / "requirements" / "mcp.txt"]
    run([programs / "pip", "download", *how, *locked], ROOT, os.environ)
    run([programs / "pip", "download", *how, "pytest"], ROOT, os.environ)


def fetch_pip(programs: Path, packages: Path) -> None:
    """Put the newest pip there, too, which pipx installs before anything else."""
    how = ["--quiet", "--only-binary=:all:", "--no-deps"]
    run([programs / "pip", "download", *how, "pip", "--dest", packages], ROOT, os.environ)
