"""How servers of NATS are reached, and what is said if they cannot be used."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from signalpost_connect.config import Secret, is_url
from signalpost_connect.tls import tls_context

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0


def servers_of(url: Secret) -> list[str]:
    """The URLs that a configuration refers to, with commas between them. Raises ValueError, which names the member."""
    try:
        servers = url.read().split(",")
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if not all(is_url(each, "nats", "tls") for each in servers):
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
        **login_of(servers[0]),
        connect_timeout=int(CONNECT_SECONDS),
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0.5,
        closed_cb=on_closed,
        error_cb=_ignore,
        tls=tls_context(),
    )


def login_of(server: str) -> Mapping[str, str]:
    """How to log in with what a URL has: a user with a password, or a token in its place. The client would send them as
    they are written there, with `%2F` in place of a `/`."""
    parts = urlsplit(server)
    if parts.username is None:
        return {}
    if parts.password is None:
        return {"token": unquote(parts.username)}
    return {"user": unquote(parts.username), "password": unquote(parts.password)}


async def stream_of(js: JetStreamContext, subject: str) -> str | None:
    """The stream that keeps the messages of a subject."""
    try:
        found: str = await js.find_stream_name_by_subject(subject)
    except NotFoundError:
        return None
    return found


def cause(error: TimeoutError, client: Client) -> Exception:
    """Why a call was not answered. If a right is missing, the server says so beside the call, which goes on waiting."""
    return client.last_error or error


def sentence(error: Exception) -> str:
    """What is told of an error."""
    said = " ".join(str(error).split()).removeprefix("nats: ").rstrip(".")
    return f"NATS: {said or type(error).__name__}."


async def _ignore(error: Exception) -> None:
    """What goes wrong is told by the call that fails."""
