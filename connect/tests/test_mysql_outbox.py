"""The outbox on a real MariaDB: what its triggers write, and how it is read."""

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from connect.tests.conftest import FedGateway
from connect.tests.connector_process import configure, run_command
from connect.tests.outbox_readers import sizes_of_batches, taken, titles, with_source
from connect.tests.test_guide import ROOT, blocks
from gateway.tests.acceptance.client import until

from signalpost_connect import AGAIN, APPLIED, SourceAway, dead
from signalpost_connect.outbox import statements
from signalpost_connect.outbox.reader import BATCH_BYTES, Outbox
from signalpost_connect.testing import Change

if TYPE_CHECKING:
    from connect.tests.mysql_platform import MySqlPlatform

pymysql = pytest.importorskip("pymysql", reason="the driver of MySQL is not installed: make .venv/dev")
pytestmark = pytest.mark.slow


def insert(platform: "MySqlPlatform", title: str) -> str:
    document = str(uuid.uuid4())
    platform.run("INSERT INTO contracts (id, title) VALUES (%s, %s)", document, title)
    return document


@contextmanager
def transaction(platform: "MySqlPlatform") -> Iterator[Any]:
    """A cursor of another connection, in a transaction that its user ends."""
    connection = platform.connect()
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


# --- The triggers -----------------------------------------------------------------------------------------------------


def test_the_triggers_write_every_state_of_a_document(mysql_platform: "MySqlPlatform") -> None:
    document = insert(mysql_platform, "one")
    mysql_platform.run("UPDATE contracts SET title = 'two' WHERE id = %s", document)
    mysql_platform.run("DELETE FROM contracts WHERE id = %s", document)
    [(first, one), (second, two), (third, three)] = taken(mysql_platform)
    assert (first["externalId"], first["title"]) == (document, "one")
    assert second["title"] == "two"
    assert third == {"externalId": document, "deleted": True}
    assert one < two < three


def test_a_column_that_the_table_lacks_is_named_and_the_same_sql_runs_once_it_is_there(
    mysql_platform: "MySqlPlatform",
) -> None:
    sql = statements.mysql_tables("app", "of_the_test", "app.agreements")
    mysql_platform.run("CREATE DATABASE app; CREATE TABLE app.agreements LIKE contracts; USE app")
    mysql_platform.run("ALTER TABLE app.agreements DROP COLUMN owner_email")
    insert = "INSERT INTO app.agreements (id, title) VALUES (%s, 'mine')"
    try:
        with pytest.raises(pymysql.err.OperationalError, match="Unknown column 'owner_email' in 'NEW'"):
            mysql_platform.run(sql)
        mysql_platform.run(insert, "a")
        mysql_platform.run("ALTER TABLE app.agreements ADD owner_email varchar(254)")
        mysql_platform.run(sql)
        mysql_platform.run(insert, "b")
        assert mysql_platform.run("SELECT COUNT(*) FROM app.signalpost_outbox") == [(1,)]
    finally:
        mysql_platform.run("USE platform; DROP DATABASE app; DROP USER IF EXISTS of_the_test")


def test_a_moment_is_in_utc_whatever_the_zone_of_the_session(mysql_platform: "MySqlPlatform") -> None:
    mysql_platform.run("SET time_zone = '+05:30'")
    mysql_platform.run("INSERT INTO contracts (id, created_at) VALUES ('a', '2026-01-02 05:30:00.25')")
    [(body, _)] = taken(mysql_platform)
    assert body["createdAt"] == "2026-01-02T00:00:00.250000Z"


def test_an_update_that_changes_nothing_writes_the_state(mysql_platform: "MySqlPlatform") -> None:
    """Documents that no one changes can be loaded by it."""
    insert(mysql_platform, "one")
    mysql_platform.run("UPDATE contracts SET id = id")
    assert titles(mysql_platform) == ["one", "one"]


def test_what_is_rolled_back_is_never_told(mysql_platform: "MySqlPlatform") -> None:
    with transaction(mysql_platform) as cursor:
        cursor.execute("INSERT INTO contracts (id, title) VALUES ('a', 'never')")
        cursor.execute("ROLLBACK")
    assert taken(mysql_platform) == []


