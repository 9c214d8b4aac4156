"""How servers of NATS are reached, and what is said if they cannot be used."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from signalpost_connect.config import Secret
from signalpost_connect.tls import tls_context

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0


def servers_of(url: Secret) -> list[str]:
    """The URLs that a configuration refers to, with commas between them. Raises ValueError, which names the member."""
    try:
        servers = url.read().split(",")
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if not all(each.startswith(("nats://", "tls://")) for each in servers):
        raise ValueError("url: what it refers to is not a URL such as tls://user:password@host:4222.")
    return servers


async def connected(
    servers: Sequence[str], credentials: str | None, on_closed: Callable[[], Awaitable[None]] | None = None
) -> Client:
    """A connection that is not made again once it is lost. `credentials` is a file. Each server is tried twice: by
    itself, the client says only after two minutes that none is there."""
    return await nats.connect(
        list(servers),
        name="signalpost-connect",
        user_credentials=credentials,
        connect_timeout=int(CONNECT_SECONDS),
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0.5,
        closed_cb=on_closed,
        error_cb=_ignore,
        tls=tls_context(),
    )


async def stream_of(js: JetStreamContext, subject: str) -> str | None:
    """The stream that keeps the messages of a subject."""
    try:
        found: str = await js.find_stream_name_by_subject(subject)
    except NotFoundError:
        return None
    return found


def sentence(error: Exception) -> str:
    """What is told of an error."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"NATS: {said or type(error).__name__}."


async def _ignore(error: Exception) -> None:
    """What goes wrong is told by the call that fails."""
