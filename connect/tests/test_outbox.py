"""The outbox on a real PostgreSQL: what its trigger writes, and how it is read."""

import asyncio
import threading
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from connect.tests.outbox_readers import sizes_of_batches, taken, titles, with_source
from connect.tests.platform import READERS, Platform
from gateway.tests.acceptance.client import until

from signalpost_connect import AGAIN, APPLIED, SourceAway, dead
from signalpost_connect.config import Secret
from signalpost_connect.outbox import statements
from signalpost_connect.outbox.reader import BATCH_BYTES, Outbox, OutboxConfig
from signalpost_connect.testing import Change

pytestmark = pytest.mark.slow


def insert(connection: "psycopg.Connection[Any]", title: str) -> str:
    document = str(uuid.uuid4())
    connection.execute("INSERT INTO contracts (id, title) VALUES (%s, %s)", [document, title])
    return document


# --- The trigger ------------------------------------------------------------------------------------------------------


def test_the_trigger_writes_every_state_of_a_document(platform: Platform) -> None:
    document = insert(platform.sql, "one")
    platform.sql.execute("UPDATE contracts SET title = 'two' WHERE id = %s", [document])
    platform.sql.execute("DELETE FROM contracts WHERE id = %s", [document])
    [(first, one), (second, two), (third, three)] = taken(platform)
    assert (first["externalId"], first["title"], first["createdAt"][-1]) == (document, "one", "Z")
    assert second["title"] == "two"
    assert third == {"externalId": document, "deleted": True}
    assert one < two < three


def test_columns_that_the_table_lacks_are_named_before_anything_is_made(platform: Platform) -> None:
    """Else every INSERT into the customer's own table failed from then on."""
    agreements = 'CREATE SCHEMA app; CREATE TABLE app.agreements (id uuid, title text, "Type" text, status text)'
    sql = statements.tables("app", "another_role", "app.agreements")
    sql = sql.replace("'type', NEW.type", "'type', NEW.\"Type\"").replace(
        "NEW.author_email", "new.Author_Email -- NEW.note"
    )
    with psycopg.connect(platform.url, autocommit=True) as owner:
        owner.execute(agreements.encode())
        with pytest.raises(psycopg.errors.UndefinedColumn) as refused:
            owner.execute(sql.encode())
        assert refused.value.diag.message_primary == "app.agreements has no author_email, created_at, owner_email"
        assert "signalpost_outbox_write" in str(refused.value.diag.message_hint)
        owner.execute("ROLLBACK")
        owner.execute("INSERT INTO app.agreements (id, title) VALUES (gen_random_uuid(), 'mine')")
        made = owner.execute("SELECT to_regclass('app.signalpost_outbox'), to_regrole('another_role')").fetchone()
        assert made == (None, None)
        owner.execute(
            "ALTER TABLE app.agreements ADD author_email text, ADD owner_email text, ADD created_at timestamptz"
        )
        owner.execute(sql.encode())
        owner.execute("INSERT INTO app.agreements (id, title) VALUES (gen_random_uuid(), 'mine')")
        assert owner.execute("SELECT count(*) FROM app.signalpost_outbox").fetchone() == (1,)
        owner.execute("DROP SCHEMA app CASCADE; DROP ROLE another_role")


def test_what_is_rolled_back_is_never_told(platform: Platform) -> None:
    with platform.sql.transaction(force_rollback=True):
        insert(platform.sql, "never")
    assert taken(platform) == []


def test_a_document_that_gets_another_id_is_deleted_under_the_old_one(platform: Platform) -> None:
    old, new = insert(platform.sql, "one"), str(uuid.uuid4())
    platform.sql.execute("UPDATE contracts SET id = %s", [new])
    assert [(body["externalId"], body.get("deleted", False)) for body, _ in taken(platform)] == [
        (old, False),
        (old, True),
        (new, False),
    ]


def test_states_are_numbered_in_the_order_of_their_commits(platform: Platform) -> None:
    """The second transaction begins while the first holds the document, and waits for it."""
    document = insert(platform.sql, "new")
    update = "UPDATE contracts SET title = %s WHERE id = %s"
    with psycopg.connect(platform.url) as first, psycopg.connect(platform.url) as second:
        first.execute(update, ["first commit", document])
        waiting = threading.Thread(target=second.execute, args=(update, ["second commit", document]))
        waiting.start()
        blocked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        until(lambda: platform.sql.execute(blocked).fetchone() == (1,))
        first.commit()
        waiting.join()
        second.commit()
    assert titles(platform) == ["new", "first commit", "second commit"]


