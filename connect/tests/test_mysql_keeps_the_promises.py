"""The outbox on a real MariaDB, before a real gateway, keeps what every source promises."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from connect.tests.conftest import FedGateway

from signalpost_connect import Source
from signalpost_connect.testing import Change, Conformance

if TYPE_CHECKING:
    from connect.tests.mysql_platform import MySqlPlatform

pytestmark = pytest.mark.slow


class TestMySqlOutbox(Conformance):
    @pytest.fixture(autouse=True)
    def _given(self, mysql_platform: "MySqlPlatform", gateway: FedGateway) -> None:
        self.platform = mysql_platform
        self.gateway = gateway

    def source(self) -> Source:
        return self.platform.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.platform.put(changes)

    def left(self) -> int:
        return self.platform.left()

    def dead(self) -> Sequence[str]:
        return self.platform.dead()
