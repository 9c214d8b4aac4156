"""`signalpost check` beside a gateway that runs: what is well, and each thing that is broken then."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests import forked
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import create, json_of
from gateway.tests.cli.test_serve_tls import address, write_pair
from gateway.tests.patience import LONG_PATIENCE

pytestmark = pytest.mark.slow
Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("installation")


@pytest.fixture(scope="module")
def data_dir(folder: Path, authority: trustme.CA) -> Iterator[Path]:
    """The data of a gateway with a certificate, which has a document and was backed up."""
    cert, key = write_pair(authority.issue_cert("localhost"), folder)
    data_dir = folder / "data"
    with command.gateway(data_dir, "--tls-cert", str(cert), "--tls-key", str(key), "--metrics-port", "0"):
        create(lambda *words: command.run(*words, SIGNALPOST_DATA_DIR=str(data_dir)))
        command.run("db", "backup", str(folder / "copy.db"), SIGNALPOST_DATA_DIR=str(data_dir))
        yield data_dir


@pytest.fixture
def variables(data_dir: Path, ca_file: Path) -> dict[str, str]:
    """What the environment of the gateway would be."""
    return {
        "SIGNALPOST_DATA_DIR": str(data_dir),
        "SIGNALPOST_PUBLIC_URL": f"https://localhost:{address(data_dir).rsplit(':', 1)[1]}",
        "SIGNALPOST_CA_FILE": str(ca_file),
        "SIGNALPOST_DISK_RESERVE_MB": "0",
    }


def text(variables: dict[str, str], *options: str, code: int = 0) -> str:
    done = forked.run_to_end(["check", *options], command.environment(**variables), LONG_PATIENCE)
    assert done.returncode == code, done.stdout + done.stderr
    return str(done.stdout)


def faults(variables: dict[str, str]) -> dict[str, str]:
    """What is seen of each check that finds a fault."""
    done = forked.run_to_end(["check", "--json"], command.environment(**variables), LONG_PATIENCE)
    found = json_of(done)
    wrong = {each["check"]: each["seen"] for each in found["findings"] if each["verdict"] == "fault"}
    assert (found["passed"], done.returncode) == (not wrong, int(bool(wrong)))
    return wrong


def test_an_installation_that_is_well_passes_and_says_what_was_seen(variables: dict[str, str]) -> None:
    said = text(variables)
    for line in ("✔ settings ", "✔ gateway      It runs, and is ready.", "✔ address      The gateway answers at "):
        assert line in said
    assert "! loss         If this disk died now, everything might be lost" in said
    text(variables, "--strict", code=1)  # for the warning


def test_each_thing_that_is_broken_is_found(
    variables: dict[str, str], data_dir: Path, folder: Path, authority: trustme.CA
) -> None:
    assert faults(variables) == {}
    assert "did you mean SIGNALPOST_PUBLIC_URL?" in faults(variables | {"SIGNALPOST_PUBLIC_URI": "x"})["settings"]
    assert "documents are refused" in faults(variables | {"SIGNALPOST_DISK_RESERVE_MB": "1048576"})["disk"]
    untrusting = {name: value for name, value in variables.items() if name != "SIGNALPOST_CA_FILE"}
    assert "certificate is refused" in faults(untrusting)["address"]
    data_dir.chmod(0o755)
    assert f"may look into {data_dir}" in faults(variables)["permissions"]
    data_dir.chmod(0o700)
    mark = data_dir / "signalpost.db.backed-up"
    kept = mark.read_bytes()
    mark.write_bytes(b"%d /copy.db" % ((time.time_ns() - 30 * 3600 * 10**9) // 1000))
    assert "30 hours old: /copy.db" in faults(variables)["backup"]
    mark.unlink()
    assert faults(variables).keys() == {"backup", "loss"}
    mark.write_bytes(kept)
    where = data_dir / "address"
    kept = where.read_bytes()
    where.write_bytes(b"\xff\xfe")
    assert f"uses {data_dir}, but does not answer" in faults(variables)["gateway"]
    where.write_bytes(kept)
    past = authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    write_pair(past, folder)
    until(lambda: "has expired" in faults(variables).get("address", ""))  # once the gateway has read the new files


def test_without_the_gateway_that_is_said(variables: dict[str, str], tmp_path: Path) -> None:
    elsewhere = {**variables, "SIGNALPOST_DATA_DIR": str(tmp_path / "nowhere")}
    del elsewhere["SIGNALPOST_PUBLIC_URL"]
    assert faults(elsewhere).keys() == {"gateway", "data"}
