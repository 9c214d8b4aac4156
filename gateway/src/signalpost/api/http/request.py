"""Requests as the listener hands them over. Headers, query and body are decoded only when something asks."""

import os
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from signalpost.api.guards.principals import Principal
from signalpost.domain.errors import Unparseable
from signalpost.listener.application import ArrivingBody, BrokenBody, Head
from signalpost.listener.source import Network, source_of
from signalpost.sharing.shares import Caller

TRACEPARENT: Final = b"traceparent"
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FORWARDED_FOR = b"x-forwarded-for"
_PASSED_ON = frozenset({b"forwarded", b"via", _FORWARDED_FOR, b"x-real-ip"})


class Request:
    """A request, and what was found out about it on its way to a handler."""

    __slots__ = (
        "_query",
        "body",
        "caller",
        "has_room",
        "head",
        "header",
        "id",
        "is_timed",
        "large_body",
        "method",
        "own_path",
        "path",
        "path_params",
        "principal",
        "refused_body_seconds",
        "route",
        "tenant",
    )

    def __init__(self, head: Head, body: ArrivingBody, query: Sequence[tuple[str, str]] = ()) -> None:
        """`query` has the parameters of a call from within, of which none are in its head."""
        self.id = os.urandom(8).hex()
        self.head = head
        self.header: Callable[[bytes], str | None] = head.named.get
        """The value of the header with a name, which is given in lower case; None if there is none."""
        self.body = body
        self._query = query
        self.method = head.method
        self.path = head.path
        self.own_path = head.path.removeprefix(head.root_path)
        """The path below the one under which a program has mounted the API."""
        self.path_params: dict[str, str]
        """The parameters in the path, under the names that the route table gives them."""
        self.route: str | None = None
        """The path as the route table has it, once one is found."""
        self.principal: Principal | None = None
        self.tenant: str | None = None
        self.caller: Caller | None = None
        """The caller whose share of the requests at work it has; None while it has none."""
        self.has_room = False
        """Whether it has room for a large answer."""
        self.is_timed = False
        """What it takes of the event loop's time is measured, and counts against its tenant's share."""
        self.large_body: tuple[int, float] | None = None
        """How many bytes a large body had, and when it was read, by the event loop's clock."""
        self.refused_body_seconds = 0.0
        """How much of the event loop's time a body took that was refused, or that another thread had to read."""

    @property
    def span(self) -> bytes:
        """The id of the span of the request, if that is traced."""
        return bytes.fromhex(self.id)

    def headers(self, name: bytes) -> list[str]:
        """The values of all headers of this name (in lower case), in their order."""
        return [value.decode("latin-1") for each, value in self.head.headers if each == name]

    def source(self, proxies: Sequence[Network]) -> str | None:
        """The client's own address, as far as these proxies vouch for it."""
        client = self.head.client
        return source_of(client, self.headers(_FORWARDED_FOR), proxies) if proxies else client

    def query(self) -> Sequence[tuple[str, str]]:
        """The query's parameters in their order, repeated ones too."""
        query = self.head.query
        if not query:
            return self._query
        if b"%" in query or b"+" in query:
            return parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        pairs = [pair.partition("=") for pair in query.decode("latin-1").split("&") if pair]
        return [(name, value) for name, _, value in pairs]

    @property
    def is_local(self) -> bool:
        """Whether it was sent on this machine, and not passed on by a proxy."""
        return not self.head.named.keys() & _PASSED_ON and (self.head.client is None or self.head.client in _LOOPBACK)

    async def part(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether more follows. Raises Unparseable if the connection ends before
        that."""
        try:
            return await self.body.part()
        except BrokenBody:
            broken = "The body ended too early, or its chunks are malformed."
            raise Unparseable("incomplete_body", broken) from None
