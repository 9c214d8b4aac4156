"""The outbox on a real MariaDB, before a real gateway, keeps what every source promises."""

from typing import TYPE_CHECKING

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.source_rig import PlatformConformance

if TYPE_CHECKING:
    from connect.tests.mysql_platform import MySqlPlatform

pytestmark = pytest.mark.slow


class TestMySqlOutbox(PlatformConformance):
    @pytest.fixture(autouse=True)
    def _given(self, mysql_platform: "MySqlPlatform", gateway: FedGateway) -> None:
        self.platform = mysql_platform
        self.gateway = gateway