def test_a_document_that_gets_another_id_is_deleted_under_the_old_one(mysql_platform: "MySqlPlatform") -> None:
    old, new = insert(mysql_platform, "one"), str(uuid.uuid4())
    mysql_platform.run("UPDATE contracts SET id = %s", new)
    assert [(body["externalId"], body.get("deleted", False)) for body, _ in taken(mysql_platform)] == [
        (old, False),
        (old, True),
        (new, False),
    ]


def test_states_are_numbered_in_the_order_of_their_commits(mysql_platform: "MySqlPlatform") -> None:
    """The second transaction begins while the first holds the document, and waits for it."""
    document = insert(mysql_platform, "new")
    update = "UPDATE contracts SET title = %s WHERE id = %s"
    with transaction(mysql_platform) as first, transaction(mysql_platform) as second:
        first.execute(update, ["first commit", document])
        waiting = threading.Thread(target=second.execute, args=(update, ["second commit", document]))
        waiting.start()
        blocked = "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        until(lambda: bool(mysql_platform.run(blocked)))
        first.execute("COMMIT")
        waiting.join()
        second.execute("COMMIT")
    assert titles(mysql_platform) == ["new", "first commit", "second commit"]


def test_a_transaction_that_commits_late_is_not_passed_over(mysql_platform: "MySqlPlatform") -> None:
    """The rows of the slow one have lower ids than what was read and settled in between. It is not held up, either."""

    async def settle_all(source: Outbox) -> int:
        batch = await source.take(500, 0)
        await source.settle(batch, [APPLIED] * len(batch.messages))
        return len(batch.messages)

    with transaction(mysql_platform) as slow:
        slow.execute("INSERT INTO contracts (id, title) VALUES ('a', 'slow')")
        insert(mysql_platform, "quick")
        assert with_source(mysql_platform, settle_all) == 1
        slow.execute("COMMIT")
    assert titles(mysql_platform) == ["slow"]


def test_the_user_of_the_reader_may_only_read_and_settle(mysql_platform: "MySqlPlatform") -> None:
    from connect.tests.mysql_platform import ROLE

    reader = pymysql.connect(
        host="127.0.0.1", port=mysql_platform.server.port, user=ROLE, password="secret", database="platform"
    )
    with reader, reader.cursor() as cursor:
        for forbidden in ("SELECT * FROM contracts", "INSERT INTO signalpost_outbox (document_id) VALUES ('a')"):
            with pytest.raises(pymysql.OperationalError, match="denied"):
                cursor.execute(forbidden)


def test_numbers_can_be_moved_above_what_the_gateway_has_seen(mysql_platform: "MySqlPlatform") -> None:
    for number in (5000, 100, 5000):
        mysql_platform.run(statements.mysql_above(None, number))
    assert mysql_platform.left() == 0
    insert(mysql_platform, "one")
    [(_, version)] = taken(mysql_platform)
    assert version > 5000
    mysql_platform.run(statements.mysql_above("platform", version))
    assert mysql_platform.left() == 1


# --- The reader -------------------------------------------------------------------------------------------------------


def test_no_transaction_is_open_while_the_gateway_answers(mysql_platform: "MySqlPlatform") -> None:
    insert(mysql_platform, "one")

    async def look(source: Outbox) -> list[Any]:
        batch = await source.take(500, 0)
        assert len(batch.messages) == 1
        return mysql_platform.run("SELECT trx_query FROM information_schema.innodb_trx")

    assert with_source(mysql_platform, look) == []


def test_settling_waits_for_no_one_who_writes(mysql_platform: "MySqlPlatform") -> None:
    """No gap between rows is locked, so that no writer waits either."""
    insert(mysql_platform, "one")

    async def settle(source: Outbox) -> None:
        batch = await source.take(500, 0)
        await source.settle(batch, [APPLIED])
        await source.settle(batch, [APPLIED])

    with transaction(mysql_platform) as writer:
        writer.execute("INSERT INTO contracts (id, title) VALUES ('a', 'two')")
        with_source(mysql_platform, settle)
        writer.execute("INSERT INTO contracts (id, title) VALUES ('b', 'three')")
        writer.execute("COMMIT")
    assert titles(mysql_platform) == ["two", "three"]


