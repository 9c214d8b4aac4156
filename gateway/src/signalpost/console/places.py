"""Places at work for pages: a visitor who has one open, or sends a form, holds a share of the requests at work, as
every call of the API does.

    request ──▶ a share of its address ──session found──▶ a share of who is signed in ──▶ answer sent, nothing held

A place is taken before anything is read of a body. So a visitor without a session holds no more than strangers may all
together, however slowly their forms arrive.
"""

from typing import Final

from msgspec.structs import replace

from signalpost.api.guards.callers import caller_of, stranger
from signalpost.api.guards.principals import Principal
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.services import Services
from signalpost.console.replies import MOUNT, EarlyReply, Replies
from signalpost.sharing.shares import NOBODY, Caller

_RETRY_AFTER: Final = ("retry-after", "1")


class Places:
    def __init__(self, services: Services, replies: Replies) -> None:
        self._limits = services.limits
        self._proxies = services.installation.trusted_proxies
        self._replies = replies
        self._refusals: dict[str, Response] = {}
        """The page for those who have too many places, by where the gateway is mounted. Hundreds may get it at once, so
        it is drawn only once."""

    async def take(self, request: Request) -> None:
        """Take a place for a request of which only the address is known. Raises EarlyReply if there is none."""
        await self._take(request, stranger(request.source(self._proxies)))

    async def know(self, request: Request, who: Principal) -> None:
        """Count a request's place as that of a person who is signed in. Raises EarlyReply if they have too many."""
        self.leave(request)
        request.principal = who
        await self._take(request, caller_of(who, NOBODY if who.tenant_id is None else who.tenant_id))

    async def pay(self, request: Request, seconds: float) -> None:
        """Delay an answer that took `seconds` of the event loop's time, so that its group stays within its share."""
        if request.caller is not None:
            await self._limits.loop.pay(request.caller, seconds)

    def leave(self, request: Request) -> None:
        """Give back the place of a request, if it has one."""
        if request.caller is not None:
            self._limits.at_work.give_back(request.caller)
            request.caller = None

    async def _take(self, request: Request, caller: Caller) -> None:
        if not self._limits.at_work.take(caller):
            await self._limits.over_share.turn()
            raise EarlyReply(self._refusal())
        request.caller = caller

    def _refusal(self) -> Response:
        mount = MOUNT.get()
        if mount not in self._refusals:
            detail = "Too many pages and forms of yours are under way. Try again in a moment."
            page = self._replies.error(429, "Too much at once", detail)
            self._refusals[mount] = replace(page, headers=(*page.headers, _RETRY_AFTER))
        return self._refusals[mount]
