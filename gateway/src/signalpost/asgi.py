"""An application as ASGI servers and frameworks call it: for programs that mount a gateway, or serve it themselves."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from signalpost.listener.application import App, BrokenBody, Head, answer_of, send_body

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Asgi:
    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"Signalpost answers HTTP requests, no {scope['type']}.")
        answer = await answer_of(self._app(_head(scope), _Body(receive)))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]

        async def send_part(part: bytes, *, is_last: bool) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": not is_last})

        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send_body(answer, send_part)
        finally:
            if answer.at_end is not None:
                answer.at_end()


class _Body:
    """See `listener.application.ArrivingBody`. A server does not tell whether all of a body has arrived."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    def whole(self) -> bytes | None:
        return None

    async def part(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise BrokenBody
        return message.get("body", b""), message.get("more_body", False)

    async def gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _head(scope: Scope) -> Head:
    client = scope.get("client")
    given = dict(reversed([*scope["headers"]]))
    length = given.pop(b"content-length", b"")
    return Head(
        method=scope["method"],
        path=scope["path"],
        raw_path=scope.get("raw_path") or b"",
        query=scope["query_string"],
        headers=[each for each in scope["headers"] if each[0] != b"content-length"],
        named={name: value.decode("latin-1") for name, value in given.items()},
        length=int(length) if length.isdigit() else None,
        client=client[0] if client and client[0] else None,
        scheme=scope.get("scheme", ""),
        root_path=scope.get("root_path", ""),
    )
