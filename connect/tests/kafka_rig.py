"""What tests with a broker of Kafka have in common: fixtures, and configurations of both directions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import CommandProcess, write_config
from connect.tests.kafka_broker import JARS, Broker

from signalpost_bench.free_port import free_port
from signalpost_connect.kafka.sink import KafkaSink, KafkaSinkConfig
from signalpost_connect.kafka.source import KafkaConfig, KafkaTopic
from signalpost_connect.testing import Change

needs_broker = [
    pytest.mark.slow,
    pytest.mark.skipif(not JARS.exists(), reason="Kafka is not installed: make connect-kafka"),
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        made.start()
        yield made
    finally:
        made.end()


class Topics:
    """The topics of one test, in both directions."""

    def __init__(self, broker: Broker, folder: Path, partitions: int = 3) -> None:
        self.broker = broker
        self.folder = folder
        self.topic = broker.make_topic(partitions)
        self.dead_topic = broker.make_topic()
        self.cursor_topic = broker.make_topic(cleanup_policy="compact")

    # --- As a source --------------------------------------------------------------------------------------------------

    def source(self, instance: str = "1") -> KafkaTopic:
        return KafkaTopic(
            KafkaConfig(
                servers=[self.broker.server],
                tls=False,
                topic=self.topic,
                dead_topic=self.dead_topic,
                group=self.topic,
                instance=instance,
            )
        )

    def put(self, changes: Sequence[Change]) -> None:
        """Write changes with versions of their own, so that they may come in any order."""
        self.broker.send(self.topic, *((each.document, each.line) for each in changes))

    def left(self) -> int:
        return self.broker.left(self.topic, self.topic)

    def dead(self) -> Sequence[str]:
        return [each.headers["problem"] for each in self.broker.read(self.dead_topic)]

    def config(self, gateway: FedGateway, port: int | None = None) -> Path:
        """A configuration of `run` and `check`."""
        source = (
            f'kind = "kafka"\nservers = ["{self.broker.server}"]\ntls = false\ntopic = "{self.topic}"\n'
            f'dead_topic = "{self.dead_topic}"\ngroup = "{self.topic}"\n'
        )
        return write_config(self.folder, "source", source, gateway.url, gateway.key, port)

    def connector(self, gateway: FedGateway) -> CommandProcess:
        port = free_port()
        return CommandProcess(self.folder, "run", self.config(gateway, port), port)

    # --- As a sink ----------------------------------------------------------------------------------------------------

    def sink(self, name: str | None = None) -> KafkaSink:
        return KafkaSink(
            KafkaSinkConfig(
                servers=[self.broker.server],
                tls=False,
                topic=self.topic,
                cursor_topic=self.cursor_topic,
                name=name or self.topic,
            )
        )

    def sink_table(self) -> str:
        return (
            f'kind = "kafka"\nservers = ["{self.broker.server}"]\ntls = false\ntopic = "{self.topic}"\n'
            f'cursor_topic = "{self.cursor_topic}"\nname = "{self.topic}"\n'
        )


@pytest.fixture
def topics(broker: Broker, tmp_path: Path) -> Topics:
    return Topics(broker, tmp_path)
