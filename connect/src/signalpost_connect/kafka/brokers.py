"""How brokers of Kafka are reached: addresses, TLS, a login, and what is said if they cannot be used."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import chain
from typing import Annotated, Any, Final, Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from msgspec import Meta, Struct

from signalpost_connect.config import Secret
from signalpost_connect.tls import tls_context

ANSWER_SECONDS: Final = 30.0
"""After so many seconds without an answer, the connections are given up, and made anew."""
_REQUEST_MILLISECONDS: Final = 10_000
STOP_SECONDS: Final = 5.0
_ADDRESS: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")

Topic = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,249}$")]
Name = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,200}$")]


class BrokersConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which brokers, and who asks."""

    servers: Annotated[list[str], Meta(min_length=1)]
    """Some of them, each as host:port; they name the others."""
    tls: bool = True
    ca_file: str | None = None
    """The authorities that the brokers' certificates are of; without it, those of the system."""
    certificate_file: str | None = None
    """A certificate for brokers that want one, with its chain."""
    key_file: str | None = None
    """The key of that certificate, without a password."""
    username: str | None = None
    password: Secret | None = None
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"


def arguments_of(config: BrokersConfig) -> Mapping[str, Any]:
    """What each client of Kafka is made with. Raises ValueError, which names the member."""
    if not all(_ADDRESS.fullmatch(each) for each in config.servers):
        raise ValueError("servers: each is host:port, such as kafka.example.com:9093.")
    tls = _tls(config)
    arguments: dict[str, Any] = {
        "bootstrap_servers": config.servers,
        "client_id": "signalpost-connect",
        "request_timeout_ms": _REQUEST_MILLISECONDS,
        "ssl_context": tls,
    }
    login = _login(config)
    protocol = {(False, False): "PLAINTEXT", (True, False): "SSL", (False, True): "SASL_PLAINTEXT"}
    return {**arguments, **login, "security_protocol": protocol.get((config.tls, bool(login)), "SASL_SSL")}


def _tls(config: BrokersConfig) -> ssl.SSLContext | None:
    files = {"ca_file": config.ca_file, "certificate_file": config.certificate_file, "key_file": config.key_file}
    if not config.tls:
        if given := [name for name, value in files.items() if value is not None]:
            raise ValueError(f"{given[0]}: it is of no use with tls = false.")
        return None
    if (config.certificate_file is None) != (config.key_file is None):
        raise ValueError("certificate_file: it goes with a key_file.")
    try:
        context = tls_context(config.ca_file)
    except OSError as error:  # of TLS as well
        raise ValueError(f"ca_file: {config.ca_file} cannot be read ({type(error).__name__}).") from None
    if config.certificate_file is not None and config.key_file is not None:
        try:
            context.load_cert_chain(config.certificate_file, config.key_file, password="")
        except OSError as error:
            raise ValueError(
                f"certificate_file: it and the key_file cannot be read, or do not belong together"
                f" ({type(error).__name__})."
            ) from None
    return context


def _login(config: BrokersConfig) -> Mapping[str, Any]:
    if (config.username is None) != (config.password is None):
        raise ValueError("password: it goes with a username.")
    if config.username is None or config.password is None:
        return {}
    if config.mechanism == "PLAIN" and not config.tls:
        raise ValueError("mechanism: PLAIN sends the password as it is, so it needs tls = true.")
    try:
        password = config.password.read()
    except ValueError as error:
        raise ValueError(f"password: {error}") from None
    return {
        "sasl_mechanism": config.mechanism,
        "sasl_plain_username": config.username,
        "sasl_plain_password": password,
    }


class TopicMissing(Exception):
    """A topic that the configuration names is not there."""


class Topics(NamedTuple):
    """What brokers say of topics."""

    admin: AIOKafkaAdminClient
    partitions: Mapping[str, int]
    """How many partitions each topic has."""

    def of(self, topic: str) -> Sequence[int]:
        """The numbers of a topic's partitions. Raises TopicMissing."""
        if topic not in self.partitions:
            raise TopicMissing(f"There is no topic {topic}, or the login may not see it.")
        return range(self.partitions[topic])


@asynccontextmanager
async def topics(arguments: Mapping[str, Any]) -> AsyncGenerator[Topics]:
    """Ask for all topics: a client that asks for one which is not there may have it made, with one partition."""
    admin = AIOKafkaAdminClient(**arguments)
    try:
        try:
            await admin.start()
        except KafkaConnectionError:
            await _try_one(arguments)
            raise
        found = await admin.describe_topics()
        yield Topics(admin, {each["topic"]: len(each["partitions"]) for each in found})
    finally:
        await admin.close()


async def _try_one(arguments: Mapping[str, Any]) -> None:
    """Raise what the first of the brokers makes of TLS and the login. A client only raises that it can use none."""
    given = dict(arguments)
    host, _, port = given.pop("bootstrap_servers")[0].rpartition(":")
    connection = await create_conn(host.strip("[]"), int(port), **given)
    connection.close()


@contextmanager
def raised_as(away: type[Exception]) -> Iterator[None]:
    """Raise another exception in place of what clients of Kafka raise, with a sentence for people."""
    try:
        yield
    except TopicMissing as error:
        raise away(str(error)) from None
    except TimeoutError as error:
        raise away("Kafka does not answer.") from error
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        raise away("Kafka: a connection ended.") from error
    except (KafkaError, OSError) as error:
        raise away(f"Kafka: {' '.join(str(error).split()) or type(error).__name__}.") from error


async def stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer. While its broker is away, it may stop halfway: it cancels a fetch of its own, and takes that
    for a cancellation of the caller. Its connections are closed all the same."""
    try:
        await consumer.stop()
    except (asyncio.CancelledError, KafkaError, OSError):
        await consumer._client.close()
        if _is_cancelled():
            raise


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer. While its brokers are away, it would wait until they have taken what it was given: then its
    connections are closed, and that is given up."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        given = producer._message_accumulator
        given.fail_all(KafkaConnectionError())
        for batch in [*chain(*given._batches.values()), *given._pending_batches]:
            batch._drain_waiter.exception()  # so that it is not logged as one that was missed
        sender = producer._sender.sender_task
        while sender is not None and not sender.done():  # the first time, it goes on to wait for its own tasks
            sender.cancel()
            await asyncio.wait([sender], timeout=0.1)
        await producer.client.close()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
