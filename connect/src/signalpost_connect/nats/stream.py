"""Reads a stream of NATS JetStream by a durable consumer.

The number of a message in its stream is its version. What was taken and not acknowledged is held here, and handed out
first; the server sends it again only after `again_seconds`, and meanwhile what came later. So a reader that starts, and
finds that messages of the former one were not acknowledged, waits until it has all of those: no later state of a
document goes before an earlier one.

What is dead goes to a subject of its own with the reason, and is acknowledged once a stream has it there.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, ClassVar, Final

from msgspec import Meta, Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from signalpost_connect.config import Secret
from signalpost_connect.nats.servers import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    cause,
    connected,
    sentence,
    servers_of,
    stream_of,
)
from signalpost_connect.source import Batch, Message, Outcome, SourceAway, Verdict

LONGEST_PROBLEM: Final = 1000
MOST_HELD: Final = 1000


class NatsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Which stream, and where."""

    url: Secret
    """Refers to URLs, with commas between them: `tls://user:password@host:4222`."""
    stream: str
    dead_subject: str
    """The subject for what the gateway will never take. A stream of its own has to keep it."""
    subject: str | None = None
    """Which messages of the stream are read; all of them if this is not there."""
    consumer: str = "signalpost-connect"
    """The name of the durable consumer, which is made if it is not there."""
    credentials: str | None = None
    """A file with credentials of NATS."""
    again_seconds: Annotated[int, Meta(ge=1, le=3600)] = 30
    """After which time the server sends again what was not acknowledged."""


class Reading:
    """One connection, with what came by it and is not settled."""

    def __init__(self, client: Client, js: JetStreamContext, pull: JetStreamContext.PullSubscription) -> None:
        self.client = client
        self.js = js
        self.pull = pull
        self.dead_stream = ""
        self.held: dict[int, Msg] = {}
        """The messages, by their numbers in the stream."""

    async def fetch(self, most: int, seconds: float) -> None:
        """Hold what comes. A message that came before is the same one, with a later address for its acknowledgement."""
        with suppress(NothingCame):
            for message in await self.pull.fetch(most, timeout=max(seconds, 0.01)):
                self.held[message.metadata.sequence.stream] = message


class NatsStream:
    """Messages of one stream, and the subject for its dead ones."""

    api: ClassVar[int] = 1
    config: ClassVar[type[Struct]] = NatsConfig

    def __init__(self, config: NatsConfig) -> None:
        self._servers = servers_of(config.url)
        self._config = config
        self._reading: Reading | None = None

    async def take(self, most: int, seconds: float) -> Batch:
        """What is held, oldest first; if nothing is, what comes."""
        async with self._used() as reading:
            if not reading.held:
                await reading.fetch(most, seconds)
            numbers = sorted(reading.held)[:most]
            messages = [message_of(reading.held[number]) for number in numbers]
            sent = min((reading.held[number].metadata.timestamp.timestamp() for number in numbers), default=None)
        return Batch(messages, 0.0 if sent is None else max(0.0, time.time() - sent))

    async def settle(self, batch: Batch, verdicts: Sequence[Verdict]) -> None:
        """Move what is dead, acknowledge it and what is done, and hold the rest."""
        async with self._used() as reading:
            if any(int(each.id) not in reading.held for each in batch.messages):
                raise SourceAway("The connection was lost. What was read comes again.")
            dead = {int(each.id): verdict for each, verdict in zip(batch.messages, verdicts, strict=True)
                    if verdict.outcome is Outcome.DEAD}  # fmt: skip
            await asyncio.gather(*(self._bury(reading, *each) for each in dead.items()))
            done = [int(each.id) for each, verdict in zip(batch.messages, verdicts, strict=True)
                    if verdict.outcome is not Outcome.AGAIN]  # fmt: skip
            await asyncio.gather(*(reading.held[number].ack_sync(ANSWER_SECONDS) for number in done))
            for number in done:
                del reading.held[number]

    async def dead(self) -> int | None:
        """How many messages are on the subject of dead ones."""
        async with self._used() as reading:
            info = await reading.js.stream_info(reading.dead_stream, subjects_filter=self._config.dead_subject)
            counts: dict[str, int] = info.state.subjects or {}
            return sum(counts.values())

    async def close(self) -> None:
        """Close the connection. What was not settled comes again at once."""
        reading, self._reading = self._reading, None
        if reading is not None:
            with suppress(Error, OSError, TimeoutError):
                for message in reading.held.values():
                    await message.nak()
                await reading.client.flush(int(CONNECT_SECONDS))
            await reading.client.close()

    @asynccontextmanager
    async def _used(self) -> AsyncGenerator[Reading]:
        """The connection. After a failure it is closed."""
        try:
            if self._reading is None:
                self._reading = await self._connected()
            if not self._reading.client.is_connected:
                raise SourceAway("NATS closed the connection.")
            yield self._reading
        except TimeoutError as error:
            said = error if self._reading is None else cause(error, self._reading.client)
            await self.close()
            raise SourceAway(sentence(said)) from error
        except (Error, OSError) as error:
            await self.close()
            raise SourceAway(sentence(error)) from error
        except BaseException:
            await self.close()
            raise

    async def _connected(self) -> Reading:
        """Read by a new connection, and hold what the reader before had not acknowledged."""
        client = await connected(self._servers, self._config.credentials)
        try:
            js = client.jetstream(timeout=ANSWER_SECONDS)
            info = await self._consumer(js)
            pull = await js.pull_subscribe_bind(self._config.consumer, self._config.stream)
            reading = Reading(client, js, pull)
            reading.dead_stream = await self._dead_stream(js)
            while len(reading.held) < (info.num_ack_pending or 0):
                await reading.fetch(MOST_HELD, 1.0)
                info = await js.consumer_info(self._config.stream, self._config.consumer)
        except TimeoutError as error:
            await client.close()
            raise cause(error, client) from error
        except BaseException:
            await client.close()
            raise
        return reading

    async def _consumer(self, js: JetStreamContext) -> ConsumerInfo:
        """The consumer, which is made if it is not there."""
        try:
            found: ConsumerInfo = await js.consumer_info(self._config.stream, self._config.consumer)
        except NotFoundError:
            wanted = ConsumerConfig(
                durable_name=self._config.consumer,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=self._config.again_seconds,
                max_deliver=-1,
                max_ack_pending=MOST_HELD,
                filter_subject=self._config.subject,
            )
            found = await js.add_consumer(self._config.stream, wanted)
        return found

    async def _dead_stream(self, js: JetStreamContext) -> str:
        """The stream that keeps dead messages."""
        found = await stream_of(js, self._config.dead_subject)
        if found is None:
            raise SourceAway(f"No stream of NATS keeps the dead_subject {self._config.dead_subject}; make one.")
        if found == self._config.stream:
            raise SourceAway(
                f"The dead_subject {self._config.dead_subject} is of the stream that is read; name another."
            )
        return found

    async def _bury(self, reading: Reading, number: int, verdict: Verdict) -> None:
        """Send a message to the subject of dead ones, and wait until a stream has it."""
        held = reading.held[number]
        headers = {
            **(held.headers or {}),
            "problem": " ".join(verdict.problem[:LONGEST_PROBLEM].split()),
            "Nats-Msg-Id": f"{self._config.stream} {number}",  # if it comes twice, the stream drops the second
        }
        await reading.js.publish(self._config.dead_subject, held.data, timeout=ANSWER_SECONDS, headers=headers)


def message_of(given: Msg) -> Message:
    """The message that the stream has."""
    number = given.metadata.sequence.stream
    return Message(str(number), given.data, number, dict(given.headers or {}))