def test_a_transaction_that_commits_late_is_not_passed_over(platform: Platform) -> None:
    """The rows of the slow one have lower ids than what was read and settled in between."""

    async def settle_all(source: Outbox) -> int:
        batch = await source.take(500, 0)
        await source.settle(batch, [APPLIED] * len(batch.messages))
        return len(batch.messages)

    with psycopg.connect(platform.url) as slow:
        insert(slow, "slow")
        insert(platform.sql, "quick")
        assert with_source(platform, settle_all) == 1
        slow.commit()
    assert titles(platform) == ["slow"]


def test_the_role_of_the_reader_may_only_read_and_settle(platform: Platform) -> None:
    with psycopg.connect(platform.database.read_text(), autocommit=True) as reader:
        for forbidden in ("SELECT * FROM contracts", "INSERT INTO signalpost_outbox (document_id) VALUES (NULL)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden.encode())


def test_numbers_can_be_moved_above_what_the_gateway_has_seen(platform: Platform) -> None:
    platform.sql.execute(statements.above("public", 5000).encode())
    platform.sql.execute(statements.above("public", 100).encode())
    insert(platform.sql, "one")
    [(_, version)] = taken(platform)
    assert version >= 5000


# --- The reader -------------------------------------------------------------------------------------------------------


def test_no_transaction_is_open_while_the_gateway_answers(platform: Platform) -> None:
    """Neither a snapshot nor a lock of a row keeps the platform from its work, or the vacuum from its."""
    insert(platform.sql, "one")

    async def look(source: Outbox) -> list[Any]:
        batch = await source.take(500, 0)
        assert len(batch.messages) == 1
        locks = f"SELECT DISTINCT locktype FROM pg_locks WHERE pid IN (SELECT pid {READERS})"
        return [
            *platform.sql.execute(f"SELECT state, backend_xmin {READERS}".encode()),
            *platform.sql.execute(locks.encode()),
        ]

    assert with_source(platform, look) == [("idle", None), ("advisory",)]


def test_a_second_reader_waits_and_goes_on_when_the_first_is_gone(platform: Platform) -> None:
    insert(platform.sql, "one")

    async def take_turns(first: Outbox) -> list[int]:
        second = platform.source()
        counts = []
        for source in (first, second):
            counts.append(len((await source.take(500, 0)).messages))
        await first.close()
        counts.append(len((await second.take(500, 60)).messages))
        await second.close()
        return counts

    assert with_source(platform, take_turns) == [1, 0, 1]


def test_a_reader_that_lost_its_connection_connects_anew(platform: Platform) -> None:
    insert(platform.sql, "one")

    async def lose(source: Outbox) -> int:
        batch = await source.take(500, 0)
        platform.sql.execute(f"SELECT pg_terminate_backend(pid, 60000) {READERS}".encode())
        with pytest.raises(SourceAway):
            await source.settle(batch, [APPLIED])
        again = await source.take(500, 60)
        await source.settle(again, [APPLIED])
        return len(again.messages)

    assert with_source(platform, lose) == 1
    assert platform.left() == 0


def test_tenants_are_read_apart(platform: Platform) -> None:
    one, other = Change(str(uuid.uuid4()), 1, "one"), Change(str(uuid.uuid4()), 1, "other")
    platform.put([one])
    platform.put([other], "acme")
    assert [body["title"] for body, _ in taken(platform, "acme")] == ["other"]


def test_a_dead_row_is_kept_with_its_reason_and_can_be_put_back(platform: Platform) -> None:
    """The guide shows the statement that puts it back."""
    insert(platform.sql, "one")
    insert(platform.sql, "two")

    async def settle(source: Outbox) -> None:
        batch = await source.take(500, 0)
        await source.settle(batch, [dead("No \0 title."), AGAIN])

    with_source(platform, settle)
    assert titles(platform) == ["two"]
    assert platform.dead() == ["No \N{REPLACEMENT CHARACTER} title."]
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "outbox.md").read_text(encoding="utf-8")
    [statement] = [block.partition("```")[0] for block in guide.split("```sql\n")[1:] if "put_back" in block]
    platform.sql.execute(statement.replace("42", "1").encode())
    assert titles(platform) == ["one", "two"]
    assert platform.dead() == []


