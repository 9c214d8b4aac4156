"""Requests and answers as the server hands them over and takes them (ASGI).

Every request pays for what is here: nothing is decoded that nobody asks for.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from signalpost.api.http.principals import Principal
from signalpost.commands.overlay import Answer
from signalpost.domain.errors import Unparseable
from signalpost.runtime.asgi import ARRIVED, Receive, Scope, Send

CONTENT_TYPE: Final = "content-type"
_JSON: Final = (b"content-type", b"application/json")


class Request:
    """One request, and who turned out to have sent it."""

    __slots__ = ("_headers", "_receive", "_scope", "id", "method", "path", "path_params", "principal", "tenant")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.id = secrets.token_hex(8)
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_params: dict[str, str]
        """As the route table names them."""
        self.principal: Principal | None = None
        self.tenant: str | None = None
        self._scope = scope
        self._receive = receive
        # Of a header that is repeated the first counts.
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def header(self, name: bytes) -> str | None:
        """`name` in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def query_string(self) -> bytes:
        query: bytes = self._scope["query_string"]
        return query

    def query(self) -> list[tuple[str, str]]:
        """The parameters as they came, repeated ones too."""
        query = self.query_string
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True) if query else []

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body is here, as far as the server tells."""
        arrived: Callable[[], bool] | None = self._scope.get(ARRIVED)
        return arrived is not None and arrived()

    async def part(self) -> tuple[bytes, bool]:
        """Some more of the body, and whether there is yet more. Raises Unparseable where the connection ends first."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Unparseable("incomplete_body", "The body broke off, or its chunks are malformed.")
        return message.get("body", b""), message.get("more_body", False)


class Streamed(Struct, frozen=True):
    """An answer that goes out in parts, while the request may still come in."""

    parts: AsyncGenerator[bytes, None]
    headers: tuple[tuple[str, str], ...]
    status: int = 200


async def send_answer(answer: Answer | Streamed, request_id: str, send: Send) -> None:
    """A body is JSON unless the answer's headers say otherwise."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"request-id", request_id.encode()))
    if isinstance(answer, Streamed):
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await _send_parts(answer.parts, send)
        return
    if answer.status != 204:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    if answer.body and CONTENT_TYPE not in dict(answer.headers):
        headers.append(_JSON)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _send_parts(parts: AsyncGenerator[bytes, None], send: Send) -> None:
    # Cancelled here is, at a stop, the answer to a client that does not read.
    with suppress(asyncio.CancelledError):
        async with aclosing(parts):
            async for part in parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
