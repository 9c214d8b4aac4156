"""A topic of Kafka that is read ahead, where it meets a gateway that changes meanwhile."""

from pathlib import Path

import pytest
from connect.tests.ahead import MeetingsAhead
from connect.tests.conftest import FedGateway
from connect.tests.kafka_broker import Broker
from connect.tests.kafka_rig import Topics, broker, needs_broker

__all__ = ["broker"]
pytestmark = needs_broker


class TestKafkaAhead(MeetingsAhead):
    @pytest.fixture(autouse=True)
    def _given(self, broker: Broker, gateway: FedGateway, tmp_path: Path) -> None:
        self.platform = Topics(broker, tmp_path, partitions=1)  # of one partition, every batch is full
        self.gateway = gateway
