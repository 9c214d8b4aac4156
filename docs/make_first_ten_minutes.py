"""Writes docs/first-ten-minutes.md: runs a real session, and records what every command prints.

Run `.venv/bin/python docs/make_first_ten_minutes.py`. A test runs the same session, and fails if one of its commands
fails or the page is out of date.
"""

import os
import re
import tempfile
from pathlib import Path

from recorded_session import Session

ROOT = Path(__file__).parents[1]
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


def play(folder: Path, port: int, receiver_port: int) -> str:
    """Run the session, and return the page."""
    (folder / "archive.ndjson").write_text(SNAPSHOTS)
    (folder / "receiver.py").write_text((ROOT / "examples" / "receiver.py").read_text())
    session = Session(HEAD, folder, {**os.environ, "SIGNALPOST_DATA_DIR": "signalpost-data"})
    session.say(
        "Start a gateway that is allowed to deliver to this machine, and a receiver that verifies what it gets."
    )
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
    session.say("Subscribe the receiver, and test it before anything real is sent.")
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
    session.show(received.read_text())
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
    session.say("Resend everything from the last hour: first only count, then send.")
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
    session.run("signalpost keys create 'support desk' --role viewer")
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