def test_a_second_reader_waits_and_goes_on_when_the_first_is_gone(mysql_platform: "MySqlPlatform") -> None:
    insert(mysql_platform, "one")

    async def take_turns(first: Outbox) -> list[int | None]:
        second = mysql_platform.source()
        counts: list[int | None] = [len((await source.take(500, 0)).messages) for source in (first, second)]
        counts.append(await second.dead())
        await first.close()
        counts.append(len((await second.take(500, 60)).messages))
        await second.close()
        return counts

    assert with_source(mysql_platform, take_turns) == [1, 0, None, 1]


def test_a_reader_that_lost_its_connection_connects_anew(mysql_platform: "MySqlPlatform") -> None:
    insert(mysql_platform, "one")

    async def lose(source: Outbox) -> int:
        batch = await source.take(500, 0)
        [[reader]] = mysql_platform.run(mysql_platform.readers)
        mysql_platform.run("KILL %s", reader)
        with pytest.raises(SourceAway, match="MySQL: "):
            await source.settle(batch, [APPLIED])
        again = await source.take(500, 60)
        await source.settle(again, [APPLIED])
        return len(again.messages)

    assert with_source(mysql_platform, lose) == 1
    assert mysql_platform.left() == 0


def test_who_stops_waiting_leaves_no_thread_and_no_connection(mysql_platform: "MySqlPlatform") -> None:
    """The database does not answer while the connector is stopped."""

    async def stop(source: Outbox) -> None:
        await source.take(500, 0)
        with transaction(mysql_platform) as cursor:
            cursor.execute("LOCK TABLES signalpost_outbox WRITE")
            taking = asyncio.ensure_future(source.take(500, 60))
            waits = mysql_platform.readers + " AND state LIKE '%lock%'"
            while not await asyncio.to_thread(mysql_platform.run, waits):
                await asyncio.sleep(0.05)
            taking.cancel()
            cursor.execute("UNLOCK TABLES")
            with pytest.raises(asyncio.CancelledError):
                await taking
        assert (await source.take(500, 0)).messages == []

    with_source(mysql_platform, stop)
    until(lambda: not [each for each in threading.enumerate() if each.name.startswith("mysql")])


def test_tenants_are_read_apart(mysql_platform: "MySqlPlatform") -> None:
    one, other = Change(str(uuid.uuid4()), 1, "one"), Change(str(uuid.uuid4()), 1, "other")
    mysql_platform.put([one])
    mysql_platform.put([other], "acme")
    assert [body["title"] for body, _ in taken(mysql_platform, "acme")] == ["other"]


def test_a_dead_row_is_kept_with_its_reason(mysql_platform: "MySqlPlatform") -> None:
    insert(mysql_platform, "one")
    insert(mysql_platform, "two")

    async def settle(source: Outbox) -> int | None:
        batch = await source.take(500, 0)
        await source.settle(batch, [dead("No \0 title, 100 %: 'ä€😀'."), AGAIN])
        return await source.dead()

    assert with_source(mysql_platform, settle) == 1
    assert titles(mysql_platform) == ["two"]
    assert mysql_platform.dead() == ["No \N{REPLACEMENT CHARACTER} title, 100 %: 'ä€😀'."]


def test_a_row_can_die_under_a_number_that_died_before(mysql_platform: "MySqlPlatform") -> None:
    """After a restore, numbers come again."""

    async def settle(source: Outbox) -> None:
        batch = await source.take(500, 0)
        await source.settle(batch, [dead("bad")])

    for _ in range(2):
        mysql_platform.run("INSERT INTO signalpost_outbox (id, document_id) VALUES (7, 'a')")
        with_source(mysql_platform, settle)
    assert mysql_platform.dead() == ["bad"]


