"""What runs beside a gateway on one machine, `deploy/single`, as its units run it; `make single-drill` installs all."""

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gateway.tests.acceptance.gateway_process import COMMAND, GatewayProcess, run_command, without_settings
from gateway.tests.http_server import QuietHandler
from gateway.tests.patience import PATIENCE

SINGLE = Path(__file__).parents[3] / "deploy" / "single"
DAY = 24 * 3600


@pytest.fixture
def gateway(gateways: Callable[..., GatewayProcess]) -> GatewayProcess:
    """One with a document whose version has a file."""
    gateway = gateways()
    gateway.api.upload(gateway.api.create()["externalId"], b"%PDF-1.7 the first")
    return gateway


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def back_up(gateway: GatewayProcess, folder: Path) -> None:
    settings = {
        "SIGNALPOST_DATA_DIR": str(gateway.data_dir),
        "BACKUP_FOLDER": str(folder),
        "BACKUP_DAYS": "14",
        "PROGRAM": str(COMMAND),
    }
    for copy in folder.glob("*.db"):
        copy.rename(copy.with_suffix(".earlier.db"))  # a second backup within a second has no other name
    subprocess.run(
        ["sh", SINGLE / "backup.sh"], env=without_settings() | settings, check=True, timeout=PATIENCE, cwd=folder
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "files").iterdir()}


@pytest.mark.slow
def test_a_backup_restores_documents_and_their_files(gateway: GatewayProcess, folder: Path, tmp_path: Path) -> None:
    back_up(gateway, folder)
    [copy] = folder.glob("signalpost-*.db")
    restored = tmp_path / "restored"
    run_command("db", "restore", copy, "--data-dir", restored)
    assert "1" in run_command("db", "scrub", "--data-dir", restored, code=1).stderr, "its file is not there yet"
    (folder / "files").rename(restored / "files")
    run_command("db", "scrub", "--data-dir", restored)


@pytest.mark.slow
def test_a_file_that_was_being_uploaded_is_whole_in_the_next_backup(gateway: GatewayProcess, folder: Path) -> None:
    """An upload has its name from the first byte on: a copy that never looks again would keep half of it."""
    uploaded = gateway.data_dir / "files" / ("ab" * 16)
    uploaded.write_bytes(b"half")
    (folder / "files").mkdir()
    (folder / "files" / "cd.part").write_bytes(b"of a backup that was interrupted")
    back_up(gateway, folder)
    assert files_of(folder) == files_of(gateway.data_dir)
    uploaded.write_bytes(b"half and half")
    back_up(gateway, folder)
    assert files_of(folder)[uploaded.name] == b"half and half"
    assert files_of(folder) == files_of(gateway.data_dir)


@pytest.mark.slow
def test_what_the_gateway_removed_leaves_the_backups_with_the_copies_that_name_it(
    gateway: GatewayProcess, folder: Path
) -> None:
    removed = gateway.data_dir / "files" / ("ab" * 16)
    removed.write_bytes(b"removed later")
    back_up(gateway, folder)
    removed.unlink()
    for age, is_kept in ((13, True), (16, False)):
        for file in (*folder.glob("*.db"), *(folder / "files").iterdir()):
            os.utime(file, (time.time() - age * DAY,) * 2)
        back_up(gateway, folder)
        assert (removed.name in files_of(folder)) is is_kept
        assert len([*folder.glob("*.db")]) == (2 if is_kept else 1)
        assert files_of(folder).keys() >= files_of(gateway.data_dir).keys(), "what is still there stays"


@pytest.mark.slow
def test_a_backup_that_fails_says_so_and_keeps_the_copies_that_there_are(gateway: GatewayProcess, folder: Path) -> None:
    back_up(gateway, folder)
    kept = {*folder.rglob("*")}
    for copy in folder.glob("*.db"):
        os.utime(copy, (0, 0))
    (gateway.data_dir / "signalpost.db").rename(gateway.data_dir / "away.db")
    with pytest.raises(subprocess.CalledProcessError):
        back_up(gateway, folder)
    (gateway.data_dir / "away.db").rename(gateway.data_dir / "signalpost.db")
    assert len({*folder.rglob("*")}) == len(kept)


class Hook(QuietHandler):
    """Takes what is posted to it."""

    texts: list[str]

    def do_POST(self) -> None:
        self.texts.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["text"])
        self.send_response(204)
        self.end_headers()


@pytest.fixture
def hook() -> Iterator[tuple[str, list[str]]]:
    """A URL, and the texts that came there."""
    texts: list[str] = []
    server = http.server.HTTPServer(("127.0.0.1", 0), type("NewHook", (Hook,), {"texts": texts}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret-path", texts
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alert_names_the_unit_and_shows_no_secret(hook: tuple[str, list[str]]) -> None:
    url, texts = hook
    alert = (sys.executable, str(SINGLE / "alert.py"), "signalpost-check.service")
    for given, count in ((url, 1), ("", 1)):
        done = subprocess.run(alert, env={**os.environ, "ALERT_URL": given}, check=True, capture_output=True, text=True)
        assert done.stderr.startswith("signalpost-check.service failed on ")
        assert "secret-path" not in done.stdout + done.stderr
        assert len(texts) == count
    assert texts[0].startswith("signalpost-check.service failed on ")
