"""The emulator's own calls, below `/emulator`, in front of those of its gateway."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from signalpost import VERSION
from signalpost.api.http.problems import MEDIA_TYPE, problem
from signalpost.api.http.response import CONTENT_TYPE, Response, answer_to
from signalpost.domain import body
from signalpost.domain.errors import CallerError, MethodNotAllowed, NotFound, TooLarge, Unauthenticated, Unparseable
from signalpost.listener.application import ArrivingBody, BrokenBody, Head, Steps
from signalpost.local.emulator.bodies import EmptyBody, Expectation, Settling, Trigger
from signalpost.local.emulator.emulator import Emulator
from signalpost.local.emulator.inner_client import PassedOn

PREFIX: Final = "/emulator"
MAX_BODY: Final = 1024 * 1024


class _Call(NamedTuple):
    method: str
    body: type[body.Body]
    handle: Callable[[Any], Awaitable[Any]]


class Control:
    """An application: the emulator's own calls, and the gateway's."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._authorization = f"Bearer {emulator.key}"
        self._calls: Mapping[str, _Call] = {
            PREFIX: _Call("GET", EmptyBody, self._about),
            f"{PREFIX}/events": _Call("POST", Trigger, emulator.trigger),
            f"{PREFIX}/expect": _Call("POST", Expectation, self._expect),
            f"{PREFIX}/settle": _Call("POST", Settling, self._settle),
            f"{PREFIX}/reset": _Call("POST", EmptyBody, self._reset),
        }

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        """Answer a call of the emulator, or pass it on to the gateway."""
        if head.path != PREFIX and not head.path.startswith(f"{PREFIX}/"):
            return (yield from self._emulator.app(head, body))
        request_id = secrets.token_hex(8)
        try:
            response = Response(200, json.dumps((yield self._answer(head, body))).encode())
        except PassedOn as refusal:
            status, raw = refusal.answered
            response = Response(status, raw, ((CONTENT_TYPE, MEDIA_TYPE),))
        except CallerError as error:
            response = problem(error, request_id)
        return answer_to(response, request_id)

    async def _answer(self, head: Head, content: ArrivingBody) -> Any:
        call = self._calls.get(head.path)
        if call is None:
            raise NotFound("route_not_found", f"The emulator's calls are {', '.join(self._calls)}.")
        if head.method != call.method:
            raise MethodNotAllowed((call.method,))
        if head.named.get(b"authorization") != self._authorization:
            raise Unauthenticated("unauthenticated", "Send the emulator's key as Authorization: Bearer …")
        raw = await _read(content)
        try:
            given = json.loads(raw) if raw else {}
        except (ValueError, RecursionError):
            raise Unparseable("invalid_json", "The body must be JSON.") from None
        return await call.handle(body.read(call.body, given))

    async def _about(self, _nothing: EmptyBody) -> dict[str, Any]:
        return {"emulator": True, "version": VERSION}

    async def _expect(self, expected: Expectation) -> dict[str, Any]:
        return {"deliveries": await self._emulator.expect(expected)}

    async def _settle(self, asked: Settling) -> dict[str, Any]:
        await self._emulator.settle(asked)
        return {"settled": True}

    async def _reset(self, _nothing: EmptyBody) -> dict[str, Any]:
        await self._emulator.reset()
        return {"reset": True}


async def _read(content: ArrivingBody) -> bytes:
    parts, more = bytearray(), True
    while more:
        try:
            part, more = await content.part()
        except BrokenBody:
            raise Unparseable("incomplete_body", "The body ended too early.") from None
        parts += part
        if len(parts) > MAX_BODY:
            raise TooLarge("body_too_large", f"A body can have at most {MAX_BODY} bytes.")
    return bytes(parts)
