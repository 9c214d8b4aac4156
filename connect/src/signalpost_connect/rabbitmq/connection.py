"""How RabbitMQ is reached, and what is said if it cannot be used."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError

from signalpost_connect.config import Secret, is_url
from signalpost_connect.tls import tls_context

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
FAILURES: Final = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What the client of RabbitMQ raises if something goes wrong there or on the way."""


def url_of(url: Secret) -> str:
    """The URL that a configuration refers to. Raises ValueError, which names the member."""
    try:
        found = url.read()
    except ValueError as error:
        raise ValueError(f"url: {error}") from None
    if not is_url(found, "amqp", "amqps"):
        raise ValueError("url: what it refers to is not a URL such as amqps://user:password@host/vhost.")
    return found


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[AbstractConnection]:
    """A connection that is not made again once it is lost. If the block, which gets it ready, fails or takes too long,
    it is closed."""
    async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS):
        connection = await aio_pika.connect(url, timeout=CONNECT_SECONDS, ssl_context=tls_of(url))
        try:
            yield connection
        except BaseException:
            await close(connection)
            raise


def tls_of(url: str) -> ssl.SSLContext:
    """With the files that the URL's parameters name. Raises OSError."""
    asked = dict(parse_qsl(urlsplit(url).query))
    context = tls_context(asked.get("cafile"))
    if "certfile" in asked:
        context.load_cert_chain(asked["certfile"], asked.get("keyfile"))
    return context


@asynccontextmanager
async def closed_on_failure(
    close_all: Callable[[], Awaitable[None]], away: Callable[[str], Exception]
) -> AsyncGenerator[None]:
    """Close a connection if the block that uses it fails. Raises `away` with what is wrong at RabbitMQ."""
    try:
        yield
    except FAILURES as error:
        await close_all()
        raise away(sentence(error)) from error
    except BaseException:
        await close_all()
        raise


async def close(connection: AbstractConnection) -> None:
    """Close a connection, whatever state it is in."""
    with suppress(*FAILURES):
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.close()


def sentence(error: Exception) -> str:
    """What is told of an error."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"RabbitMQ: {said or type(error).__name__}."
