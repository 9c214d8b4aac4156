"""A client of the gateway's HTTP API, with the standard library alone."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from gateway.tests.patience import PATIENCE

DOCUMENT = {"type": "NDA", "title": "A title", "ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """The headers, by lower-case name."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Lost(Exception):
    """The connection failed: the request may or may not have taken effect."""


class Client:
    """One caller. Keeps a connection if told to, as a busy program would; not to be shared between threads then."""

    def __init__(self, address: Callable[[], tuple[str, int]], key: Callable[[], str], *, keep: bool = False) -> None:
        """`address` and `key` are asked for at each request: a gateway that was restarted has another port."""
        self._address = address
        self._key = key
        self._keep = keep
        self._connection: http.client.HTTPConnection | None = None
        self._connected_to: tuple[str, int] | None = None

    # --- Requests -----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """A header's name is written with underscores: `idempotency_key="…"`. Raises Lost."""
        address = self._address()
        if self._connection is None or self._connected_to != address:
            self.close()
            self._connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
            self._connected_to = address
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("authorization", f"Bearer {self._key()}")
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        try:
            self._connection.request(method, path, data, sent)
            response = self._connection.getresponse()
            reply = Reply(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(repr(error)) from error
        if not self._keep:
            self.close()
        return reply

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, method: str, path: str, body: object = None, *, expect: int = 200, **headers: str) -> Any:
        """The JSON of an answer that must have this status."""
        reply = self.request(method, path, body, **headers)
        assert reply.status == expect, f"{method} {path} was answered {reply.status}: {reply.body.decode()}"
        return reply.json() if reply.body else None

    def upload(self, external_id: str, content: bytes, *, publish: bool = False, expect: int = 201) -> str:
        """The number of the version that a file became. Raises Lost."""
        head = '--b\r\ncontent-disposition: form-data; name="file"\r\n\r\n'
        text = f'\r\n--b\r\ncontent-disposition: form-data; name="publish"\r\n\r\n{str(publish).lower()}\r\n--b--\r\n'
        body = head.encode() + content + text.encode()
        path = f"/v1/documents/{external_id}/versions"
        made = self.ask("POST", path, body, expect=expect, content_type="multipart/form-data; boundary=b")
        return str(made.get("number"))

    # --- What tests do most -------------------------------------------------------------------------------------------

    def subscribe(self, url: str, **fields: object) -> Any:
        wanted = {"url": url, "eventTypes": ["documentCreated", "documentUpdated", "documentDeleted"], **fields}
        return self.ask("POST", "/v1/subscriptions", wanted, expect=201)

    def change_subscription(self, subscription: Any, **fields: object) -> Any:
        return self.ask("PATCH", f"/v1/subscriptions/{subscription['id']}", fields)

    def subscription(self, subscription: Any) -> Any:
        return self.ask("GET", f"/v1/subscriptions/{subscription['id']}")

    def unsubscribe(self, subscription: Any) -> None:
        self.ask("DELETE", f"/v1/subscriptions/{subscription['id']}", expect=204)

    def create(self, **fields: object) -> Any:
        return self.ask("POST", "/v1/documents", {**DOCUMENT, **fields}, expect=201)

    def patch(self, document: Any, **fields: object) -> Any:
        return self.ask("PATCH", f"/v1/documents/{document['externalId']}", fields)

    def delete(self, document: Any) -> None:
        self.ask("DELETE", f"/v1/documents/{document['externalId']}", expect=204)

    def feed(self, after: int = 0) -> Iterator[Any]:
        """Every entry of the log from there on, oldest first."""
        while True:
            page = self.ask("GET", f"/v1/events?after={after}&limit=250")
            yield from page["data"]
            if page["last"] == after or not page["data"]:
                return
            after = page["last"]

    def events_of(self, document: Any) -> list[Any]:
        """The events of one document, oldest first."""
        found = self.ask("GET", f"/v1/events?externalId={document['externalId']}&limit=250")["data"]
        return [entry["event"] for entry in found]

    def delivery(self, subscription: Any, event_id: str) -> Any:
        return self.ask("GET", f"/v1/subscriptions/{subscription['id']}/deliveries/{event_id}")

    def deliveries(self, subscription: Any, **query: str) -> list[Any]:
        """All of them, or those that the query asks for, newest first."""
        found: list[Any] = []
        cursor = ""
        while True:
            asked = "&".join(f"{name}={value}" for name, value in {**query, "limit": "250"}.items())
            page = self.ask("GET", f"/v1/subscriptions/{subscription['id']}/deliveries?{asked}{cursor}")
            found += page["data"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def retry(self, subscription: Any, event_id: str) -> None:
        path = f"/v1/subscriptions/{subscription['id']}/deliveries/{event_id}/retry"
        self.ask("POST", path, expect=202)

    def metric(self, name: str) -> float:
        """A metric without labels."""
        lines = self.request("GET", "/metrics").body.decode().splitlines()
        (value,) = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
        return float(value)

    def until_delivery(self, subscription: Any, event_id: str, status: str, attempts: int = 1) -> Any:
        """The delivery, once it has this status and so many attempts."""

        def settled() -> Any:
            found = self.delivery(subscription, event_id)
            return found if found["status"] == status and len(found["attempts"]) >= attempts else None

        return until(settled, lambda: f"not {status}: {self.delivery(subscription, event_id)}")


def seconds(timestamp: str) -> float:
    """A timestamp of the API as `time.time` counts."""
    return datetime.fromisoformat(timestamp).timestamp()


def until(condition: Callable[[], Any], why: Callable[[], str] = lambda: "it did not happen") -> Any:
    """The first true value of the condition. Fails when its patience is over. What took long is looked at less often:
    it waits for time to pass, and to look again and again would keep others from their work."""
    begun = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - begun
        assert waited < PATIENCE, why()
        time.sleep(min(max(0.02, waited / 20), 0.25))
    return found
