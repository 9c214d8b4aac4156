"""A database that has been in use for long: a log of any length behind a paused subscription, and a fifth as many
deliveries that are parked or failed.

It is built in bulk, through the real schema. Its subscriptions: WAITING, paused, has sent nothing; TROUBLED have the
exceptions, none of which falls due for a month; LIVE is what a run may send to. What a run adds of its own is
forgotten before the next: `point` takes its subscriptions away.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import msgspec

from signalpost.domain.delivery import breaker
from signalpost.domain.delivery.delivery import State
from signalpost.domain.documents import document
from signalpost.domain.event import EventType, build, event_id
from signalpost.domain.subscription import Status, Subscription
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.store.sqlite import documents
from signalpost.store.sqlite.codec import SUBSCRIPTION_COLUMNS, pack_sequences, pack_subscription, pack_uuid
from signalpost.store.sqlite.database import FILE_NAME, connect, migrate, rows
from signalpost.store.store import Health
from signalpost.store.vault import Vault
from signalpost_bench.workload import MASTER_KEY, SECRET, Workload

TENANT = 1
WAITING, TROUBLED, LIVE = 1, range(2, 12), 12
MAX_DOCUMENTS = 100_000
STEP = 100
"""µs between two events."""
MONTH = 30 * 24 * 3600 * SECOND
AT_ONCE = 20_000
"""Rows of one transaction."""
_ATTEMPT = (
    "attempt (tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run, counted, status, failure,"
    " detail, answer)"
)
Columns = Iterator[tuple[Any, ...]]


def exceptions_of(events: int) -> int:
    """How many deliveries are parked or failed where the log has so many events."""
    return events // 5


def build_database(folder: Path, events: int, workload: Workload, age: int = 0) -> None:
    """Make `folder`, with the database in it; whole or not at all. Its newest event is `age` µs old."""
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    now = time.time_ns() // 1000 - age
    connection = connect(draft / FILE_NAME)
    migrate(connection, now)
    # Nobody reads it until it is whole.
    connection.pragma("journal_mode", "delete")
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    count = min(MAX_DOCUMENTS, events)
    _write_documents(connection, count, workload, now)
    with _without_index(connection, "event_document"):
        _insert(
            connection,
            "event (tenant_id, sequence, at, id, type, document_id, body)",
            _events(events, count, workload, now),
        )
    _insert(
        connection,
        "delivery (tenant_id, subscription_number, sequence, document_id, state, due, charged, budget, run)",
        _exceptions(events, count, now + age + MONTH),
    )
    _insert(connection, _ATTEMPT, _attempts(events, now))
    with connection:
        for number in (WAITING, *TROUBLED, LIVE):
            _subscribe(connection, number, "http://127.0.0.1:1", "paused" if number == WAITING else "active")
            _put_lane(connection, number, 0 if number == WAITING else events)
        connection.execute("UPDATE tenant SET last_sequence = ?, last_at = ? WHERE id = ?", (events, now, TENANT))
    connection.close()
    _sync(draft)  # gigabytes, which the system would write while something is measured
    draft.rename(folder)


def point(folder: Path, url: str, status: Status, behind: int) -> None:
    """Let the live subscription deliver to `url`, with so many events behind it; take those of earlier runs away."""
    connection = connect(folder / FILE_NAME)
    with connection:
        for table, column in (("subscription", "number"), ("lane", "subscription_number")):
            connection.execute(f"DELETE FROM {table} WHERE {column} >= ?", (LIVE,))  # noqa: S608
        last = rows(connection, "SELECT last_sequence FROM tenant WHERE id = ?", (TENANT,))[0][0]
        _subscribe(connection, LIVE, url, status)
        _put_lane(connection, LIVE, last - behind)
    connection.close()


def deliver_all(folder: Path, events: int) -> None:
    """Write down that the live subscription got each event of the log at its first attempt."""
    connection = connect(folder / FILE_NAME)
    at = rows(connection, "SELECT last_at FROM tenant WHERE id = ?", (TENANT,))[0][0]
    _insert(
        connection,
        _ATTEMPT,
        ((TENANT, sequence, LIVE, at, 5_000, 1, 0, 1, 204, None, "", b"") for sequence in range(1, events + 1)),
    )
    connection.close()


def break_all(folder: Path, probe_at: int, wait: int) -> None:
    """Let every lane's breaker be open. It probes at `probe_at` (wall µs), and after a failure once twice `wait` has
    gone by."""
    state = breaker.Breaker(breaker.FAILURES, probe_at - breaker.FAILING_FOR, probe_at, wait)
    connection = connect(folder / FILE_NAME)
    with connection:
        connection.execute("UPDATE lane SET health = ?", (msgspec.json.encode(Health(state, "status: 503")),))
    connection.close()


def forget_cached(folder: Path) -> None:
    """Let the system keep nothing of the files in memory: the next to read them reads the disk."""
    _sync(folder)
    for file in _files(folder):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _sync(folder: Path) -> None:
    for file in _files(folder):
        os.fsync(file)


def _files(folder: Path) -> Iterator[int]:
    """Each as a descriptor that is open until the next."""
    for path in folder.iterdir():
        if path.is_file():
            with path.open("rb") as file:
                yield file.fileno()


# --- What is in it ----------------------------------------------------------------------------------------------------


def _document_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def _changed(sequence: int, count: int) -> str:
    """The document of an event: its neighbours' are far away in every index, as where ids are random."""
    return _document_id(sequence * 48_271 % count)


