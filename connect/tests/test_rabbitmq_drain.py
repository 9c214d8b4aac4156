"""Events of a real gateway in a queue of a real RabbitMQ: what every sink promises, and what is RabbitMQ's own."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.rabbitmq_broker import QUORUM, Broker, aio_pika, broker, needs_broker
from connect.tests.sink_rig import entry, written

from signalpost_connect.config import Secret
from signalpost_connect.rabbitmq.sink import RabbitSink, RabbitSinkConfig
from signalpost_connect.sink import Sink, SinkAway
from signalpost_connect.testing import SinkConformance, SinkMessage

__all__ = ["broker"]
pytestmark = needs_broker
READ_AT_ONCE = 500


class Exchange:
    """An exchange of a test, and a queue that is bound to it."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.name = f"events-{uuid.uuid4()}"
        self.secret = folder / "rabbitmq-url"
        self.secret.write_text(broker.url)
        self._read: list[Any] = []

        async def declare(channel: Any) -> None:
            await channel.declare_exchange(self.name, aio_pika.ExchangeType.TOPIC, durable=True)

        broker.do(declare)
        self.bind("#")

    def bind(self, pattern: str, **arguments: Any) -> None:
        async def bind(channel: Any) -> None:
            queue = await channel.declare_queue(self.name, durable=True, arguments={**QUORUM, **arguments})
            await queue.bind(self.name, pattern)

        self.broker.do(bind)

    def unbind(self, pattern: str) -> None:
        async def unbind(channel: Any) -> None:
            queue = await channel.declare_queue(self.name, passive=True)
            await queue.unbind(self.name, pattern)

        self.broker.do(unbind)

    def sink(self) -> RabbitSink:
        return RabbitSink(RabbitSinkConfig(url=Secret(file=str(self.secret)), exchange=self.name, name=self.name))

    def messages(self) -> Sequence[Any]:
        """All that was ever in the queue, in the order of the queue. To get and acknowledge one after the other would
        have a quorum queue write to its disk twice for each."""

        async def read(channel: Any) -> None:
            queue = await channel.declare_queue(self.name, passive=True)
            left = queue.declaration_result.message_count
            arrived = asyncio.Queue[Any]()
            await channel.set_qos(prefetch_count=READ_AT_ONCE)
            await queue.consume(arrived.put)
            while left:
                part = [await arrived.get() for _ in range(min(left, READ_AT_ONCE))]
                await part[-1].ack(multiple=True)
                self._read += part
                left -= len(part)

        self.broker.do(read)
        return self._read


@pytest.fixture
def exchange(broker: Broker, tmp_path: Path) -> Exchange:
    return Exchange(broker, tmp_path)


class TestRabbitSink(SinkConformance):
    writes_once = False

    @pytest.fixture(autouse=True)
    def _given(self, exchange: Exchange, gateway: FedGateway) -> None:
        self.exchange = exchange
        self.server = exchange.broker
        self.gateway = gateway
        asyncio.run(self._declared())
        for queue in (exchange.name, f"signalpost-connect cursor {exchange.name}"):
            exchange.broker.until_kept(queue)

    async def _declared(self) -> None:
        sink = self.sink()
        await sink.cursor()
        await sink.close()

    def sink(self) -> Sink:
        return self.exchange.sink()

    def table(self) -> str:
        return (
            f'kind = "rabbitmq"\nurl = {{ file = "{self.exchange.secret}" }}\nexchange = "{self.exchange.name}"\n'
            f'name = "{self.exchange.name}"\n'
        )

    def read(self) -> Sequence[SinkMessage]:
        return [
            SinkMessage(each.message_id, each.headers["cloudEvents_subject"], each.body)
            for each in self.exchange.messages()
        ]


def ids(exchange: Exchange) -> Sequence[str]:
    return [each.message_id for each in exchange.messages()]


def test_a_message_has_the_id_of_the_event_and_the_headers_of_cloud_events(exchange: Exchange) -> None:
    wanted = entry(7, "d")
    asyncio.run(written(exchange.sink(), [wanted]))
    [message] = exchange.messages()
    assert (message.message_id, message.type, message.routing_key) == (wanted.id, wanted.type, wanted.type)
    assert (message.body, message.content_type) == (wanted.body, "application/json")
    assert message.timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert {name: value for name, value in message.headers.items() if not name.startswith("x-")} == {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": wanted.id,
        "cloudEvents_source": "signalpost",
        "cloudEvents_type": wanted.type,
        "cloudEvents_time": wanted.created_at,
        "cloudEvents_subject": "d",
        "cloudEvents_sequence": "7",
    }


