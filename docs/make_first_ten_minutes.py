"""Writes docs/first-ten-minutes.md: runs a real session, and records what every command prints.

Run `.venv/bin/python docs/make_first_ten_minutes.py`. A test runs the same session, and fails if one of its commands
fails or the page is out of date.
"""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
SECONDS = 60
"""Seconds that one step may take."""
SECRET = "a secret of mine"  # noqa: S105 - as the session shows it
SNAPSHOTS = """\
{"externalId":"d24c0644-1d31-47fa-960e-b0cc8b4f136c","type":"NDA","title":"From the archive","status":"executed",\
"createdAt":"2025-06-01T10:00:00Z","sourceApp":"archive","ownerEmail":"me@example.com","authorEmail":"me@example.com"}
{"externalId":"not-an-id","type":"NDA","title":"","status":"signed","createdAt":"2025-06-01T10:00:00Z",\
"sourceApp":"archive","ownerEmail":"me@example.com","authorEmail":"nobody"}
"""

HEAD = """# The first ten minutes

All of this really ran, in an empty folder with a copy of [`receiver.py`](../examples/receiver.py), and with `.venv/bin`
on the `PATH` (any `make` target creates it). `.venv/bin/python docs/make_first_ten_minutes.py` runs it again and writes
this page; ids and times are those of its last run.
"""


class Session:
    """Runs commands in a folder, and keeps the page: explanations, commands and their output."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.parts = [HEAD]
        self._folder = folder
        self._environment = {**environment, "PATH": f"{BIN}:{environment['PATH']}", "COLUMNS": "110"}

    def say(self, text: str) -> None:
        self.parts.append(f"\n{text}\n")

    def run(self, command: str, status: int = 0) -> str:
        """Run a command, and return what it printed. Raises AssertionError if it ends with another status."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        assert done.returncode == status, f"{command} ended with {done.returncode}:\n{printed}"
        self._show(command, printed)
        return done.stdout

    def run_until(self, command: str, wanted: Callable[[str], bool]) -> None:
        """Repeat a command until it prints what is wanted, and show only its last run."""
        until = time.monotonic() + SECONDS
        while not wanted(printed := self.run(command)):
            assert time.monotonic() < until, printed
            self.parts.pop()
            time.sleep(0.2)

    @contextlib.contextmanager
    def background(self, command: str, ready: str) -> Iterator[Path]:
        """Run a command in the background. The page shows what it printed until it was ready."""
        output = self._folder / f"{re.sub(r'[^a-z]', '', command)[:20]}.out"
        with output.open("w") as writing:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder, env=self._environment, stdout=writing, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            self.wait_for(output, ready, 1)
            self._show(f"{command} &", output.read_text())
            yield output
        finally:
            process.terminate()
            process.wait(SECONDS)

    def wait_for(self, output: Path, text: str, times: int) -> None:
        """Wait until a background command has printed `text` so many times."""
        until = time.monotonic() + SECONDS
        while output.read_text().count(text) < times:
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.05)

    def _show(self, command: str, printed: str) -> None:
        lines = [line.rstrip() for line in f"$ {command}\n{printed}".rstrip().splitlines()]
        self.parts.append("\n```console\n" + "\n".join(lines) + "\n```\n")


def play(folder: Path, port: int, receiver_port: int) -> str:
    """Run the session, and return the page."""
    (folder / "archive.ndjson").write_text(SNAPSHOTS)
    (folder / "receiver.py").write_text((ROOT / "examples" / "receiver.py").read_text())
    session = Session(folder, {**os.environ, "SIGNALPOST_DATA_DIR": "signalpost-data"})
    session.say("Start a gateway that may deliver to this machine, and a receiver that verifies what it gets.")
    serve = f"signalpost serve --port {port} --allow-targets http://127.0.0.1:{receiver_port}"
    receive = f"python receiver.py '{SECRET}' {receiver_port}"
    with session.background(serve, "/v1/events"):
        with session.background(receive, "listening on") as received:
            subscription = _subscribe(session, receiver_port)
            document = _create(session, received)
        event = _fail(session, subscription, document)
        with session.background(receive, "listening on") as received:
            _recover(session, subscription, event, received)
            _go_on(session, subscription, port)
    return "".join(session.parts)


