"""A correct receiver, and receivers that are wrong in one way each: small, real HTTP servers.

Each path of the one server is a receiver of its own: `/Correct` takes events, and `/Correct/ID` says what it did about
a document.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import Message
from typing import Any

from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost_receiver import Receiver, ReceiverError, Signer
from signalpost_receiver.sign import (
    PAGE_SIGNATURE,
    PAGE_SIGNATURE_ALTERNATE,
    STANDARD_SIGNATURE,
    STANDARD_TIMESTAMP,
    TEST,
)

SECRET = "a secret of mine"
MAX_BODY = 1024 * 1024
Headers = Mapping[str, str]


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Correct:
    """Verifies, deduplicates and orders, as it should be done; every step can be done wrongly instead."""

    max_body = MAX_BODY
    max_age: timedelta | None = timedelta(hours=1)

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen = set[str]()
        self.handled = dict[str, int]()
        self.titles = dict[str, tuple[str, str]]()

    def answer(self, body: bytes, headers: Message) -> int:
        try:
            if len(body) > self.max_body:
                return 413
            found = self.read_headers(headers)
            self.verify(body, found)
            return self.take(self.parse(body), found)
        except Refused as refused:
            return refused.status

    def read_headers(self, headers: Message) -> dict[str, str]:
        return {name.lower(): value for name, value in headers.items()}

    def verify(self, body: bytes, headers: Headers) -> None:
        try:
            Receiver(secrets=SECRET, max_age=self.max_age).verify(body, headers)
        except ReceiverError as error:
            raise Refused(error.status) from None

    def parse(self, body: bytes) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(body)
        return event

    def take(self, event: dict[str, Any], headers: Headers) -> int:
        with self.lock:
            if event["id"] not in self.seen and TEST not in headers:
                self.seen.add(event["id"])
                self.handle(event)
        return 204

    def handle(self, event: dict[str, Any]) -> None:
        document = event["data"]["document"]
        identity = document["externalId"]
        self.handled[identity] = self.handled.get(identity, 0) + 1
        self.titles[identity] = max(self.titles.get(identity, ("", "")), (event["createdAt"], document["title"]))

    def about(self, identity: str) -> dict[str, Any] | None:
        if identity not in self.handled:
            return None
        return {"handled": self.handled[identity], "title": self.titles[identity][1]}


def page_fits(body: bytes, signature: str | None) -> bool:
    return signature is not None and hmac.compare_digest(
        Signer(SECRET).page_signature(body).encode(), signature.encode()
    )


class Slow(Correct):
    def answer(self, body: bytes, headers: Message) -> int:
        time.sleep(2)
        return super().answer(body, headers)


class Redirecting(Correct):
    def answer(self, _body: bytes, _headers: Message) -> int:
        return 308


class OfAnotherSecret(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        super().verify(body + b" ", headers)


class SerialisesAgain(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        again = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) if body[:1] == b"{" else ""
        super().verify(again.encode() or body, headers)

    def answer(self, body: bytes, headers: Message) -> int:
        try:
            return super().answer(body, headers)
        except ValueError:
            return 400


class LowerCaseOnly(Correct):
    def read_headers(self, headers: Message) -> dict[str, str]:
        return {name: value for name, value in headers.items() if name.islower()}


class NeedsCounterparty(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        if event["data"]["document"]["counterpartyName"] is None:
            return 500
        return super().take(event, headers)


class SmallBodies(Correct):
    max_body = 100_000


class Conflicting(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        return 409 if event["id"] in self.seen else super().take(event, headers)


class OneAtATime(Correct):
    def answer(self, body: bytes, headers: Message) -> int:
        if not self.lock.acquire(blocking=False):
            return 503
        self.lock.release()
        return super().answer(body, headers)

    def handle(self, event: dict[str, Any]) -> None:
        time.sleep(0.1)
        super().handle(event)


class InOrderOnly(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        newest, _ = self.titles.get(event["data"]["document"]["externalId"], ("", ""))
        return 400 if event["createdAt"] < newest else super().take(event, headers)


class JudgesCreation(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        age = time.time() - datetime.fromisoformat(event["createdAt"]).timestamp()
        return 400 if age > 3600 else super().take(event, headers)


class NoSamples(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        return 400 if TEST in headers else super().take(event, headers)


class NewestSignatureOnly(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        newest = headers.get(PAGE_SIGNATURE_ALTERNATE)
        if newest is None:
            super().verify(body, headers)
        elif not page_fits(body, newest):
            raise Refused(401)


class PageOnly(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        if not page_fits(body, headers.get(PAGE_SIGNATURE)):
            raise Refused(401)
        super().verify(body, headers)


class KnownStatusesOnly(Correct):
    def take(self, event: dict[str, Any], headers: Headers) -> int:
        known = event["data"]["document"]["status"] in ("created", "executed", "other", "awaitingReview")
        return super().take(event, headers) if known else 422


class Trusting(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        """Nothing is checked."""

    def parse(self, body: bytes) -> dict[str, Any]:
        try:
            event = super().parse(body)
            assert event["data"]["document"]["externalId"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Refused(400) from None
        return event


class TakesUnsigned(Trusting):
    def verify(self, body: bytes, headers: Headers) -> None:
        if PAGE_SIGNATURE in headers or STANDARD_SIGNATURE in headers:
            Correct.verify(self, body, headers)


class ComparesABeginning(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        given, right = headers.get(PAGE_SIGNATURE), Signer(SECRET).page_signature(body)
        fits = given is not None and right.startswith(given)
        super().verify(body, {**headers, PAGE_SIGNATURE: right} if fits else headers)


class EmptySecretToo(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        if headers.get(PAGE_SIGNATURE) != hmac.new(b"", body, hashlib.sha512).hexdigest():
            super().verify(body, headers)


class AnyStandardSignature(Trusting):
    def verify(self, body: bytes, headers: Headers) -> None:
        if PAGE_SIGNATURE in headers or not headers.get(STANDARD_SIGNATURE, "").startswith("v1,"):
            Correct.verify(self, body, headers)


class Timeless(Correct):
    max_age = None


class CrashesOnText(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        if not headers.get(PAGE_SIGNATURE, "").isascii():
            raise Refused(500)
        super().verify(body, headers)


class ParsesFirst(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(500) from None
        super().verify(body, headers)


class CrashesOnGarbage(Correct):
    def verify(self, body: bytes, headers: Headers) -> None:
        try:
            Receiver(secrets=SECRET, max_age=self.max_age).verify(body, headers)
        except ReceiverError as error:
            raise Refused(500 if error.status == 400 and page_fits(body, headers.get(PAGE_SIGNATURE)) and
                          STANDARD_TIMESTAMP in headers and abs(int(headers[STANDARD_TIMESTAMP]) - time.time()) < 600
                          else error.status) from None  # fmt: skip


class UncappedReceiver(Correct):
    max_body = 1 << 30

    def verify(self, body: bytes, headers: Headers) -> None:
        try:
            Receiver(secrets=SECRET, max_body_bytes=self.max_body).verify(body, headers)
        except ReceiverError as error:
            if not (error.status == 400 and len(body) > MAX_BODY):
                raise Refused(error.status) from None


class HandlesTwice(Correct):
    def take(self, event: dict[str, Any], _headers: Headers) -> int:
        with self.lock:
            self.handle(event)
        return 204


class LastOneWins(Correct):
    def handle(self, event: dict[str, Any]) -> None:
        self.titles.pop(event["data"]["document"]["externalId"], None)
        super().handle(event)


class WorksFirst(Correct):
    def answer(self, body: bytes, headers: Message) -> int:
        try:
            event = json.loads(body)
            self.take(event, {})
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        return super().answer(body, headers)


class Fragile(Correct):
    broken = False

    def answer(self, body: bytes, headers: Message) -> int:
        self.broken = self.broken or len(body) > MAX_BODY
        status = super().answer(body, headers)
        return 500 if self.broken and status == 204 else status


FLAWS: Mapping[type[Correct], frozenset[str]] = {
    Slow: frozenset({"answers"}),
    Redirecting: frozenset({"redirects"}),
    OfAnotherSecret: frozenset({"genuine"}),
    SerialisesAgain: frozenset({"raw-body"}),
    LowerCaseOnly: frozenset({"header-case"}),
    NeedsCounterparty: frozenset({"nulls"}),
    SmallBodies: frozenset({"large"}),
    Conflicting: frozenset({"duplicates"}),
    OneAtATime: frozenset({"at-once"}),
    InOrderOnly: frozenset({"order"}),
    JudgesCreation: frozenset({"late"}),
    NoSamples: frozenset({"sample"}),
    NewestSignatureOnly: frozenset({"old-secret"}),
    PageOnly: frozenset({"new-secret"}),
    KnownStatusesOnly: frozenset({"new-values"}),
    Trusting: frozenset(
        {"unsigned", "wrong-secret", "tampered", "part-of-a-signature", "empty-secret", "borrowed-signature", "stale",
         "strange-signatures", "forged-unhandled"}
    ),
    TakesUnsigned: frozenset({"unsigned"}),
    ComparesABeginning: frozenset({"part-of-a-signature"}),
    EmptySecretToo: frozenset({"empty-secret"}),
    AnyStandardSignature: frozenset({"borrowed-signature"}),
    Timeless: frozenset({"stale"}),
    CrashesOnText: frozenset({"strange-signatures"}),
    ParsesFirst: frozenset({"unsigned-garbage", "signed-garbage"}),
    CrashesOnGarbage: frozenset({"signed-garbage"}),
    UncappedReceiver: frozenset({"oversized"}),
    HandlesTwice: frozenset({"handled-once"}),
    LastOneWins: frozenset({"newest-wins"}),
    WorksFirst: frozenset({"forged-unhandled"}),
    Fragile: frozenset({"still-well"}),
}  # fmt: skip
"""Receivers that are wrong, and the rules that each of them breaks."""
KINDS: tuple[type[Correct], ...] = (Correct, *FLAWS)


class FlawedServer:
    """Serves all of them on one port."""

    def __init__(self) -> None:
        receivers = {kind.__name__: kind() for kind in KINDS}
        lost = Correct()

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receivers[self.path.strip("/")].answer(body, self.headers)
                self._answer(status, b"")

            def do_GET(self) -> None:
                name, _, identity = self.path.strip("/").partition("/")
                found = receivers.get(name, lost).about(identity)
                self._answer(404 if found is None else 200, json.dumps(found).encode())

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                if status == 308:
                    self.send_header("location", "/Correct")
                if status != 204:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if status != 204:
                    self.wfile.write(content)

        class Server(LocalServer):
            def handle_error(self, *_: object) -> None:
                """A doctor that has seen enough hangs up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