def test_the_cursor_is_kept_however_often_it_is_read(exchange: Exchange) -> None:
    """RabbitMQ drops what was put back too often: 20 times, from version 4 on."""

    async def read() -> list[int | None]:
        await written(exchange.sink(), [entry(1), entry(2)])
        sink = exchange.sink()
        try:
            return [await sink.cursor() for _ in range(30)]
        finally:
            await sink.close()

    assert asyncio.run(read()) == [2] * 30


def test_of_two_cursors_the_higher_one_counts(exchange: Exchange) -> None:
    """A process was killed after it wrote the cursor that it read, and before it took the former away."""

    async def crash() -> int | None:
        await written(exchange.sink(), [entry(1), entry(2)])
        killed, sink = exchange.sink(), exchange.sink()
        killed._writing = await killed._connected()
        assert await killed._writing.cursors.get() is not None
        await killed._keep_cursor(killed._writing, 2)
        await killed.close()
        try:
            return await sink.cursor()
        finally:
            await sink.close()

    assert asyncio.run(crash()) == 2


def test_what_was_confirmed_before_a_crash_comes_again_under_its_id(exchange: Exchange) -> None:
    """A process was killed between the events and the cursor."""
    log = [entry(number) for number in range(1, 5)]

    async def crash() -> None:
        sink = exchange.sink()
        await sink.cursor()
        await sink.write(log[:1])
        assert sink._writing is not None
        await sink._publish(sink._writing, log[1:3])
        await sink.close()

    asyncio.run(crash())
    assert asyncio.run(written(exchange.sink(), log[1:])) == 1
    one, two, three, four = (each.id for each in log)
    assert ids(exchange) == [one, two, three, two, three, four]


def test_a_second_process_is_refused_until_the_first_is_gone(exchange: Exchange) -> None:
    async def both() -> int | None:
        first = exchange.sink()
        await first.cursor()
        with pytest.raises(SinkAway, match=f"Another process writes as {exchange.name}"):
            await exchange.sink().cursor()
        await first.write([entry(1)])
        await first.close()
        return await written(exchange.sink(), [entry(2)])

    assert asyncio.run(both()) == 1


def test_an_event_that_no_queue_gets_stops_it_and_those_before_are_done(exchange: Exchange) -> None:
    log = [entry(1, "a"), entry(2, "b")._replace(type="documentDeleted"), entry(3, "c")]
    exchange.unbind("#")
    exchange.bind("documentUpdated")
    with pytest.raises(SinkAway, match=f"of the type documentDeleted from the exchange {exchange.name}; bind one"):
        asyncio.run(written(exchange.sink(), log))
    exchange.bind("documentDeleted")
    assert asyncio.run(written(exchange.sink(), log[1:])) == 1
    assert ids(exchange) == [log[0].id, log[2].id, log[1].id, log[2].id]


def test_a_queue_that_is_full_and_refuses_is_said(exchange: Exchange) -> None:
    """A quorum queue takes some more after it is full, until who publishes has learned of it."""

    async def declare(channel: Any) -> None:
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue(f"{exchange.name} full", durable=True, arguments={**QUORUM, **limits})
        await queue.bind(exchange.name, "#")

    exchange.broker.do(declare)

    async def write_on() -> None:
        for first in range(1, 2000, 40):
            await written(exchange.sink(), [entry(each, f"d{each}") for each in range(first, first + 40)])

    with pytest.raises(SinkAway, match=r"refuses events\. Is it full\?"):
        asyncio.run(write_on())


def test_what_is_missing_is_said_without_the_secret(exchange: Exchange) -> None:
    def said() -> str:
        with pytest.raises(SinkAway) as raised:
            asyncio.run(exchange.sink().cursor())
        return str(raised.value)

    exchange.name = "missing"
    assert "no exchange 'missing'" in said()
    exchange.secret.write_text(exchange.broker.url.replace("guest@", "hunter2@"))
    refused = said()
    assert "Login was refused" in refused
    assert "hunter2" not in refused
