"""Takes up a key of the gateway that was rotated: if it is refused, it is read again where it is kept."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator
from typing import Final

import httpx

from signalpost_connect.config import Secret

UNKNOWN: Final = 401

log = logging.getLogger("signalpost_connect")


class RotatedKey(httpx.Auth):
    """Has every request made with the newest key that it knows. A request that was refused is made once more, if there
    is another key by then: a gateway does nothing for a key that it refuses."""

    def __init__(self, kept: Secret, key: str) -> None:
        """`key` is what was read from where it is kept."""
        self._kept = kept
        self._key = key

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        used = self._key
        response = yield _with_key(request, used)
        if response.status_code != UNKNOWN:
            return
        if self._key == used:  # else another request has read it meanwhile
            await asyncio.to_thread(self._read_again)
        if self._key != used:
            yield _with_key(request, self._key)

    def _read_again(self) -> None:
        try:
            found = self._kept.read()
        except ValueError as error:
            log.warning("gateway.key: %s", error)
            return
        if not re.fullmatch("[!-~]+", found):
            log.warning("gateway.key: what is there now cannot be a key.")
        elif found != self._key:
            log.info("gateway.key: the gateway refused the key; another one is there now, and is used")
            self._key = found


def _with_key(request: httpx.Request, key: str) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {key}"
    return request
