"""The operator's proxy, through which every connection goes if `EGRESS_PROXY` names one.

The proxy is asked to CONNECT to an address that the guard has passed, never to a name: if it looked the name up itself,
the answer could be another one by then, and what the guard refuses would be called all the same. TLS is spoken with the
endpoint through the tunnel, so the certificate is checked against the endpoint's name, and the proxy reads nothing of
an https request but the name that TLS shows. A tunnel is pooled and resumed like any connection to its target.

The proxy itself is the operator's, so the guard does not judge its address. Everything that goes wrong before the
tunnel stands is `Failure.PROXY`: it says nothing of the endpoint. The endpoint speaks second, so a proxy that sends
anything behind the head of its answer is not understood.
"""

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from signalpost.domain.delivery.outcome import Failure
from signalpost.sender.addresses import Address, literal
from signalpost.sender.connection import Stage
from signalpost.sender.resolver import Names, addresses_of
from signalpost.sender.ways import DialFailed, Straight

MAX_HEAD_BYTES = 16 * 1024
"""Maximum size of the head of a proxy's answer."""
_END = b"\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")
_URL = re.compile(
    r"http://(?:(?P<user>[!-~]*?)@)?(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<host>[a-z0-9_.-]{1,253})):(?P<port>[0-9]{1,5})/?",
    re.IGNORECASE,
)


class EgressProxy(Struct, frozen=True):
    """The address of the proxy, and the credentials for it."""

    host: str
    port: int
    credentials: bytes | None = None
    """User and password, as Basic authentication writes them."""

    def __repr__(self) -> str:
        return f"EgressProxy({self.host!r}, {self.port})"


def parse_egress_proxy(text: str) -> EgressProxy:
    """Parse `EGRESS_PROXY`: `http://[user:password@]host:port`, both percent-encoded if they need it. Raises
    ValueError, whose message shows nothing of the text: there may be a password in it."""
    match = _URL.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536 or (match["v6"] and literal(match["v6"]) is None):
        raise ValueError("must be http://[user:password@]host:port")
    user = match["user"]
    return EgressProxy(
        host=(match["v6"] or match["host"]).lower(),
        port=int(match["port"]),
        credentials=None if user is None else b64encode(unquote_to_bytes(user)),
    )


class ThroughProxy:
    """The way of every connection if there is a proxy: see `Way`."""

    stage = Stage.TUNNELLING

    def __init__(self, proxy: EgressProxy, names: Names, seconds: float) -> None:
        """`seconds` is the time limit for a tunnel to one of an endpoint's addresses, the way to the proxy included."""
        self._proxy = proxy
        self._names = names
        self._seconds = seconds
        self._to_proxy = Straight(seconds / 2)

    async def open(self, addresses: Sequence[Address], port: int) -> socket.socket:
        failed = _failed("made no connection")
        for address in addresses:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._tunnel(address, port)
            except TimeoutError:
                failed = _failed(f"made no connection within {self._seconds:g} s")
            except DialFailed as error:
                failed = error
        raise failed

    async def _tunnel(self, address: Address, port: int) -> socket.socket:
        raw = await self._reach()
        try:
            await asyncio.get_running_loop().sock_sendall(raw, self._request(address, port))
            _check(await _answer(raw))
        except BaseException as error:
            raw.close()
            if isinstance(error, OSError):
                raise _failed("closed the connection before it answered") from None
            raise
        return raw

    async def _reach(self) -> socket.socket:
        """A connection to the proxy itself. Raises DialFailed, TimeoutError."""
        proxy = self._proxy
        try:
            return await self._to_proxy.open(await addresses_of(self._names, proxy.host, proxy.port), proxy.port)
        except TimeoutError:
            raise
        except OSError:
            raise _failed("has no address: its name could not be resolved") from None
        except DialFailed:
            raise _failed("cannot be reached") from None

    def _request(self, address: Address, port: int) -> bytes:
        authority = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1".encode(), f"host: {authority}".encode()]
        if self._proxy.credentials is not None:
            lines.append(b"proxy-authorization: Basic " + self._proxy.credentials)
        return b"\r\n".join(lines) + _END


async def _answer(raw: socket.socket) -> bytes:
    """The head of the proxy's answer and, if it sent more, what came with it."""
    loop = asyncio.get_running_loop()
    answer = b""
    while _END not in answer:
        received = await loop.sock_recv(raw, 4096)
        if not received:
            raise _failed("closed the connection before it answered")
        answer += received
        if len(answer) > MAX_HEAD_BYTES:
            raise _failed("sent an answer that is too long")
    return answer


def _check(answer: bytes) -> None:
    """Raises DialFailed unless this says that the tunnel stands, and nothing else."""
    head, _, more = answer.partition(_END)
    match = _STATUS_LINE.match(head + b"\r\n")
    if match is None:
        raise _failed("did not answer in HTTP")
    status = int(match[1])
    if status == 407:
        raise _failed("does not take the user and password that it was given (407)")
    if not 200 <= status < 300:
        raise _failed(f"answered {status} and made no connection")
    if more:
        raise _failed("sent more than its answer")


def _failed(what: str) -> DialFailed:
    return DialFailed(Failure.PROXY, f"The operator's egress proxy {what}.")
