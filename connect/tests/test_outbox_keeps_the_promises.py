"""The outbox on a real PostgreSQL, before a real gateway, keeps what every source promises."""

from collections.abc import Sequence

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.platform import Platform

from signalpost_connect import Source
from signalpost_connect.testing import Change, Conformance

pytestmark = pytest.mark.slow


class TestOutbox(Conformance):
    @pytest.fixture(autouse=True)
    def _given(self, platform: Platform, gateway: FedGateway) -> None:
        self.platform = platform
        self.gateway = gateway

    def source(self) -> Source:
        return self.platform.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.platform.put(changes)

    def left(self) -> int:
        return self.platform.left()

    def dead(self) -> Sequence[str]:
        return self.platform.dead()
