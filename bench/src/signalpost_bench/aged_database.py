"""A database that has been in use for long: a log of any length behind a paused subscription, and a fifth as many
deliveries that wait for a retry or were given up.

A gateway makes it, with its subscriptions, a document and an event; copies of these rows are then inserted in bulk.
WAITING is paused and has sent nothing. TROUBLED have the exceptions, none of which falls due for a month. LIVE is what
a run may send to. What a run adds of its own is forgotten before the next: `point` takes its subscriptions away.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import apsw
import msgspec
from msgspec import Struct

from signalpost.gateway import Gateway
from signalpost_bench.data_directory import bench_settings, connect
from signalpost_bench.embedded_api import EmbeddedApi
from signalpost_bench.workload import SECRET, Workload

TENANT = 1
WAITING, TROUBLED, LIVE = 1, range(2, 12), 12
"""The subscriptions, by number."""
NOWHERE = "http://127.0.0.1:1"
MAX_DOCUMENTS = 100_000
STEP_US = 100
"""Microseconds between two events."""
MONTH_US = 30 * 24 * 3600 * 1_000_000
AT_ONCE = 20_000
"""How many rows one transaction writes."""
AWAITING_RETRY, FAILED = 1, 3
"""States of deliveries as the database has them."""
_COUNT = (
    "UPDATE tenant SET"
    " documents = (SELECT count(*) FROM document d WHERE d.tenant_id = tenant.id AND d.deleted_at IS NULL),"
    " subscriptions = (SELECT count(*) FROM subscription s WHERE s.tenant_id = tenant.id AND s.deleted_at IS NULL)"
)
"""Counts what each tenant has, which the gateway keeps with every change."""
_DELIVERY = (
    "delivery (tenant_id, subscription_number, sequence, document_id, state, due, failed_attempts, max_attempts, run)"
)
_ATTEMPT = (
    "attempt (tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run, counted, status, failure,"
    " detail, answer)"
)
Columns = Iterator[tuple[Any, ...]]


def exceptions_of(events: int) -> int:
    """How many deliveries wait for a retry or were given up if the log has so many events."""
    return events // 5


def build_database(folder: Path, events: int, workload: Workload, age_us: int = 0) -> None:
    """Make `folder`, with the database in it; whole or not at all. Its newest event is `age_us` old."""
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    asyncio.run(_begin(draft, workload))
    now = time.time_ns() // 1000 - age_us
    connection = connect(draft)
    # No process reads it until it is whole.
    connection.pragma("journal_mode", "delete")
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    template = _take_template(connection)
    count = min(MAX_DOCUMENTS, events)
    _insert(connection, template.documents.into, _documents(template, count, now))
    with _without_index(connection, "event_document"):
        _insert(connection, template.events.into, _events(template, events, count, now))
    _insert(connection, _DELIVERY, _exceptions(events, count, now + age_us + MONTH_US))
    _insert(connection, _ATTEMPT, _attempts(events, now))
    with connection:
        connection.execute("UPDATE lane SET head = ? WHERE subscription_number != ?", (events, WAITING))
        connection.execute("UPDATE tenant SET last_sequence = ?, last_at = ? WHERE id = ?", (events, now, TENANT))
        connection.execute(_COUNT)
    connection.close()
    _sync(draft)  # gigabytes, which the system would write while something is measured
    draft.rename(folder)


def point(folder: Path, url: str, status: str, behind: int) -> None:
    """Let the live subscription deliver to `url`, with so many events behind it; take those of earlier runs away."""
    connection = connect(folder)
    with connection:
        for table, column in (("subscription", "number"), ("lane", "subscription_number")):
            connection.execute(f"DELETE FROM {table} WHERE {column} > ?", (LIVE,))  # noqa: S608
        connection.execute(_COUNT)
        _set_head(connection, 0)
    connection.close()
    asyncio.run(_change_live(folder, {"url": url, "status": status}))
    connection = connect(folder)
    with connection:
        _set_head(connection, behind)
    connection.close()


def deliver_all(folder: Path, events: int) -> None:
    """Write down that the live subscription got each event of the log at its first attempt."""
    connection = connect(folder)
    at = _value(connection, "SELECT last_at FROM tenant WHERE id = ?", TENANT)
    _insert(
        connection,
        _ATTEMPT,
        ((TENANT, sequence, LIVE, at, 5_000, 1, 0, 1, 204, None, "", b"") for sequence in range(1, events + 1)),
    )
    connection.close()


def break_all(folder: Path, probe_at: int, wait_us: int) -> None:
    """Let every lane's breaker be open. It probes at `probe_at` (wall µs), and after a failure again when twice
    `wait_us` has gone by."""
    connection = connect(folder)
    with connection:
        for number, health in list(connection.execute("SELECT subscription_number, health FROM lane")):
            broken = msgspec.json.decode(health)
            broken["last_error"] = "status: 503"
            broken["breaker"] = {
                "failures": 20,
                "failing_since": probe_at - 60_000_000,
                "probe_at": probe_at,
                "wait": wait_us,
            }
            statement = "UPDATE lane SET health = ? WHERE subscription_number = ?"
            connection.execute(statement, (msgspec.json.encode(broken), number))
    connection.close()


def forget_cached(folder: Path) -> None:
    """Let the system keep nothing of the files in memory, so that the next process that reads them reads the disk."""
    _sync(folder)
    for file in _files(folder):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(folder: Path) -> None:
    for file in _files(folder):
        os.fsync(file)


def _files(folder: Path) -> Iterator[int]:
    """Open each file in turn, until the next one is asked for."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                yield file.fileno()


