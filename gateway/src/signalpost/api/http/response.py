"""Responses as handlers make them, and what the listener sends of them."""

from collections.abc import AsyncGenerator, Callable
from typing import Final, Generic, TypeVar

from msgspec import Struct

from signalpost.listener.application import Answer, Turn, next_round

CONTENT_TYPE: Final = "content-type"
_SAFE: Final = (("x-content-type-options", "nosniff"), ("cache-control", "no-store"))
"""Unless a response says otherwise, browsers take it for what it says it is, and neither they nor proxies keep it:
nearly all hold something that is not for others, such as a document, a download link or a secret."""
_SAFE_NAMES: Final = dict(_SAFE).keys()
_JSON: Final = ("content-type", "application/json")
Shown = TypeVar("Shown", bound=Struct)


class Json(Struct, Generic[Shown], frozen=True):
    """What a call shows, encoded already: made entry by entry, on another thread, or once for all who ask."""

    body: bytes


class Response(Struct, frozen=True):
    """A response whose whole body is known."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class StreamedResponse(Struct, frozen=True):
    """A response that goes out in parts, while the request may still come in."""

    parts: AsyncGenerator[bytes, None]
    headers: tuple[tuple[str, str], ...]
    status: int = 200
    at_end: Callable[[], None] | None = None
    """Called when the answer is over, even if nothing could be sent."""


def answer_to(
    response: Response | StreamedResponse,
    request_id: str,
    turn: Turn = next_round,
    at_end: Callable[[], None] | None = None,
) -> Answer:
    """A response as the listener sends it. Its body is JSON unless its headers say otherwise. See `Answer` for `turn`
    and `at_end`."""
    given = dict(response.headers)
    safe = [each for each in _SAFE if each[0] not in given] if given.keys() & _SAFE_NAMES else _SAFE
    headers = (*response.headers, *safe, ("request-id", request_id))
    if isinstance(response, StreamedResponse):
        return Answer(response.status, headers, response.parts, turn, _both(response.at_end, at_end))
    body = response.body
    if response.status != 204:
        headers = (*headers, ("content-length", str(len(body))))
    if body and CONTENT_TYPE not in given:
        headers = (*headers, _JSON)
    return Answer(response.status, headers, body, turn, at_end)


def _both(first: Callable[[], None] | None, then: Callable[[], None] | None) -> Callable[[], None] | None:
    if first is None or then is None:
        return first or then

    def both() -> None:
        try:
            first()
        finally:
            then()

    return both
