"""The API of a gateway in this process, called as a server would call it: ASGI without a socket."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class EmbeddedApi:
    def __init__(self, app: App, key: str) -> None:
        self._app = app
        self._key = key

    async def call(self, method: str, path: str, body: object = None, tenant: str = "default") -> Any:
        """The decoded answer. Raises RuntimeError if that is an error."""
        status, content = await self._send(method, path, body, tenant)
        if status >= 400:
            raise RuntimeError(f"{method} {path} was answered {status}: {content[:300]!r}")
        return msgspec.json.decode(content) if content else None

    async def answer(self, method: str, path: str) -> Any:
        """The decoded answer, an error too."""
        _, content = await self._send(method, path, None, "default")
        return msgspec.json.decode(content)

    async def metrics(self) -> dict[str, float]:
        """The metrics without labels."""
        _, content = await self._send("GET", "/metrics", None, "default")
        lines = (line.rsplit(" ", 1) for line in content.decode().splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines if "{" not in name}

    async def _send(self, method: str, path: str, body: object, tenant: str) -> tuple[int, bytes]:
        plain, _, query = path.partition("?")
        headers = [
            (b"authorization", f"Bearer {self._key}".encode()),
            (b"content-type", b"application/json"),
            (b"signalpost-tenant", tenant.encode()),
        ]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": plain,
            "raw_path": plain.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
        }
        sent = b"" if body is None else msgspec.json.encode(body)
        status, parts = 0, list[bytes]()

        async def receive() -> Message:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        return status, b"".join(parts)
