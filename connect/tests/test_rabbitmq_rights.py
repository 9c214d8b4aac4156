"""The rights that the guide for RabbitMQ names are enough for both directions, and one that is missing is said."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from connect.tests.feeding import changes
from connect.tests.rabbitmq_broker import QUORUM, Broker, aio_pika, broker, needs_broker
from connect.tests.sink_rig import entry, written
from connect.tests.source_rig import run_source
from connect.tests.test_guide import ROOT, blocks

from signalpost_connect import APPLIED, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.rabbitmq.queue import RabbitConfig, RabbitQueue
from signalpost_connect.rabbitmq.sink import RabbitSink, RabbitSinkConfig
from signalpost_connect.sink import SinkAway

__all__ = ["broker"]
pytestmark = needs_broker
GUIDE = (ROOT / "docs" / "guides" / "rabbitmq.md").read_text(encoding="utf-8")
RIGHTS = [each for each in blocks(GUIDE, "sh") if "set_permissions" in each]


@pytest.fixture(scope="module", autouse=True)
def _rights(broker: Broker) -> None:
    """What the guide declares, and the users that it makes."""

    async def declare(channel: Any) -> None:
        for name in ("contracts", "contracts-dead", "billing"):
            await channel.declare_queue(name, durable=True, arguments=QUORUM)
        await channel.declare_exchange("contract-events", aio_pika.ExchangeType.TOPIC, durable=True)
        await (await channel.get_queue("billing")).bind("contract-events", "#")

    broker.do(declare)
    assert len(RIGHTS) == 2
    broker.run("".join(RIGHTS))


def secret(broker: Broker, folder: Path, user: str) -> Secret:
    (folder / "url").write_text(broker.url_for(user, "PASSWORD"))
    return Secret(file=str(folder / "url"))


def test_the_reader_needs_no_more_rights_and_says_which_one_it_lacks(broker: Broker, tmp_path: Path) -> None:
    async def publish(channel: Any) -> None:
        for each in changes("one", "two"):
            await channel.default_exchange.publish(aio_pika.Message(json.dumps(each.line).encode()), "contracts")

    async def read(source: RabbitQueue) -> int | None:
        while len((batch := await source.take(10, 5)).messages) < 2:
            pass
        await source.settle(batch, [dead("No title."), APPLIED])
        return await source.dead()

    def source(queue: str) -> RabbitQueue:
        return RabbitQueue(RabbitConfig(secret(broker, tmp_path, "signalpost_connect"), queue, "contracts-dead"))

    broker.do(publish)
    assert run_source(source("contracts"), read) == 1
    with pytest.raises(SourceAway, match=r"ACCESS_REFUSED - .*'billing'.*signalpost_connect"):
        run_source(source("billing"), read)


def test_the_drain_needs_no_more_rights_and_says_which_one_it_lacks(broker: Broker, tmp_path: Path) -> None:
    def sink(exchange: str) -> RabbitSink:
        url = secret(broker, tmp_path, "signalpost_drain")
        return RabbitSink(RabbitSinkConfig(url=url, exchange=exchange, name="contract-events"))

    assert asyncio.run(written(sink("contract-events"), [entry(1), entry(2)])) is None
    assert asyncio.run(written(sink("contract-events"), [entry(3)])) == 2
    with pytest.raises(SinkAway, match=r"ACCESS_REFUSED - .*'amq\.topic'.*signalpost_drain"):
        asyncio.run(written(sink("amq.topic"), [entry(4)]))
