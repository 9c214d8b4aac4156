"""SIGKILL, again and again, of connector, gateway and MariaDB while documents change: every change once, in order."""

import os
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import ConnectorProcess
from connect.tests.feeding import kill_one, told_of, until_fed_more
from connect.tests.writing import Writer
from gateway.tests.acceptance.client import until

if TYPE_CHECKING:
    from connect.tests.mysql_platform import MySqlPlatform

pymysql = pytest.importorskip("pymysql", reason="the driver of MySQL is not installed: make .venv/dev")
pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "6"))
WRITERS = 3
DOCUMENTS = 600
BETWEEN_CHANGES = 0.002
CREATE_OR_CHANGE = "INSERT INTO contracts (id, title) VALUES (%s, %s) ON DUPLICATE KEY UPDATE title = VALUES(title)"


class MySqlWriter(Writer):
    def __init__(self, platform: "MySqlPlatform", documents: Sequence[str], seed: int) -> None:
        self._platform = platform
        super().__init__(documents, seed)

    def run(self) -> None:
        """Go on with another connection whenever the database went away."""
        while not self.stopping.wait(BETWEEN_CHANGES):
            with suppress(pymysql.MySQLError):
                connection = self._platform.connect()
                with suppress(pymysql.MySQLError), connection:
                    while not self.stopping.wait(BETWEEN_CHANGES):
                        self._change(connection, self.chance.choice(self.documents))

    def _change(self, connection: Any, document: str) -> None:
        """In a transaction that numbers the document's states, and now and then takes a while or is rolled back."""
        with connection.cursor() as cursor:
            state = "deleted" if self.chance.random() < 0.1 else str(uuid.uuid4())
            if state == "deleted":
                has_changed = cursor.execute("DELETE FROM contracts WHERE id = %s", [document]) > 0
            else:
                has_changed = cursor.execute(CREATE_OR_CHANGE, [document, state]) > 0
            if has_changed:  # noted under the lock that the change took: so the notes have the order of commits
                cursor.execute("INSERT INTO made (document, state) VALUES (%s, %s)", [document, state])
        if self.chance.random() < 0.02:
            time.sleep(0.05)
        if self.chance.random() < 0.05:
            connection.rollback()
        else:
            connection.commit()


@pytest.fixture
def connector(tmp_path: Path, mysql_platform: "MySqlPlatform", gateway: FedGateway) -> Iterator[ConnectorProcess]:
    made = ConnectorProcess(tmp_path, mysql_platform, gateway)
    yield made
    made.end()


def test_kills_lose_no_change_make_none_twice_and_keep_the_order(
    mysql_platform: "MySqlPlatform", gateway: FedGateway, connector: ConnectorProcess
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    mysql_platform.run(
        "CREATE TABLE made (number bigint AUTO_INCREMENT PRIMARY KEY, document char(36), state varchar(36))"
    )
    documents = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(DOCUMENTS)]
    connector.start()
    writers = [MySqlWriter(mysql_platform, documents, seed + number) for number in range(WRITERS)]
    try:
        for number in range(KILLS):
            until_fed_more(gateway)
            time.sleep(chance.uniform(0, 0.4))
            kill_one(number, connector, gateway, mysql_platform.server)
        until_fed_more(gateway)
    finally:
        for writer in writers:
            writer.stop()
    mysql_platform.reconnect()
    until(lambda: mysql_platform.left() == 0, connector.log)
    assert connector.stop() == 0
    wanted, found = _made(mysql_platform), told_of(gateway)
    print(f"{sum(map(len, wanted.values()))} changes of {len(wanted)} documents, {KILLS} kills")
    assert mysql_platform.dead() == []
    assert {document for document in wanted if wanted[document] != found[document]} == set()
    assert found.keys() == wanted.keys()


def test_after_a_minute_without_the_database_it_goes_on(
    mysql_platform: "MySqlPlatform", gateway: FedGateway, connector: ConnectorProcess
) -> None:
    document = str(uuid.uuid4())
    change = [CREATE_OR_CHANGE, document]
    connector.start()
    mysql_platform.run(*change, "before")
    until(lambda: told_of(gateway)[document] == ["before"], connector.log)
    mysql_platform.server.kill()
    until(lambda: connector.health()["status"] == "failing", connector.log)
    time.sleep(float(os.environ.get("OUTAGE", "60")))
    mysql_platform.server.start()
    mysql_platform.reconnect()
    mysql_platform.run(*change, "after")
    until(lambda: told_of(gateway)[document] == ["before", "after"], connector.log)
    assert connector.stop() == 0


def _made(platform: "MySqlPlatform") -> dict[str, list[str]]:
    """The states of each document in the order of their commits."""
    found: dict[str, list[str]] = defaultdict(list)
    for document, state in platform.run("SELECT document, state FROM made ORDER BY number"):
        found[document].append(state)
    return found
