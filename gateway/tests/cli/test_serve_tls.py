"""A gateway with TLS of its own, as the command runs it, and the commands that speak to it."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trustme
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import create, json_of, run
from gateway.tests.patience import PATIENCE

pytestmark = pytest.mark.slow


def write_pair(leaf: trustme.LeafCert, folder: Path) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.touch(0o600)
    key.write_bytes(leaf.private_key_pem.bytes())
    return cert, key


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def data_dir(folder: Path, authority: trustme.CA) -> Iterator[Path]:
    """The data directory of a gateway whose certificate is for `localhost` alone."""
    cert, key = write_pair(authority.issue_cert("localhost"), folder)
    flags = ("--tls-cert", str(cert), "--tls-key", str(key), "--metrics-port", "0")
    with command.gateway(folder / "data", *flags) as process:
        yield folder / "data"
    assert process.returncode == 0


def address(data_dir: Path) -> str:
    return (data_dir / "address").read_text().splitlines()[0]


def test_commands_on_the_same_machine_know_the_gateway_by_its_certificate(data_dir: Path) -> None:
    assert address(data_dir).startswith("https://127.0.0.1:"), "which its certificate does not name"
    found = json_of(run("documents", "list", "--json", SIGNALPOST_DATA_DIR=str(data_dir)))
    assert found == []


def test_nobody_else_on_that_port_is_taken_for_it(data_dir: Path, authority: trustme.CA, tmp_path: Path) -> None:
    """One with a certificate from the same authority, for the same name, is not either."""
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    cert, _ = write_pair(authority.issue_cert("localhost"), tmp_path)
    (elsewhere / "address").write_text(f"{address(data_dir)}\n{cert}\n")
    (elsewhere / "operator-key").write_bytes((data_dir / "operator-key").read_bytes())
    refused = run("documents", "list", code=1, SIGNALPOST_DATA_DIR=str(elsewhere))
    assert "certificate verify failed" in refused.stderr


def test_commands_elsewhere_check_name_and_authority(data_dir: Path, ca_file: Path) -> None:
    port = address(data_dir).rsplit(":", 1)[1]
    key = (data_dir / "operator-key").read_text().strip()
    named = {"SIGNALPOST_URL": f"https://localhost:{port}", "SIGNALPOST_KEY": key}
    trusting = {**named, "SIGNALPOST_CA_FILE": str(ca_file)}
    assert create(partial(run, **trusting))  # type: ignore[arg-type] # none of these names is `code`
    assert "certificate verify failed" in run("documents", "list", code=1, **named).stderr
    numbered = {**trusting, "SIGNALPOST_URL": f"https://127.0.0.1:{port}"}
    assert "certificate verify failed" in run("documents", "list", code=1, **numbered).stderr
    wrong = {**trusting, "SIGNALPOST_CA_FILE": str(data_dir / "operator-key")}
    assert "SIGNALPOST_CA_FILE must be a PEM file" in run("documents", "list", code=1, **wrong).stderr


def test_a_new_certificate_is_served_and_known_without_a_restart(
    data_dir: Path, folder: Path, authority: trustme.CA, ca_file: Path
) -> None:
    context = ssl.create_default_context(cafile=str(ca_file))
    port = int(address(data_dir).rsplit(":", 1)[1])

    def serial() -> str:
        connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context)
        connection.request("GET", "/health/ready")
        assert json.loads(connection.getresponse().read())["status"] == "ready"
        certificate = connection.sock.getpeercert()
        assert certificate is not None
        connection.close()
        return str(certificate["serialNumber"])

    before = serial()
    write_pair(authority.issue_cert("localhost"), folder)
    until(lambda: serial() != before)
    run("documents", "list", SIGNALPOST_DATA_DIR=str(data_dir))


def test_the_metrics_tell_when_its_certificate_ends(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    ends = datetime(2031, 5, 4, tzinfo=UTC)
    cert, key = write_pair(authority.issue_cert("localhost", not_after=ends), tmp_path)
    context = ssl.create_default_context(cafile=str(ca_file))
    with command.gateway(tmp_path / "data", "--tls-cert", str(cert), "--tls-key", str(key)):
        port = int(address(tmp_path / "data").rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE, context=context)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
    [told] = [line for line in lines if line.startswith("signalpost_certificate_expiry_timestamp_seconds ")]
    assert float(told.split()[1]) == ends.timestamp()


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        (("--tls-cert", "cert.pem"), 2, "TLS needs both TLS_CERT and TLS_KEY. Set the other one too."),
        (("--tls-cert", "/nowhere", "--tls-key", "/nowhere"), 1, "TLS_CERT and TLS_KEY cannot be used. /nowhere"),
    ],
)
def test_a_start_without_a_whole_pair_is_refused(tmp_path: Path, flags: tuple[str, ...], code: int, says: str) -> None:
    assert says in run("serve", "--data-dir", str(tmp_path / "data"), "--port", "0", *flags, code=code).stderr
