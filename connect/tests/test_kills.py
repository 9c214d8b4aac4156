"""SIGKILL, again and again, of the connector and of the gateway while documents change: every change once, in order.

`make connect-kills` kills more often.
"""

import os
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import ConnectorProcess
from connect.tests.feeding import kill_one, told_of, until_fed_more
from connect.tests.platform import Platform
from connect.tests.writing import Writer
from gateway.tests.acceptance.client import until

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("KILLS", "4"))
WRITERS = 3
DOCUMENTS = 600
BETWEEN_CHANGES = 0.002


class PostgresWriter(Writer):
    def __init__(self, url: str, documents: Sequence[str], seed: int) -> None:
        self._connection = psycopg.connect(url)
        super().__init__(documents, seed)

    def stop(self) -> None:
        super().stop()
        self._connection.close()

    def run(self) -> None:
        while not self.stopping.wait(BETWEEN_CHANGES):
            self._change(self.chance.choice(self.documents))

    def _change(self, document: str) -> None:
        """In a transaction that numbers the document's states, and now and then takes a while or is rolled back."""
        with self._connection.transaction(force_rollback=self.chance.random() < 0.05):
            if self.chance.random() < 0.1:
                self._record(document, "DELETE FROM contracts WHERE id = %(document)s RETURNING 'deleted'")
            else:
                self._record(
                    document,
                    "INSERT INTO contracts AS before (id, title) VALUES (%(document)s, %(title)s)"
                    " ON CONFLICT (id) DO UPDATE SET title = excluded.title RETURNING title",
                )
            if self.chance.random() < 0.02:
                time.sleep(0.05)

    def _record(self, document: str, change: str) -> None:
        """Make a change, and note it under the lock that the change took: so the notes have the order of commits."""
        made = self._connection.execute(change.encode(), {"document": document, "title": str(uuid.uuid4())}).fetchone()
        if made is not None:
            self._connection.execute("INSERT INTO made (document, state) VALUES (%s, %s)", [document, made[0]])


@pytest.fixture
def connector(tmp_path: Path, platform: Platform, gateway: FedGateway) -> Iterator[ConnectorProcess]:
    made = ConnectorProcess(tmp_path, platform, gateway)
    yield made
    made.end()


def test_kills_lose_no_change_make_none_twice_and_keep_the_order(
    platform: Platform, gateway: FedGateway, connector: ConnectorProcess
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    platform.sql.execute("CREATE TABLE made (number bigint GENERATED ALWAYS AS IDENTITY, document uuid, state text)")
    documents = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(DOCUMENTS)]
    connector.start()
    writers = [PostgresWriter(platform.url, documents, seed + number) for number in range(WRITERS)]
    try:
        for number in range(KILLS):
            until_fed_more(gateway)
            time.sleep(chance.uniform(0, 0.4))
            kill_one(number, connector, gateway)
        until_fed_more(gateway)
    finally:
        for writer in writers:
            writer.stop()
    until(lambda: platform.left() == 0, connector.log)
    assert connector.stop() == 0
    wanted, told = _made(platform), told_of(gateway)
    print(f"{sum(map(len, wanted.values()))} changes of {len(wanted)} documents, {KILLS} kills")
    assert platform.dead() == []
    assert {document for document in wanted if wanted[document] != told[document]} == set()
    assert told.keys() == wanted.keys()


def _made(platform: Platform) -> dict[str, list[str]]:
    """The states of each document in the order of their commits."""
    found: dict[str, list[str]] = defaultdict(list)
    for document, state in platform.sql.execute("SELECT document::text, state FROM made ORDER BY number"):
        found[document].append(state)
    return found
