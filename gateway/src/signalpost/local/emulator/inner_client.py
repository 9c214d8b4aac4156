"""Calls a gateway's application from within its process, as a client would over HTTP."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from signalpost.asgi import AsgiApp, Message
from signalpost.domain.errors import SignalpostError


class InnerAnswer(NamedTuple):
    status: int
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body) if self.body else None


class PassedOn(SignalpostError):
    """The gateway answered with an error, which is passed on as it is."""

    def __init__(self, answered: InnerAnswer) -> None:
        super().__init__(f"The gateway answered {answered.status}.")
        self.answered = answered


class InnerClient:
    """Calls one application with one key."""

    def __init__(self, app: AsgiApp, key: str) -> None:
        self._app = app
        self._authorization = f"Bearer {key}".encode()

    async def call(
        self, method: str, path: str, query: Mapping[str, object] | None = None, body: object = None
    ) -> InnerAnswer:
        """Make one call. Raises PassedOn for any status but 2xx."""
        content = b"" if body is None else json.dumps(body).encode()
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        headers = [(b"authorization", self._authorization), (b"content-length", b"%d" % len(content))]
        if content:
            headers.append((b"content-type", b"application/json"))
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "root_path": "",
            "path": path, "raw_path": path.encode(), "query_string": urlencode(given).encode(), "headers": headers,
            "client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0),
        }  # fmt: skip
        status, parts = 0, list[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        answered = InnerAnswer(status, b"".join(parts))
        if not 200 <= status < 300:
            raise PassedOn(answered)
        return answered
