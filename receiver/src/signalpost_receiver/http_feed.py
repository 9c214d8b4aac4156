"""Reads a gateway's log of events over HTTP (`GET /v1/events`)."""

from __future__ import annotations

import http.client
import urllib.request
from urllib.parse import urlsplit

from .calls import Calls
from .decoding import decode
from .errors import ConfigError, FeedError, PayloadError
from .event import Json
from .feed import Page


class HttpFeed:
    """The log of a gateway at `url`, read with an API key of the role `subscriber` or `viewer`.

    The subscription's own event types need not be asked for: what has no handler is passed over.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = 10.0, limit: int = 100) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError("url must be the gateway's address, such as https://gateway.example.com")
        self._events = f"{url.rstrip('/')}/v1/events"
        self._key = key
        self._limit = limit
        self._gateway = Calls(timeout_s)

    def page(self, after: int) -> Page:
        """Ask for the page; if the gateway no longer keeps all of it, for the first page that it keeps."""
        status, answer = self._get(after)
        if status == 410:
            oldest = _number(answer, "oldest")
            status, answer = self._get(oldest - 1)
            return _page(status, answer, lost=oldest - 1 - after)
        return _page(status, answer, lost=0)

    def _get(self, after: int) -> tuple[int, Json]:
        address = f"{self._events}?after={after}&limit={self._limit}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {self._key}"})  # noqa: S310  # checked
        try:
            status, body = self._gateway.send(request)
            if status not in (200, 410):
                return status, None
            return status, decode(body)
        except PayloadError as error:
            raise FeedError(f"the answer is not the gateway's: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise FeedError(f"the gateway cannot be asked: {type(error).__name__}") from error


def _page(status: int, answer: Json, lost: int) -> Page:
    if status != 200:
        raise FeedError(f"the gateway answered {status}: is the key right, and may it read events?")
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise FeedError("the answer is not the gateway's: it has no data")
    entries = [(_number(entry, "sequence"), entry.get("event") if isinstance(entry, dict) else None) for entry in data]
    return Page(entries, _number(answer, "last"), lost)


def _number(answer: Json, name: str) -> int:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, int):
        raise FeedError(f"the answer is not the gateway's: it has no {name}")
    return value
