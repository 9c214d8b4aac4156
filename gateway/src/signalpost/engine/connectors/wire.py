"""Calls as requests that a transport sends, and outcomes as the replies that a kind reads."""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias
from urllib.parse import urlencode

import msgspec
from msgspec import UNSET

from signalpost import VERSION
from signalpost.destinations.access import RequestToSign
from signalpost.destinations.calls import Call, Reply
from signalpost.domain import endpoint
from signalpost.domain.checks import Bad
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingRequest
from signalpost.sender.transport import Transport

MAX_REQUEST_BYTES: Final = 1024 * 1024
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_VALUE = re.compile(r"[ -~]{0,8192}")
_OWN = frozenset(
    {"host", "user-agent", "content-length", "transfer-encoding", "connection", "authorization", "accept-encoding"}
)
_ANSWERED = (None, Failure.STATUS, Failure.REDIRECT)
"""The failures of attempts that got a complete answer."""


class Impossible(Exception):
    """A call cannot be made as it is. The message is a sentence for people."""


Sign: TypeAlias = Callable[[RequestToSign], Mapping[str, str]]
"""Gives the headers that sign a request, as it goes out now."""


def request_of(
    call: Call,
    authorization: str | None,
    origins: Collection[str],
    seconds: float,
    tenant_id: int,
    sign: Sign | None = None,
) -> OutgoingRequest:
    """The request of a call. `authorization` is the value of that header, if it has one; whatever has to be waited for,
    such as a look-up of the host's name, is the tenant's. Raises Impossible if the call goes to none of the origins, or
    cannot be written as it is."""
    try:
        url = endpoint.parse_url(call.url)
    except Bad as bad:
        raise Impossible(f"The call's address cannot be used. {bad.detail}") from None
    authority = url.authority
    origin = f"{url.target.scheme}://{authority}"
    if origin not in origins:
        raise Impossible(f"The call goes to {origin}, which is none of the connection's origins.")
    content_type, body = _body(call)
    headers = {"accept": "application/json", **content_type}
    for name, value in call.headers.items():
        headers[_header_name(name)] = header_value(name, value)
    if authorization is not None:
        headers["authorization"] = header_value("authorization", authorization)
    if sign is not None and call.authorised:
        headers |= _signature(sign, RequestToSign(call.method, url.path, {"host": authority, **headers}, body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"{call.method} {url.path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: Signalpost/{VERSION}\r\n"
        f"accept-encoding: identity\r\n{lines}content-length: {len(body)}\r\n\r\n"
    )
    return OutgoingRequest(url.target, head.encode("ascii"), body, keeps=True, seconds=seconds, holder=tenant_id)


def _signature(sign: Sign, request: RequestToSign) -> Mapping[str, str]:
    try:
        signature = sign(request)
    except Exception as error:  # it may come from any package, and what it says may hold a secret
        raise Impossible(f"The call could not be signed: {type(error).__name__}.") from error
    return {_signed_name(name): header_value(name, value) for name, value in signature.items()}


def _signed_name(name: str) -> str:
    return "authorization" if name.lower() == "authorization" else _header_name(name)


def _body(call: Call) -> tuple[Mapping[str, str], bytes]:
    if call.form is not UNSET:
        return {"content-type": "application/x-www-form-urlencoded"}, urlencode(call.form).encode()
    if call.json is UNSET:
        return {}, b""
    try:
        body = msgspec.json.encode(call.json)
    except (TypeError, ValueError, RecursionError):
        raise Impossible("The call's body cannot be written as JSON.") from None
    if len(body) > MAX_REQUEST_BYTES:
        raise Impossible(f"The call's body has more than {MAX_REQUEST_BYTES} bytes.")
    return {"content-type": "application/json"}, body


def _header_name(name: str) -> str:
    lowered = name.lower()
    if not _NAME.fullmatch(name) or lowered in _OWN:
        raise Impossible(f"The call cannot set the header {name[:128]!r}.")
    return lowered


def header_value(name: str, value: str) -> str:
    """Let a value through that a header can have. Raises Impossible."""
    if not _VALUE.fullmatch(value):
        raise Impossible(f"The value of the call's header {name} is not printable ASCII, or too long.")
    return value


def reply_of(outcome: Outcome) -> Reply | None:
    """What was answered; None if no whole answer came."""
    if outcome.status is None or outcome.failure not in _ANSWERED:
        return None
    lines = (line.partition(":") for line in outcome.head.decode("latin-1").split("\r\n")[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in lines}
    return Reply(status=outcome.status, headers=headers, body=outcome.answer)


class VendorTransport:
    """The transport of connectors: once it is stopped, every further call ends as one that was cut."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stopped = False

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        """See `Transport`."""
        if self._stopped:
            cut = Outcome(failure=Failure.INTERRUPTED, detail="Signalpost was shut down before the call was made.")
            asyncio.get_running_loop().call_soon(done, cut)
        else:
            self._transport.send(request, done)

    def stop(self) -> None:
        """Let no further call out."""
        self._stopped = True
