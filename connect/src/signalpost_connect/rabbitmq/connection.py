"""How RabbitMQ is reached, and what is said if it cannot be used."""

import asyncio
import ssl
from contextlib import suppress
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


async def connected(url: str) -> AbstractConnection:
    """A connection that is not made again once it is lost."""
    return await aio_pika.connect(url, timeout=CONNECT_SECONDS, ssl_context=tls_of(url))


def tls_of(url: str) -> ssl.SSLContext:
    """With the files that the URL's parameters name. Raises OSError."""
    asked = dict(parse_qsl(urlsplit(url).query))
    context = tls_context(asked.get("cafile"))
    if "certfile" in asked:
        context.load_cert_chain(asked["certfile"], asked.get("keyfile"))
    return context


async def close(connection: AbstractConnection) -> None:
    """Close a connection, whatever state it is in."""
    with suppress(*FAILURES):
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.close()


def sentence(error: Exception) -> str:
    """What is told of an error."""
    said = " ".join(str(error).split()).rstrip(".")
    return f"RabbitMQ: {said or type(error).__name__}."