def test_a_row_can_die_under_a_number_that_died_before(platform: Platform) -> None:
    """After a restore, numbers come again."""

    async def settle(source: Outbox) -> None:
        batch = await source.take(500, 0)
        await source.settle(batch, [dead("bad")])

    for _ in range(2):
        platform.sql.execute("SELECT setval(pg_get_serial_sequence('signalpost_outbox', 'id'), 1, false)")
        insert(platform.sql, "one")
        with_source(platform, settle)
    assert platform.dead() == ["bad"]


def test_columns_can_be_added_while_it_is_read(platform: Platform) -> None:
    """Whatever their names: the statements are prepared, and name what they read."""

    async def read(source: Outbox) -> list[int]:
        counts = []
        for column in (*(None,) * 6, "region text NOT NULL DEFAULT 'eu'", "problem text", "before int", "seconds int"):
            if column is not None:
                platform.sql.execute(f"ALTER TABLE signalpost_outbox ADD COLUMN {column}".encode())
            insert(platform.sql, "one")
            insert(platform.sql, "two")
            batch = await source.take(500, 0)
            await source.settle(batch, [APPLIED, dead("bad")])
            counts.append(len(batch.messages))
        return counts

    assert with_source(platform, read) == [2] * 10
    assert platform.dead() == ["bad"] * 10
    assert platform.left() == 0


def test_a_snapshot_that_is_no_object_is_taken_as_it_is(platform: Platform) -> None:
    """The message will be dead, as no line can be made of it."""
    platform.sql.execute(
        "INSERT INTO signalpost_outbox (document_id, snapshot)"
        " VALUES (gen_random_uuid(), 'null'), (gen_random_uuid(), '{}')"
    )
    [(null, _), (empty, _)] = taken(platform)
    assert null is None
    assert [*empty] == ["externalId"]


def test_a_batch_has_a_bounded_size(platform: Platform) -> None:
    """Whatever the rows hold; and one row that is larger than that comes alone."""
    platform.sql.execute(
        "INSERT INTO signalpost_outbox (document_id, snapshot)"
        " SELECT gen_random_uuid(), jsonb_build_object('title', repeat('x', bytes))"
        " FROM unnest(%s::int[]) WITH ORDINALITY AS given (bytes, place) ORDER BY place",
        [[BATCH_BYTES + 1, BATCH_BYTES // 2, BATCH_BYTES // 2, 10, 10]],
    )

    assert sizes_of_batches(platform) == [1, 2, 2]


def test_a_batch_is_all_that_is_read_of_a_table_that_was_filled_a_moment_ago(platform: Platform) -> None:
    """The database has no statistics of it then, and would rather sort all rows than read the index in order."""
    platform.sql.execute(
        "INSERT INTO signalpost_outbox (document_id, snapshot)"
        " SELECT gen_random_uuid(), jsonb_build_object('title', repeat('x', 1000)) FROM generate_series(1, 10000)"
    )

    async def take_five_hundred(source: Outbox) -> int:
        return len((await source.take(500, 0)).messages)

    assert with_source(platform, take_five_hundred) == 500
    until(lambda: rows_read(platform) > 0)
    assert rows_read(platform) < 1000


def rows_read(platform: Platform) -> int:
    """How many rows of the outbox queries have read so far, as the server has noted."""
    row = platform.sql.execute(
        "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE relname = 'signalpost_outbox'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_missing_or_wrong_is_said_without_the_secret(platform: Platform, tmp_path: Path) -> None:
    platform.sql.execute("DROP TABLE signalpost_outbox")
    with pytest.raises(SourceAway, match="outbox sql"):
        taken(platform)
    wrong = tmp_path / "wrong"
    wrong.write_text("postgres//connect:hunter2@host/database")
    with pytest.raises(ValueError, match="database: ") as raised:
        Outbox(OutboxConfig(Secret(file=str(wrong))))
    assert "hunter2" not in str(raised.value)
    wrong.write_text("postgresql://connect:hunter2@127.0.0.1:1/database")
    away = Outbox(OutboxConfig(Secret(file=str(wrong))))
    with pytest.raises(SourceAway) as refused:
        asyncio.run(away.take(1, 0))
    assert "hunter2" not in str(refused.value)


def test_only_names_are_put_into_the_sql() -> None:
    with pytest.raises(ValueError, match="--table"):
        statements.tables("public", "reader", "contracts; DROP TABLE contracts")