def _subscribe(session: Session, receiver_port: int) -> str:
    session.say("Subscribe the receiver, and try it out before anything real is sent.")
    url = f"http://127.0.0.1:{receiver_port}/"
    made = session.run(f"signalpost subscriptions create {url} --name 'My receiver' --secret '{SECRET}'")
    subscription: str = re.findall(r"^id +(\S+)", made, re.MULTILINE)[0]
    session.run(f"signalpost subscriptions test {subscription}")
    return subscription


def _create(session: Session, received: Path) -> str:
    session.say("Create a document. By the time you look, its event is in the log and delivered.")
    made = session.run("signalpost documents create --type NDA --title 'Mutual NDA' --owner me@example.com")
    document: str = re.findall(r"^externalId +(\S+)", made, re.MULTILINE)[0]
    session.run("signalpost events list")
    session.run_until("signalpost deliveries list", lambda printed: "delivered" in printed)
    session.say("The receiver saw:")
    session.parts.append(f"\n```console\n{received.read_text().rstrip()}\n```\n")
    return document


def _fail(session: Session, subscription: str, document: str) -> str:
    session.say("Now the receiver is stopped, and the document changes: the delivery waits for its retry.")
    session.run(f"signalpost documents update {document} --set title='Mutual NDA, final' --set contractValue=1500.0")
    session.run_until("signalpost deliveries list --status retrying", lambda printed: "retrying" in printed)
    event = session.run(f"signalpost deliveries list {subscription} --status retrying --json | grep -o '\"eventId\": "
                        "\"[^\"]*\"' | cut -d'\"' -f4").strip()  # fmt: skip
    session.say("Why? Every attempt is kept.")
    session.run(f"signalpost deliveries get {subscription} {event}")
    session.say("Start the receiver again, and send the event without waiting for its retry.")
    return event


def _recover(session: Session, subscription: str, event: str, received: Path) -> None:
    session.run(f"signalpost deliveries retry {subscription} {event}")
    session.run_until(f"signalpost deliveries get {subscription} {event}", lambda printed: "delivered" in printed)
    session.say("Resend everything from the last hour: first only count it, then do it.")
    session.run(f"signalpost replay {subscription} --since 1h --all --dry-run")
    session.run(f"signalpost replay {subscription} --since 1h --all --wait")
    session.wait_for(received, "verified", 3)


def _go_on(session: Session, subscription: str, port: int) -> None:
    session.say(
        "Import documents that another system keeps, one snapshot per line. A bad line is explained field by field."
    )
    session.run("cat archive.ndjson")
    session.run("signalpost documents import archive.ndjson", status=1)
    session.run("signalpost documents list --status executed")
    session.run_until(
        f"signalpost deliveries list {subscription} --limit 1",
        lambda printed: "d24c0644" in printed and "delivered" in printed,
    )
    session.say("Change the secret without losing an event: both secrets sign until the new one is promoted.")
    session.run(f"signalpost subscriptions rotate {subscription} --overlap-hours 48")
    session.run(f"signalpost subscriptions promote {subscription}")
    session.say("A key for a colleague, the API's description for people, and numbers for Prometheus.")
    session.run("signalpost keys create 'support desk'")
    session.run(f"curl -s http://127.0.0.1:{port}/docs | head -c 60")
    session.run(f"curl -s http://127.0.0.1:{port}/metrics | grep '^signalpost_attempts_total'")
    session.say("Check and back up the database while the gateway runs.")
    session.run("signalpost db check && signalpost db backup monday.db")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = play(Path(folder), 8080, 9000)
    (ROOT / "docs" / "first-ten-minutes.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
