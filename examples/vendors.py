"""Slack, Google Calendar and Xero on this machine, as far as the demo needs them: each keeps what it is sent.

They answer as the vendors do: Slack in plain text, Google and Xero only to calls with one of their tokens, and Google
with 404 to the change of an unknown entry.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-demo"  # noqa: S105 - it opens nothing


class Vendors:
    """Three vendors behind one address."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.entries: dict[str, dict[str, Any]] = {}
        """The calendar entries by their ids."""
        self.bills: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, method: str, url: str, authorization: str, body: bytes) -> tuple[int, Any]:
        """The status and the body that answer a request; bytes, or what becomes JSON."""
        path = urlsplit(url).path
        if path.startswith("/services/"):
            self.messages.append(json.loads(body))
            return 200, b"ok"
        if path.endswith("/token"):
            return 200, {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 1800}
        if authorization != f"Bearer {TOKEN}":
            return 401, {"error": "Who are you?"}
        if path.startswith("/calendar/v3/"):
            return self._calendar(method, path, body)
        return self._xero(method, parse_qs(urlsplit(url).query), body)

    def _calendar(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        entry_id = path.rpartition("/")[2] if method in ("PATCH", "DELETE") else json.loads(body)["id"]
        if method == "POST":
            self.entries[entry_id] = json.loads(body)
        elif entry_id not in self.entries:
            return 404, {"error": {"code": 404, "message": "Not Found", "errors": [{"reason": "notFound"}]}}
        elif method == "DELETE":
            del self.entries[entry_id]
            return 204, b""
        else:
            self.entries[entry_id] |= json.loads(body)
        return 200, {"id": entry_id, "htmlLink": f"https://calendar.example/{entry_id}"}

    def _xero(self, method: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        if method == "PUT":
            self.bills.append({**json.loads(body)["Invoices"][0], "InvoiceID": f"bill-{len(self.bills) + 1}"})
            return 200, {"Invoices": self.bills[-1:]}
        wanted = query.get("InvoiceNumbers", [])
        return 200, {"Invoices": [bill for bill in self.bills if bill["InvoiceNumber"] in wanted]}


def _handler(vendors: Vendors) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            status, answer = vendors.answer(self.command, self.path, self.headers["authorization"] or "", body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """The demo prints its own lines."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler
