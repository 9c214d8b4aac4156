"""A server that gives tokens to a client, and an endpoint beside it that takes requests with these tokens alone."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.tests.http_server import QuietHandler, serving

CLIENT_ID = "client"
CLIENT_SECRET = "s3cr3t-of-the-client"
TOKEN = "t0k3n-number"
"""How each token begins."""


class TokenServer:
    def __init__(self) -> None:
        self.origin = ""
        self.is_away = False
        """Whether it gives no token for now."""
        self.asked = 0
        """How many tokens were asked for."""
        self.good = ""
        """The token that is good now."""
        self.got: list[tuple[str, str | None]] = []
        """The path and the `authorization` of each request to an endpoint."""
        self._lock = threading.Lock()

    @property
    def client(self) -> dict[str, str]:
        """What `oauth` of a subscription has to say."""
        return {"tokenUrl": f"{self.origin}/token", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}

    def tokens_at(self, path: str) -> set[str | None]:
        """The `authorization` of all requests to an endpoint; None for one without."""
        return {authorization for at, authorization in self.got if at == path}

    def end_tokens(self) -> None:
        """No token that was given is good any more."""
        with self._lock:
            self.good = ""

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer."""
        with self._lock:
            if path == "/token":
                return self._give(authorization)
            self.got.append((path, authorization))
            return (200 if self.good and authorization == f"Bearer {self.good}" else 401), {}

    def _give(self, authorization: str | None) -> tuple[int, dict[str, Any]]:
        self.asked += 1
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if self.is_away:
            return 503, {"error": "busy"}
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        self.good = f"{TOKEN}-{self.asked}"
        return 200, {"access_token": self.good, "token_type": "Bearer", "expires_in": 3600}


@contextmanager
def token_server() -> Iterator[TokenServer]:
    server = TokenServer()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, said = server.answer(self.path, self.headers["authorization"])
            body = json.dumps(said).encode()
            self.reply(status, body)

    with serving(Handler) as server.origin:
        yield server