# --- What a gateway makes ---------------------------------------------------------------------------------------------


async def _begin(folder: Path, workload: Workload) -> None:
    """A database with the subscriptions, and with one document that was changed once."""
    async with Gateway(bench_settings(folder, NOWHERE, None)) as gateway:
        api = EmbeddedApi(gateway.app, gateway.operator_key)
        for number in (WAITING, *TROUBLED, LIVE):
            wants = "documentDeleted" if number in TROUBLED else "documentUpdated"
            body = {"url": NOWHERE, "eventTypes": [wants], "secret": SECRET}
            made = await api.call("POST", "/v1/subscriptions", body)
            if number not in TROUBLED:
                await api.call("PATCH", f"/v1/subscriptions/{made['id']}", {"status": "paused"})
        made = await api.call("POST", "/v1/documents", workload.new_document())
        await api.call("PATCH", f"/v1/documents/{made['externalId']}", {"contractValue": 1.5})


async def _change_live(folder: Path, changes: dict[str, Any]) -> None:
    async with Gateway(bench_settings(folder, changes["url"], None)) as gateway:
        api = EmbeddedApi(gateway.app, gateway.operator_key)
        live = (await api.call("GET", "/v1/subscriptions?limit=1"))["data"][0]
        await api.call("PATCH", f"/v1/subscriptions/{live['id']}", changes)


class _Rows(Struct, frozen=True):
    """One row of a table, and what inserts others like it."""

    into: str
    columns: tuple[str, ...]
    values: tuple[Any, ...]

    def like(self, **changed: Any) -> tuple[Any, ...]:
        return tuple(changed.get(name, value) for name, value in zip(self.columns, self.values, strict=True))


class _Template(Struct, frozen=True):
    documents: _Rows
    events: _Rows
    document_id: str
    event_id: str
    created_at: str


def _take_template(connection: apsw.Connection) -> _Template:
    """Take the document and its event out of the database."""
    documents = _take(connection, "document", "number", "SELECT number FROM document")
    events = _take(connection, "event", "number", "SELECT max(number) FROM event")
    event = msgspec.json.decode(events.values[events.columns.index("body")])
    with connection:
        connection.execute("DELETE FROM document")
        connection.execute("DELETE FROM event")
    return _Template(documents, events, event["data"]["document"]["externalId"], event["id"], event["createdAt"])


