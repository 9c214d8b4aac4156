"""The description of the API as its clients get it: for programs in OpenAPI, for people as a page."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from signalpost.api.http.request import Request
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.routing.route import OpenRoute, Route

_ALWAYS_CURRENT: Final = ("cache-control", "no-cache")
"""The header for what may change with the next version of the program."""
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page is one piece: it loads nothing, least of all from elsewhere."""


class _Documents(NamedTuple):
    openapi: Mapping[str, Any]
    page: bytes


class Description:
    """Made once, when a client first asks: that takes a tenth of a second, which a start can do without and the event
    loop cannot spare, so it happens on a thread. What it is made with is imported then, too."""

    def __init__(self, routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> None:
        self._routes = routes
        self._open_routes = open_routes
        self._making: asyncio.Future[_Documents] | None = None

    async def show_openapi(self, request: Request) -> Response:
        """The description for programs, which says where the API is mounted."""
        made = await self._made()
        servers = [{"url": request.head.root_path or "/"}]
        return Response(200, msgspec.json.encode({**made.openapi, "servers": servers}), (_ALWAYS_CURRENT,))

    async def show_page(self, _request: Request) -> Response:
        """The description for people."""
        headers = ((CONTENT_TYPE, "text/html; charset=utf-8"), ("content-security-policy", _PAGE_POLICY))
        return Response(200, (await self._made()).page, (*headers, _ALWAYS_CURRENT))

    async def _made(self) -> _Documents:
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make))
        return await asyncio.shield(self._making)  # the client that asked first may hang up

    def _make(self) -> _Documents:
        from signalpost.api.routing.docs_page import render
        from signalpost.api.routing.openapi import describe

        openapi = describe(self._routes, self._open_routes)
        return _Documents(openapi, render(openapi).encode())