def test_a_snapshot_is_taken_as_it_was_written(mysql_platform: "MySqlPlatform") -> None:
    """MariaDB keeps blanks. What is no object will be dead, as no line can be made of it."""
    mysql_platform.run(
        "INSERT INTO signalpost_outbox (document_id, snapshot)"
        """ VALUES ('a', 'null'), ('b', ' { } '), ('c', '\\n{"title": 1}\\n'), ('"', '{}')"""
    )
    [(null, _), (empty, _), (one, _), (quoted, _)] = taken(mysql_platform)
    assert null is None
    assert [*empty] == ["externalId"]
    assert one == {"title": 1, "externalId": "c"}
    assert quoted == {"externalId": '"'}


def test_a_batch_has_a_bounded_size(mysql_platform: "MySqlPlatform") -> None:
    """Whatever the rows hold; and one row that is larger than that comes alone."""
    for size in (BATCH_BYTES + 1, BATCH_BYTES // 2, BATCH_BYTES // 2, 10, 10):
        mysql_platform.run(
            "INSERT INTO signalpost_outbox (document_id, snapshot) VALUES ('a', JSON_OBJECT('title', REPEAT('x', %s)))",
            size,
        )

    assert sizes_of_batches(mysql_platform) == [1, 2, 2]


def test_what_is_missing_is_said_without_the_secret(mysql_platform: "MySqlPlatform") -> None:
    mysql_platform.run("DROP TABLE signalpost_outbox")
    with pytest.raises(SourceAway, match="outbox sql --mysql"):
        taken(mysql_platform)
    url = mysql_platform.database.read_text()
    mysql_platform.database.write_text(url.replace("secret", "hunter2"))
    with pytest.raises(SourceAway, match="Access denied") as refused:
        taken(mysql_platform)
    assert "hunter2" not in str(refused.value)


# --- The guide and the command ----------------------------------------------------------------------------------------


def test_the_sql_of_the_guide_runs(mysql_platform: "MySqlPlatform") -> None:
    """Row 42 died before; a document that no one changes is loaded."""
    from connect.tests.mysql_platform import ROLE

    insert(mysql_platform, "old")
    mysql_platform.run("DELETE FROM signalpost_outbox")
    mysql_platform.run(
        "INSERT INTO signalpost_outbox_dead (tenant, id, document_id, snapshot, problem)"
        """ VALUES ('default', 42, 'a', '{"title": "dead"}', 'No.')"""
    )
    guide = blocks((ROOT / "docs" / "guides" / "outbox-mysql.md").read_text(encoding="utf-8"), "sql")
    for statement in guide:
        mysql_platform.run(statement.replace("signalpost_connect", ROLE).replace("PASSWORD", "secret"))
    assert titles(mysql_platform) == ["old", "dead"]
    assert mysql_platform.dead() == []


def test_the_command_prints_the_sql(mysql_platform: "MySqlPlatform") -> None:
    mysql_platform.run("CREATE DATABASE IF NOT EXISTS app; CREATE TABLE app.contracts LIKE contracts; USE app")
    try:
        printed = run_command(
            "outbox", "sql", "--mysql", "--schema", "app", "--table", "app.contracts", "--role", "of_the_test"
        ).stdout
        mysql_platform.run(printed)
        mysql_platform.run("INSERT INTO app.contracts (id, title) VALUES ('a', 'one')")
        assert mysql_platform.run("SELECT COUNT(*) FROM app.signalpost_outbox") == [(1,)]
        above = run_command("outbox", "above", "7", "--mysql").stdout
        mysql_platform.run(above)
    finally:
        mysql_platform.run("USE platform; DROP DATABASE app; DROP USER IF EXISTS of_the_test")


def test_check_shows_the_lines(tmp_path: Path, mysql_platform: "MySqlPlatform", gateway: FedGateway) -> None:
    change = Change(str(uuid.uuid4()), 3, "v3")
    mysql_platform.put([change])
    done = run_command("check", configure(tmp_path, mysql_platform, gateway))
    first, shown = done.stdout.splitlines()
    assert (done.returncode, first) == (0, "The gateway answers, and knows the key.")
    line = json.loads(shown.partition(": ")[2])
    assert (line["externalId"], line["sourceVersion"]) == (change.document, 3)