def _take(connection: apsw.Connection, table: str, key: str, which: str) -> _Rows:
    names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})") if name != key]
    shown = ", ".join(names)
    ((*values,),) = connection.execute(f"SELECT {shown} FROM {table} WHERE {key} = ({which})")  # noqa: S608
    return _Rows(f"{table} ({shown})", tuple(names), tuple(values))


# --- What is copied ---------------------------------------------------------------------------------------------------


def _document_id(number: int) -> UUID:
    return UUID(int=0x4000_8000_0000_0000_0000 | number)


def _changed(sequence: int, count: int) -> UUID:
    """The document of an event: its neighbours' are far away in every index, as if ids were random."""
    return _document_id(sequence * 48_271 % count)


def _documents(template: _Template, count: int, now: int) -> Columns:
    body = template.documents.values[template.documents.columns.index("body")]
    for number in range(count):
        identity = _document_id(number)
        own = body.replace(template.document_id.encode(), str(identity).encode())
        yield template.documents.like(external_id=identity.bytes, updated_at=now, body=own)


def _events(template: _Template, events: int, count: int, now: int) -> Columns:
    body = template.events.values[template.events.columns.index("body")]
    for sequence in range(1, events + 1):
        at = now - (events - sequence) * STEP_US
        identity, document_id = _event_id(at, sequence), _changed(sequence, count)
        own = (
            body.replace(template.event_id.encode(), str(identity).encode())
            .replace(template.created_at.encode(), _timestamp(at).encode())
            .replace(template.document_id.encode(), str(document_id).encode())
        )
        yield template.events.like(sequence=sequence, at=at, id=identity.bytes, document_id=document_id.bytes, body=own)


def _event_id(at: int, number: int) -> UUID:
    """A UUIDv7 of a time in µs, whose fraction of a millisecond follows the version."""
    ms, us = divmod(at, 1000)
    return UUID(int=ms << 80 | 7 << 76 | (us * 4096 // 1000) << 64 | 2 << 62 | number)


def _timestamp(at: int) -> str:
    return (
        datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000).isoformat("T", "microseconds")
    )


def _exceptions(events: int, count: int, due_from: int) -> Columns:
    """The exceptions: half of them wait for a retry, and each troubled lane has them all along the log."""
    for number, sequence in _troubled(events):
        waits = sequence % 2
        state, failed_attempts = (AWAITING_RETRY, 1) if waits else (FAILED, 4)
        due = due_from + sequence if waits else 0
        yield TENANT, number, sequence, _changed(sequence, count).bytes, state, due, failed_attempts, 4, 0


def _attempts(events: int, now: int) -> Columns:
    """The last attempt of each exception."""
    for number, sequence in _troubled(events):
        yield (TENANT, sequence, number, now + number, 5_000_000, 1, 0, 1, None, "timeout", "No answer came.", b"")


def _troubled(events: int) -> Iterator[tuple[int, int]]:
    """Subscription and sequence of each exception."""
    each = exceptions_of(events) // len(TROUBLED)
    for number in TROUBLED:
        for n in range(each):
            yield number, 1 + n * events // each


# --- In bulk ----------------------------------------------------------------------------------------------------------


def _set_head(connection: apsw.Connection, behind: int) -> None:
    last = _value(connection, "SELECT last_sequence FROM tenant WHERE id = ?", TENANT)
    connection.execute("UPDATE lane SET head = ? WHERE subscription_number = ?", (last - behind, LIVE))


def _value(connection: apsw.Connection, statement: str, *bindings: Any) -> int:
    ((value,),) = connection.execute(statement, bindings)
    return int(value)


def _insert(connection: apsw.Connection, into: str, values: Iterator[Sequence[Any]]) -> None:
    places = ", ".join("?" * (into.count(",") + 1))
    while some := list(islice(values, AT_ONCE)):
        with connection:
            connection.executemany(f"INSERT INTO {into} VALUES ({places})", some)  # noqa: S608


@contextmanager
def _without_index(connection: apsw.Connection, name: str) -> Iterator[None]:
    """An index whose order is not that of the rows is made faster afterwards, from all of them."""
    ((sql,),) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))
    connection.execute(f"DROP INDEX {name}")
    yield
    connection.execute(sql)
