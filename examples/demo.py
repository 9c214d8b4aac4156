"""The main job, to watch: documents change, and every change arrives at a receiver, signed.

A gateway and a receiver run here, on this machine, for a few seconds. The receiver is written as the public page's
readers wrote theirs: it knows nothing of Signalpost but the page's own `verify_signature`. Beside it stand in for
Slack, Google Calendar and Xero a few lines each (`vendors.py`). Exits with 0 only if every event arrived, verified and
in the order of its document, and each vendor has what a signed contract becomes there, once.
"""

import hashlib
import hmac
import html
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rich.console import Console
from vendors import Vendors

EXAMPLES = Path(__file__).parent / "page"
GATEWAY = Path(sys.executable).parent / "signalpost"
PATIENCE = 40.0
"""Seconds after which an event that has not arrived counts as lost."""

console = Console(highlight=False, soft_wrap=True)


# --- The receiver: what a customer has --------------------------------------------------------------------------------


def verify_signature(payload: bytes, headers: Any, secret_token: bytes) -> bool:
    """The function of the public page, as it stands there."""
    actual_signature = headers["plexus-webhook-signature"]
    expected_signature = hmac.new(key=secret_token, msg=payload, digestmod=hashlib.sha512).hexdigest()
    return hmac.compare_digest(actual_signature, expected_signature)


class Arrival(NamedTuple):
    at: float
    event: dict[str, Any]
    verified: bool
    attempt: str
    answered: int


class Receiver:
    """An HTTP server on this machine that verifies what it gets, and can be told to fail."""

    def __init__(self) -> None:
        self.arrivals: queue.Queue[Arrival] = queue.Queue()
        self.secret = b""
        self.failing = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                verified = verify_signature(body, self.headers, receiver.secret)
                answered = 500 if receiver.failing else 204 if verified else 401
                event = json.loads(body)
                arrival = Arrival(time.time(), event, verified, self.headers["signalpost-attempt"], answered)
                receiver.arrivals.put(arrival)
                self.send_response(answered)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The demo prints its own lines."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


# --- The gateway: what a platform team runs ---------------------------------------------------------------------------


class Client:
    """Calls the gateway's API as any HTTP client would."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._key = key

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self._send(method, path, None if body is None else json.dumps(body).encode(), "application/json")

    def upload(self, external_id: str, content: bytes) -> Any:
        """A file becomes the document's next version."""
        part = b'--part\r\ncontent-disposition: form-data; name="file"\r\n\r\n' + content + b"\r\n--part--\r\n"
        media_type = "multipart/form-data; boundary=part"
        return self._send("POST", f"/v1/documents/{external_id}/versions", part, media_type)

    def _send(self, method: str, path: str, body: bytes | None, media_type: str) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the gateway's own address
            self.address + path,
            method=method,
            data=body,
            headers={"authorization": f"Bearer {self._key}", "content-type": media_type},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            content = answer.read()
        return json.loads(content) if content else None


@contextmanager
def gateway(data: Path, targets: str) -> Iterator[Client]:
    """A gateway on a fresh data directory, that may deliver to these targets on this machine."""
    arguments = ["--data-dir", str(data), "--port", "0", "--allow-targets", targets, "--retry-delays", "2,4,8"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")}
    with (data.parent / "gateway.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            [str(GATEWAY), "serve", *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline()
            if " listens on " not in greeting:
                sys.exit("The gateway did not start:\n" + (data.parent / "gateway.log").read_text())
            address = greeting.split(" listens on ")[1].split(",")[0]
            yield Client(address, (data / "operator-key").read_text().strip())
        finally:
            process.terminate()
            if process.wait(10) != 0:
                sys.exit("The gateway did not stop cleanly.")


# --- The job ----------------------------------------------------------------------------------------------------------


def main() -> int:
    started = time.time()
    receiver, vendors = Receiver(), Vendors()
    targets = f"{receiver.url},{vendors.url}"
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder) / "data", targets) as client:
        console.print(f"[bold]Gateway[/bold] at {client.address} on a fresh data directory, "
                      f"[bold]receiver[/bold] at {receiver.url}")  # fmt: skip
        wanted = ["documentCreated", "documentUpdated", "documentDeleted"]
        subscription = client.call("POST", "/v1/subscriptions", {"url": receiver.url + "/events", "eventTypes": wanted})
        receiver.secret = subscription["secret"].encode()
        console.print(f"Subscribed to {', '.join(wanted)}; retries after 2, 4 and 8 s here (10, 60 and 300 by default)")
        watch = Watch(receiver, started)
        first_act(client, watch)
        second_act(client, watch)
        third_act(client, vendors, watch)
        fourth_act(client, receiver, watch)
        fifth_act(client, watch)
        all_arrived = watch.sum_up(client)
        return 0 if ends_well(vendors) and all_arrived else 1