def _write_documents(connection: apsw.Connection, count: int, workload: Workload, now: int) -> None:
    fields, created_at = workload.new_document(), format_timestamp(now)
    for begin in range(0, count, AT_ONCE):
        ids = [_document_id(number) for number in range(begin, min(begin + AT_ONCE, count))]
        made = (document.created(fields, identity, "bench", created_at) for identity in ids)
        kept = {(TENANT, each.external_id): document.new_row(each, 1, now) for each in made}
        with connection:
            documents.write(connection, {}, kept)


def _events(events: int, count: int, workload: Workload, now: int) -> Columns:
    first = _document_id(0)
    made = document.created(workload.new_document(), first, "bench", format_timestamp(now))
    before, after = document.encode(made).split(first.encode())
    for sequence in range(1, events + 1):
        at = now - (events - sequence) * STEP
        identity, document_id = event_id(at, sequence), _changed(sequence, count)
        body = build(EventType.UPDATED, at, identity, before + document_id.encode() + after)
        yield TENANT, sequence, at, pack_uuid(identity), EventType.UPDATED, pack_uuid(document_id), body


def _exceptions(events: int, count: int, due_from: int) -> Columns:
    """Half of them parked; each troubled lane has them all along the log."""
    for number, sequence in _troubled(events):
        parked = sequence % 2
        state, failed_attempts = (State.AWAITING_RETRY, 1) if parked else (State.FAILED, 4)
        due = due_from + sequence if parked else 0
        yield TENANT, number, sequence, pack_uuid(_changed(sequence, count)), state, due, failed_attempts, 4, 0


def _attempts(events: int, now: int) -> Columns:
    """The last of each."""
    for number, sequence in _troubled(events):
        yield (TENANT, sequence, number, now + number, 5_000_000, 1, 0, 1, None, "timeout", "No answer came.", b"")


def _troubled(events: int) -> Iterator[tuple[int, int]]:
    """Subscription and sequence of each exception."""
    each = exceptions_of(events) // len(TROUBLED)
    for number in TROUBLED:
        for n in range(each):
            yield number, 1 + n * events // each


def _subscribe(connection: apsw.Connection, number: int, url: str, status: Status) -> None:
    subscription = Subscription(
        id=event_id(number, number),
        tenant_id=TENANT,
        number=number,
        name=f"s{number}",
        url=url,
        secret=SECRET,
        headers={},
        status=status,
        ordering="loose",
        rate_limit=None,
        retry_delays=(10, 60, 300),
        starts_after=0,
        filters=((0, EventType.DELETED if number in TROUBLED else EventType.UPDATED),),
        created_at=number,
        updated_at=number,
    )
    connection.execute(
        f"INSERT INTO subscription ({SUBSCRIPTION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        pack_subscription(subscription, Vault(MASTER_KEY)),
    )


def _put_lane(connection: apsw.Connection, number: int, head: int) -> None:
    connection.execute(
        "INSERT INTO lane (subscription_number, version, head, open, gaps, health) VALUES (?, 0, ?, ?, ?, ?)",
        (number, head, pack_sequences(()), msgspec.json.encode([]), msgspec.json.encode(Health())),
    )


# --- In bulk ----------------------------------------------------------------------------------------------------------


def _insert(connection: apsw.Connection, into: str, values: Columns) -> None:
    places = ", ".join("?" * (into.count(",") + 1))
    while some := list(islice(values, AT_ONCE)):
        with connection:
            connection.executemany(f"INSERT INTO {into} VALUES ({places})", some)  # noqa: S608


@contextmanager
def _without_index(connection: apsw.Connection, name: str) -> Iterator[None]:
    """An index whose order is not that of the rows is made faster afterwards, from all of them."""
    sql = rows(connection, "SELECT sql FROM sqlite_master WHERE name = ?", (name,))[0][0]
    connection.execute(f"DROP INDEX {name}")
    yield
    connection.execute(sql)
