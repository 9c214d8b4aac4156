"""The distributions beside the gateway: each is installed alone, so that none lives on what another one needs."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from checks.release.build import CommandFailedError, run
from checks.release.install import activated, empty_environment, install_by_name

TEST = """
def test_a_gateway_of_its_own(signalpost_gateway):
    assert signalpost_gateway.call("GET", "/v1/documents")["data"] == []
"""
"""A test that an author of a receiver might write."""

KINDS = "from signalpost.destinations.registry import Destinations; print(*Destinations.installed().kinds)"


class Companion(NamedTuple):
    """A distribution, and what shows that it works."""

    name: str
    command: Sequence[str]
    says: str
    """What the command prints, among other things. `VERSION` is the version."""
    extra: str = ""


COMPANIONS = (
    Companion(
        "signalpost-receiver", ("python", "-c", "from signalpost_receiver import Receiver; print(Receiver)"), "class"
    ),
    Companion(
        "signalpost-client", ("python", "-c", "from signalpost_client import VERSION; print(VERSION)"), "VERSION"
    ),
    Companion("signalpost-mcp", ("signalpost-mcp", "--version"), "VERSION"),
    Companion("signalpost-connect", ("signalpost-connect", "outbox", "sql"), "CREATE TABLE", "[outbox]"),
    Companion("signalpost-destinations", ("python", "-c", KINDS), "hubspot"),
    Companion("signalpost-bench", ("signalpost", "bench", "--help"), "--scene"),
    Companion("pytest-signalpost", ("pytest", "-p", "no:cacheprovider", "test_it.py"), "1 passed"),
)


def try_alone(companion: Companion, version: str, python: Path, index: str, folder: Path) -> None:
    """Install it into an empty environment, and run its command there."""
    programs = empty_environment(python, folder / "environment")
    install_by_name(programs, f"{companion.name}{companion.extra}=={version}", index)
    (folder / "test_it.py").write_text(TEST)
    said = run(companion.command, folder, activated(programs))
    wanted = companion.says.replace("VERSION", version)
    if wanted not in said:
        raise CommandFailedError(f"{companion.name} did not print “{wanted}”, but:\n{said}")
