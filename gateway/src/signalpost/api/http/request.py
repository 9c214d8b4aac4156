"""Requests as the server hands them over (ASGI). Headers, query and body are decoded only when something asks."""

import os
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from signalpost.api.http.principals import Principal
from signalpost.domain.errors import CallerError, Unavailable, Unparseable
from signalpost.listener.source import Network, source_of
from signalpost.runtime.asgi import ARRIVED, REFUSAL, Receive, Scope
from signalpost.sharing.shares import Caller

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FORWARDED_FOR = b"x-forwarded-for"
_PASSED_ON = frozenset({b"forwarded", b"via", _FORWARDED_FOR, b"x-real-ip"})


class Request:
    """A request, and what was found out about it on its way to a handler."""

    __slots__ = (
        "_headers",
        "_receive",
        "_scope",
        "caller",
        "id",
        "is_timed",
        "large_body",
        "method",
        "path",
        "path_params",
        "principal",
        "route",
        "tenant",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.id = os.urandom(8).hex()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_params: dict[str, str]
        """The parameters in the path, under the names that the route table gives them."""
        self.route: str | None = None
        """The path as the route table has it, once one is found."""
        self.principal: Principal | None = None
        self.tenant: str | None = None
        self.caller: Caller | None = None
        """The caller whose share of the requests at work it has; None while it has none."""
        self.is_timed = False
        """What it takes of the event loop's time is measured, and counts against its tenant's share."""
        self.large_body: tuple[int, float] | None = None
        """How many bytes a large body had, and when it was read, by the event loop's clock."""
        self._scope = scope
        self._receive = receive
        # If a header is repeated, the first one counts.
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))

    def header(self, name: bytes) -> str | None:
        """`name` in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    def headers(self, name: bytes) -> list[str]:
        """The values of all headers of this name (in lower case), in their order."""
        return [value.decode("latin-1") for each, value in self._scope["headers"] if each == name]

    @property
    def peer(self) -> str | None:
        """The address of the other end of the connection, a client or a proxy; None if the server does not tell."""
        client = self._scope.get("client")
        return client[0] if client and client[0] else None

    def source(self, proxies: Sequence[Network]) -> str | None:
        """The client's own address, as far as these proxies vouch for it."""
        return source_of(self.peer, self.headers(_FORWARDED_FOR), proxies) if proxies else self.peer

    @property
    def raw_path(self) -> bytes:
        """The path as it came, with its escapes."""
        return self._scope.get("raw_path") or b""

    @property
    def root_path(self) -> str:
        """The path under which a program has mounted the API; empty where it has not."""
        path: str = self._scope.get("root_path", "")
        return path

    @property
    def own_path(self) -> str:
        """The path below the one under which a program has mounted the API."""
        return self.path.removeprefix(self._scope.get("root_path", ""))

    @property
    def query_string(self) -> bytes:
        query: bytes = self._scope["query_string"]
        return query

    def query(self) -> list[tuple[str, str]]:
        """The query's parameters in their order, repeated ones too."""
        query = self.query_string
        if not query:
            return []
        if b"%" in query or b"+" in query:
            return parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        pairs = [pair.partition("=") for pair in query.decode("latin-1").split("&") if pair]
        return [(name, value) for name, _, value in pairs]

    @property
    def refusal(self) -> CallerError | Unavailable | None:
        """Why the listener refused the request; None if it did not."""
        refusal: CallerError | Unavailable | None = self._scope.get(REFUSAL)
        return refusal

    @property
    def is_local(self) -> bool:
        """Whether it was sent on this machine, and not passed on by a proxy."""
        return not self._headers.keys() & _PASSED_ON and (self.peer is None or self.peer in _LOOPBACK)

    @property
    def has_arrived(self) -> bool:
        """Whether the whole body has arrived. False if the server does not tell."""
        arrived: Callable[[], bool] | None = self._scope.get(ARRIVED)
        return arrived is not None and arrived()

    async def part(self) -> tuple[bytes, bool]:
        """The next part of the body, and whether more follows. Raises Unparseable if the connection ends before
        that."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Unparseable("incomplete_body", "The body ended too early, or its chunks are malformed.")
        return message.get("body", b""), message.get("more_body", False)

    async def gone(self) -> None:
        """Wait until the client is gone. What it still sends is dropped."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
