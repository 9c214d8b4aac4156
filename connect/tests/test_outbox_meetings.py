"""An outbox that is read ahead, where it meets a gateway that changes meanwhile."""

import pytest
from connect.tests.ahead import MeetingsAhead
from connect.tests.conftest import FedGateway
from connect.tests.platform import Platform

pytestmark = pytest.mark.slow


class TestOutboxAhead(MeetingsAhead):
    @pytest.fixture(autouse=True)
    def _given(self, platform: Platform, gateway: FedGateway) -> None:
        self.platform = platform
        self.gateway = gateway