def first_act(client: Client, watch: "Watch") -> None:
    console.rule("Three documents are imported: the examples of the public page", align="left")
    for number, file in enumerate(sorted(EXAMPLES.glob("*.json")), start=1):
        document = json.loads(file.read_text())["data"]["document"]
        external_id = f"d24c0644-1d31-47fa-960e-b0cc8b4f136{number}"
        document |= {"externalId": external_id, "title": f"Service Agreement for Company {'ABC'[number - 1]}"}
        client.call("PUT", f"/v1/documents/{external_id}?sourceVersion=1", document)
        watch.expect(external_id)
    watch.until_all_arrived()


def second_act(client: Client, watch: "Watch") -> None:
    console.rule("A contract is drafted, reviewed, approved, published and signed", align="left")
    people = {"ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}
    contract = client.call("POST", "/v1/documents", {"type": "Contract", "title": "Supply agreement", **people})
    external_id = contract["externalId"]
    path = f"/v1/documents/{external_id}"

    def act(action: str, *, shows: bool = True, **said: object) -> None:
        """Only what a receiver can see makes an event: the first of two decisions does not."""
        client.call("POST", f"{path}/actions", {"action": action, **said})
        if shows:
            watch.expect(external_id)
            watch.until_all_arrived()

    watch.expect(external_id)
    client.upload(external_id, b"%PDF-1.7\nThe supplier supplies, and the buyer pays.")
    watch.expect(external_id)
    act("requestReview", reviewers=["ann@example.com", "bob@example.com"])
    act("approveReview", shows=False, by="ann@example.com")
    act("approveReview", by="bob@example.com")
    act("requestApproval", approvers=["cfo@example.com"])
    act("approve", by="cfo@example.com")
    client.call("POST", f"{path}/versions/0.1/publish")
    watch.expect(external_id)
    act("requestSignature", signers=["ceo@example.com", "buyer@example.org"], expiresAt="2099-12-31T12:00:00Z")
    act("sign", shows=False, by="buyer@example.org")
    act("sign", by="ceo@example.com")
    published = watch.last["data"]["document"]["publishedVersion"]
    with urllib.request.urlopen(published["downloadUrl"], timeout=10) as file:  # noqa: S310
        console.print(f"           the event's link leads to version {published['number']}: {file.read()[9:].decode()}")
    console.print("           who did what:")
    for step in reversed(client.call("GET", f"{path}/history")["data"]):
        who = step["by"] or step["key"]
        seen = "an event" if step["event"] else "no event: it does not show"
        console.print(f"           {step['action']:<17} {who:<18} {step['status']:<18} [dim]{seen}[/dim]")


def third_act(client: Client, vendors: Vendors, watch: "Watch") -> None:
    console.rule("A signed contract becomes a Slack message, a calendar entry and a draft bill", align="left")
    subscribe_vendors(client, vendors)
    people = {"ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}
    terms = {"counterpartyName": "Smith & Sons", "contractValue": 12_500.0, "expiryDate": "2099-12-31"}
    lease = {"type": "Contract", "title": "Office lease", **people, **terms}
    path = f"/v1/documents/{client.call('POST', '/v1/documents', lease)['externalId']}"
    client.upload(path.rpartition("/")[2], b"%PDF-1.7\nThe landlord lets, and the tenant rents.")
    asked = {"action": "requestSignature", "signers": ["ceo@example.com"], "expiresAt": "2099-12-31T12:00:00Z"}
    client.call("POST", f"{path}/actions", asked)
    client.call("POST", f"{path}/actions", {"action": "sign", "by": "ceo@example.com"})
    for _ in ("created", "uploaded", "awaitingSignature", "executed"):
        watch.expect(path.rpartition("/")[2])
    watch.until_all_arrived()
    deadline = time.time() + PATIENCE
    while not (vendors.messages and vendors.entries and vendors.bills) and time.time() < deadline:
        time.sleep(0.05)
    for message in vendors.messages:
        console.print(f"           [bold]Slack[/bold]     {html.unescape(message['text'])}")
    for entry in vendors.entries.values():
        console.print(f"           [bold]Calendar[/bold]  {entry['start']['date']}: {entry['summary']}")
    for bill in vendors.bills:
        total = sum(line["Quantity"] * line["UnitAmount"] for line in bill["LineItems"])
        what = f"{bill['Status']} {bill['Type']}: {total:,.2f} to {bill['Contact']['Name']}, due {bill['DueDate']}"
        console.print(f"           [bold]Xero[/bold]      {what}")


def subscribe_vendors(client: Client, vendors: Vendors) -> None:
    """Connect each vendor, and subscribe it with a preset in which the blanks are filled in."""
    kinds = client.call("GET", "/v1/destinations")["data"]
    presets = {preset["name"]: preset for kind in kinds for preset in kind["presets"]}
    hook = {"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/secret"}
    account = {"with": "serviceAccount", "clientEmail": "demo@example.com", "privateKey": private_key()}
    custom = {"with": "customConnection", "clientId": "demo", "clientSecret": "secret"}
    for kind, sign_in, name, blanks in (
        ("slack", hook, "slack-executed", {}),
        ("google_calendar", account, "google-calendar-expiry", {"calendarId": "primary"}),
        ("xero_bill", custom, "xero-bill-executed", {"accountCode": "400"}),
    ):
        config = {"signIn": sign_in, "standIn": vendors.url}
        connection = client.call("POST", "/v1/connections", {"kind": kind, "config": config})
        subscription = {**filled_in(presets[name], blanks), "kind": kind, "connection": connection["id"]}
        client.call("POST", "/v1/subscriptions", subscription)
        console.print(f"           subscribed: {presets[name]['title']}")


def filled_in(preset: dict[str, Any], blanks: dict[str, Any]) -> dict[str, Any]:
    """The subscription that a preset becomes: what is not in `blanks` has its default."""
    body: dict[str, Any] = preset["body"]
    for blank in preset["inputs"]:
        *way, last = blank["pointer"].split("/")[1:]
        place: Any = body
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        place[last] = blanks.get(blank["name"], blank.get("default"))
    return body


def private_key() -> str:
    """A key such as Google gives to a service account."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ends_well(vendors: Vendors) -> bool:
    """Whether there is one message and one bill for the signed contract, and no entry for a document that is gone."""
    deadline = time.time() + PATIENCE
    while vendors.entries and time.time() < deadline:
        time.sleep(0.05)
    messages, bills, entries = len(vendors.messages), len(vendors.bills), len(vendors.entries)
    console.print(f"Slack has {messages} message, Xero {bills} draft bill, and the calendar {entries} entries: "
                  "they went with their documents")  # fmt: skip
    return (messages, bills, entries) == (1, 1, 0)


def fourth_act(client: Client, receiver: Receiver, watch: "Watch") -> None:
    console.rule("Documents change while the receiver is down: nothing is lost", align="left")
    receiver.failing = True
    for number, currency in enumerate(("EUR", "USD", "NZD"), start=1):
        external_id = f"d24c0644-1d31-47fa-960e-b0cc8b4f136{number}"
        client.call("PATCH", f"/v1/documents/{external_id}", {"additionalFacts": {"currency": currency}})
        watch.expect(external_id)
    watch.for_a_while(1.0)
    console.print("           the receiver recovers")
    receiver.failing = False
    watch.until_all_arrived()


def fifth_act(client: Client, watch: "Watch") -> None:
    console.rule("One is created here, changed twice, and all are deleted", align="left")
    people = {"ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}
    created = client.call("POST", "/v1/documents", {"type": "NDA", "title": "Mutual NDA", **people})["externalId"]
    watch.expect(created)
    for value in (1000.0, 2500.5):
        client.call("PATCH", f"/v1/documents/{created}", {"contractValue": value})
        watch.expect(created)
    for external_id in watch.documents():
        client.call("DELETE", f"/v1/documents/{external_id}")
        watch.expect(external_id)
    watch.until_all_arrived()


class Watch:
    """Prints each arrival as it comes, and keeps what must still arrive."""

    def __init__(self, receiver: Receiver, started: float) -> None:
        self._receiver = receiver
        self._started = started
        self._expected: list[str] = []
        self._delivered: dict[str, Arrival] = {}
        self._attempts = 0
        self.last: dict[str, Any] = {}
        """The latest event that arrived."""

    def expect(self, external_id: str) -> None:
        """One more event of that document must arrive."""
        self._expected.append(external_id)

    def documents(self) -> list[str]:
        return list(dict.fromkeys(self._expected))

    def until_all_arrived(self) -> None:
        deadline = time.time() + PATIENCE
        while len(self._delivered) < len(self._expected) and time.time() < deadline:
            self.for_a_while(0.05)

    def for_a_while(self, seconds: float) -> None:
        deadline = time.time() + seconds
        while (left := deadline - time.time()) > 0:
            try:
                self._note(self._receiver.arrivals.get(timeout=left))
            except queue.Empty:
                return

    def _note(self, arrival: Arrival) -> None:
        self._attempts += 1
        event, document = arrival.event, arrival.event["data"]["document"]
        if arrival.answered == 204:
            self._delivered.setdefault(event["id"], arrival)
            self.last = max(self.last, event, key=lambda each: each.get("createdAt", ""))
        verified = "[green]verified[/green]" if arrival.verified else "[red]NOT VERIFIED[/red]"
        fate = "[green]arrived[/green]"
        if arrival.answered != 204:
            fate = f"[yellow]refused with {arrival.answered}, will be retried[/yellow]"
        elif arrival.attempt != "1":
            fate += f" [cyan]on attempt {arrival.attempt}[/cyan]"
        seconds = arrival.at - self._started
        what = f"{event['type']:<16} {document['status']:<18} {document['title']:<32}"
        console.print(f"{seconds:8.2f} s  {what} {verified}  {fate}")

    def _event(self, event_id: str) -> dict[str, Any]:
        return self._delivered[event_id].event

    def sum_up(self, client: Client) -> bool:
        """Hold what arrived against the gateway's own log."""
        console.rule("Summary", align="left")
        log = [entry["event"] for entry in client.call("GET", "/v1/events?limit=250")["data"]]
        lost = {event["id"] for event in log} - self._delivered.keys()
        altered = [
            event for event in log if event["id"] in self._delivered and self._delivered[event["id"]].event != event
        ]
        unverified = [arrival for arrival in self._delivered.values() if not arrival.verified]
        ok = len(log) == len(self._expected) and not lost and not altered and not unverified
        console.print(
            f"{len(log)} events in the log, {len(self._delivered)} arrived in {self._attempts} attempts, "
            f"{len(self._delivered) - len(unverified)} verified by the page's function, {len(lost)} lost"
        )
        console.print(
            "[bold green]Every event arrived and verified.[/bold green]"
            if ok
            else "[bold red]Not every event arrived.[/bold red]"
        )
        return ok


if __name__ == "__main__":
    sys.exit(main())
