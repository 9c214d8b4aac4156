"""The application that a gateway serves: the API and the pages for people."""

import asyncio
from typing import Final

from signalpost.api.app import Api
from signalpost.api.http.problems import problem
from signalpost.api.http.request import Request
from signalpost.api.http.response import answer_to
from signalpost.api.routing.services import Services
from signalpost.console import ROOT
from signalpost.console.identity_provider import IdentityProvider
from signalpost.console.portal import ROOT as PORTAL
from signalpost.domain.errors import Unavailable
from signalpost.listener.application import App, ArrivingBody, Head, Steps

MAX_WAITING: Final = 32
"""How many may wait until the pages are loaded. Each holds a connection, and it is not known yet who they are."""
_CONSOLE_PATHS: Final = f"{ROOT}/"
_PORTAL_PATHS: Final = f"{PORTAL}/"
"""What the paths of pages begin with, once a slash is behind them."""
_PAGES: Final = (_CONSOLE_PATHS, _PORTAL_PATHS)


class PagesBesideApi:
    """Console and portal are loaded for their first page, because every start would wait for their template engine."""

    def __init__(
        self, api: Api, services: Services, provider: IdentityProvider | None, public_urls: tuple[str, ...]
    ) -> None:
        """`provider` is the one with which members may sign in. `public_urls` are the addresses at which browsers reach
        the gateway, if the operator named them."""
        self._api = api
        self._services = services
        self._provider = provider
        self._public_urls = public_urls
        self._pages: tuple[App, App] | None = None
        self._loading = asyncio.Lock()
        self._waiting = 0
        """How many wait until they are loaded."""

    def __call__(self, head: Head, body: ArrivingBody) -> Steps:
        path = f"{head.path.removeprefix(head.root_path)}/"
        return self._page(path, head, body) if path.startswith(_PAGES) else self._api(head, body)

    def _page(self, path: str, head: Head, body: ArrivingBody) -> Steps:
        pages = self._pages or (yield self._loaded())
        if pages is None:
            request = Request(head, body)
            soon = Unavailable("The pages are being loaded. Try again in a second.")
            return answer_to(problem(soon, request.id), request.id)
        console, portal = pages
        return (yield from (portal if path.startswith(_PORTAL_PATHS) else console)(head, body))

    async def _loaded(self) -> tuple[App, App] | None:
        """The pages, once they are loaded; None if too many wait for that already."""
        if self._waiting >= MAX_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._loading:
                if self._pages is None:
                    self._pages = await asyncio.to_thread(self._load)
        finally:
            self._waiting -= 1
        return self._pages

    def _load(self) -> tuple[App, App]:
        """The console and the portal."""
        from signalpost.console.app import Console
        from signalpost.console.portal.app import Portal

        console = Console(self._api, self._services, self._provider, self._public_urls)
        return console, Portal(self._api, self._services, console.templates, self._public_urls)
