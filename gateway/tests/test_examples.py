"""The examples of embedding run as they stand, and do what they say."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.patience import PATIENCE

from signalpost_bench.free_port import free_port
from signalpost_receiver import Signer

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


def test_a_program_uses_the_documents_without_http() -> None:
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "embedded.py"], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    created, changed, uploaded, refused, deleted = ended.stdout.splitlines()
    assert created.endswith(": 'Mutual NDA', created")
    assert changed == "changed: 'Mutual NDA, signed', worth 1500.0"
    assert uploaded == "uploaded version 1.0: http://127.0.0.1:8080/files/…"
    assert refused == "refused: /ownerEmail: This must be an e-mail address, such as owner@example.com."
    assert deleted == "deleted"


class Application:
    """An application with the gateway inside, on a port of its own."""

    def __init__(self, name: str, folder: Path, **settings: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, EXAMPLES / name],
            env={**os.environ, "PORT": str(port), "DATA_DIR": str(folder / "data"), **settings},
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urllib.request.urlopen(urllib.request.Request(path, body, given), timeout=PATIENCE) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def until_ready(self, path: str = "/gateway/health/ready") -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                status, _ = self.ask(f"{self.url}{path}")
            except OSError:
                status = 0
            if status == 200:
                return
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "it does not get ready"
            time.sleep(0.05)

    def until_said(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in (said := (self.folder / "log").read_text()):
            assert self._process.poll() is None, said
            assert time.monotonic() < deadline, f"it never says {text!r}"
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        self._log.close()
        assert "Traceback" not in (self.folder / "log").read_text()


APPLICATIONS = ("in_fastapi.py", "in_starlette.py")


@contextmanager
def running(name: str, folder: Path) -> Iterator[Application]:
    started = Application(name, folder)
    try:
        started.until_ready()
        yield started
    finally:
        started.stop()


@pytest.fixture(params=APPLICATIONS)
def application(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Application]:
    with running(request.param, tmp_path) as started:
        yield started


def test_an_application_has_the_gateway_inside_and_its_api_beside(application: Application) -> None:
    status, body = application.ask(f"{application.url}/contracts", b"title=Mine")
    made: dict[str, Any] = json.loads(body)
    assert (status, made["status"]) == (201, "created")
    key = (application.folder / "data" / "operator-key").read_text().strip()
    api = f"{application.url}/gateway/v1/documents/{made['id']}"
    status, body = application.ask(api, authorization=f"Bearer {key}")
    assert status == 200
    assert (json.loads(body)["title"], json.loads(body)["sourceApp"]) == ("Mine", "my application")
    assert application.ask(api)[0] == 401

    form = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n%PDF-1.7\r\n--b--\r\n'
    status, _ = application.ask(
        f"{api}/versions", form, authorization=f"Bearer {key}", content_type="multipart/form-data; boundary=b"
    )
    assert status == 201
    link = json.loads(application.ask(api, authorization=f"Bearer {key}")[1])["latestVersion"]["downloadUrl"]
    assert link.startswith(f"{application.url}/gateway/files/")
    assert application.ask(link) == (200, b"%PDF-1.7")


def test_what_the_gateway_refuses_the_application_can_tell(application: Application) -> None:
    status, body = application.ask(f"{application.url}/contracts", b"title=" + b"x" * 600)
    assert status == 422
    assert json.loads(body)["detail"] == "Invalid: /title. See `errors`."


def event_body(title: str, moment: datetime) -> bytes:
    event = json.loads((EXAMPLES / "page" / "documentCreated.json").read_text())
    event |= {"id": f"event-{title}", "createdAt": moment.isoformat(timespec="microseconds")}
    event["data"]["document"]["title"] = title
    return json.dumps(event).encode()


def signed(body: bytes, secret: str) -> dict[str, str]:
    now, signer = int(time.time()), Signer(secret)
    signature = signer.standard_signature("an-id", now, body)
    return {"webhook_id": "an-id", "webhook_timestamp": str(now), "webhook_signature": signature}


@pytest.mark.parametrize("application", ["in_starlette.py"], indirect=True)
def test_an_inbox_hands_over_each_event_once_and_what_was_missed(application: Application, tmp_path: Path) -> None:
    """The log of the gateway in the other example is where it finds what it missed."""
    secret, now = "a secret of mine", datetime.now(UTC)
    status, body = application.ask(f"{application.url}/contracts", b"title=Missed")
    assert status == 201
    key = (application.folder / "data" / "operator-key").read_text().strip()
    folder = tmp_path / "inbox"
    (folder / "data").mkdir(parents=True)
    gateway = {"GATEWAY_URL": f"{application.url}/gateway", "GATEWAY_KEY": key}
    inbox = Application("inbox.py", folder, WEBHOOK_SECRET=secret, HOLD_SECONDS="0", **gateway)
    try:
        inbox.until_ready("/docs")
        inbox.until_said("found 1 missed events; 0 others failed")
        for number in (1, 2, 1):
            sent = event_body(f"number {number}", now + timedelta(seconds=number))
            assert inbox.ask(f"{inbox.url}/webhooks", sent, **signed(sent, secret)) == (204, b"")
            inbox.until_said(f"is created: number {number}")
        forged = event_body("forged", now)
        assert inbox.ask(f"{inbox.url}/webhooks", forged, **signed(forged, "another secret"))[0] == 401
        said = [line.split(": ")[1] for line in (folder / "log").read_text().splitlines() if " is created: " in line]
        assert said == ["Missed", "number 1", "number 2"]
        assert json.loads(body)["id"] in (folder / "log").read_text()
    finally:
        inbox.stop()
