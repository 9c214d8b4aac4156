"""The outbox on a real PostgreSQL, before a real gateway, keeps what every source promises."""

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.platform import Platform
from connect.tests.source_rig import PlatformConformance

pytestmark = pytest.mark.slow


class TestOutbox(PlatformConformance):
    @pytest.fixture(autouse=True)
    def _given(self, platform: Platform, gateway: FedGateway) -> None:
        self.platform = platform
        self.gateway = gateway
