"""A database of the size at which every list must stay fast, with what is in it in every state."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw
from rich.progress import track

from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import EventType, event_id
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.store.packing.sequences import pack_sequences
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import connect
from signalpost.store.sqlite.nouns.data_keys import set_aside
from signalpost.store.sqlite.schema import migrate
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.tables.subscriptions import SUBSCRIPTION
from signalpost.store.vault import SEALS_AT_ONCE, MasterKeys, Vault

START = 1_700_000_000 * SECOND
STEP = SECOND // 2
"""Between two events."""
FILLER = "x" * 300
_TEMPLATE = (
    '{"type":"NDA","title":"Agreement %d","status":"created","createdAt":"2023-11-14T22:13:20.000000+00:00",'
    '"sourceApp":"archive","startDate":null,"executedAt":null,"expiryDate":null,"externalId":"%s",'
    '"ownerEmail":"everyone@example.com","authorEmail":"author@example.com","referenceId":"REF-common",'
    '"contractValue":19.5,"latestVersion":null,"additionalFacts":{"filler":"%s"},"counterpartyName":null,'
    '"publishedVersion":null}'
)
SEED = 11
TENANT = 1
MASTER_KEYS = MasterKeys([bytes(32)])
_DELIVERY = (
    "tenant_id, subscription_number, sequence, document_id, state, due, failed_attempts, max_attempts, run, resume_at"
)
_ATTEMPT = (
    "tenant_id, sequence, subscription_number, started_at, elapsed_us, number, run, counted, status, failure, detail,"
    " answer"
)


class Size(NamedTuple):
    events: int
    attempts: int
    exceptions: int
    documents: int
    subscriptions: int


def build(path: Path, size: Size) -> None:
    """A tenant of that size, in the shapes that are hard on a list: subscriptions with nothing, with hundreds of
    thousands of failed ones, far behind, with a full `open` list; a document with 10,000 events; types, statuses and
    owners that are everywhere or hardly anywhere."""
    connection = connect(path)
    migrate(connection, START)
    connection.pragma("synchronous", "off")
    vault = Vault(MASTER_KEYS)
    for key in set_aside(connection, MASTER_KEYS, [TENANT], START):
        vault.seal_with(key, SEALS_AT_ONCE)
    for table, columns, each in tables(size, vault):
        values = ", ".join("?" * len(columns.split(", ")))
        with connection:
            connection.executemany(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({values})", each)  # noqa: S608
    with connection:
        connection.execute(
            "UPDATE tenant SET last_sequence = ?, last_at = ? WHERE id = ?",
            (size.events, START + size.events * STEP, TENANT),
        )
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


class Rows(NamedTuple):
    """Rows of a table, with their columns."""

    table: str
    columns: str
    each: Iterator[tuple[Any, ...]]


def tables(size: Size, vault: Vault) -> Iterator[Rows]:
    """What there is, in the order in which it is added."""
    chance = random.Random(SEED)  # noqa: S311
    for what in (_documents, _events, _exceptions, _attempts):
        yield what(chance, size)
    yield _subscriptions(size, vault)
    yield _lanes(size)


def document_of(sequence: int, size: Size) -> int:
    """The first ones create the documents, in their order; every 200th then is the busy document's."""
    if sequence <= size.documents:
        return sequence
    if sequence % max(1, size.events // 10_000) == 0:
        return 1
    return random.Random(sequence).randrange(2, size.documents + 1)  # noqa: S311


def type_of(sequence: int, size: Size) -> int:
    if sequence <= size.documents:
        return 1
    return 4 if sequence % 100_000 == 7 else 2


def external_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number * 7919 % 10**12:012d}"


def document_id(number: int) -> bytes:
    return pack_uuid(external_id(number))


def body_of(number: int) -> bytes:
    """A document, as its row and its events carry it."""
    return (_TEMPLATE % (number, external_id(number), FILLER)).encode()


def _documents(_chance: random.Random, size: Size) -> Rows:
    changed = {document_of(sequence, size): sequence for sequence in range(1, size.events + 1)}

    def each() -> Iterator[tuple[Any, ...]]:
        for number in _shown(range(1, size.documents + 1), "documents"):
            at = START + changed.get(number, number) * STEP
            if number % 10 == 0:
                yield number, document_id(number), 2, at, at, None, None, None, None, b"", None
                continue
            status = "paused" if number % 50_000 == 1 else STATUSES[0 if number % 3 else 11]
            owner = "everyone@example.com" if number % 2 else f"owner-{number % 1000}@example.com"
            yield (
                number, document_id(number), 1, at, None, "Lease" if number % 50_000 == 3 else "NDA", status,
                f"REF-{number // 20}" if number % 4 else "REF-common", owner, body_of(number), f"agreement {number}",
            )  # fmt: skip

    columns = (
        "tenant_id, number, external_id, version, updated_at, deleted_at, type, status, reference_id, owner_email,"
        " body, title_key"
    )
    return Rows("document", columns, ((TENANT, *row) for row in each()))


def _events(chance: random.Random, size: Size) -> Rows:
    def each() -> Iterator[tuple[Any, ...]]:
        for sequence in _shown(range(1, size.events + 1), "events"):
            at = START + sequence * STEP
            identity, number, kind = (
                event_id(at, chance.getrandbits(62)),
                document_of(sequence, size),
                type_of(sequence, size),
            )
            body = b'{"id":"%b","type":"%b","createdAt":"%b","data":{"document":%b}}' % (
                identity.encode(), EventType(kind).wire.encode(), format_timestamp(at).encode(), body_of(number),
            )  # fmt: skip
            yield TENANT, sequence, at, pack_uuid(identity), kind, document_id(number), 0, body

    return Rows("event", "tenant_id, sequence, at, id, type, document_id, cause, body", each())


def _subscriptions(size: Size, vault: Vault) -> Rows:
    """All of them are disabled: a gateway sends nothing, and each needs attention."""

    def each() -> Iterator[tuple[Any, ...]]:
        # As many deleted ones lie among them as there are.
        for number in range(1, 2 * size.subscriptions + 1):
            yield SUBSCRIPTION.pack(
                Subscription(
                    id=event_id(START + number, number), tenant_id=TENANT, number=number, name=f"s{number}",
                    url="https://example.com/hook", secret="s" * 40, headers={}, status="disabled", ordering="loose",
                    rate_limit=None, retry_delays=(10, 60, 300), starts_after=0,
                    filters=((0, 4 if number % 10 == 9 else 7),), created_at=START, updated_at=START,
                    disabled_at=START, deleted_at=None if number <= size.subscriptions else START,
                ),
                codec_with(vault))  # fmt: skip

    return Rows("subscription", SUBSCRIPTION.listed, each())


NOTHING, FULL_OF_FAILED, FAR_BEHIND, FULL_OF_RETRIES, STUCK_BELOW = 1, 2, 3, 4, 5
"""Subscriptions by what is the matter with them. STUCK_BELOW has one open and one blocked at the log's beginning."""


def _exceptions(chance: random.Random, size: Size) -> Rows:
    """A quarter of them failed ones of one subscription, a quarter of another await a retry, half anybody's."""
    per_lane = size.exceptions // 4
    common = size.exceptions - 2 * per_lane
    others = range(6, size.subscriptions + 1)

    def each() -> Iterator[tuple[Any, ...]]:
        for number, state in ((FULL_OF_FAILED, 3), (FULL_OF_RETRIES, 1)):
            for n in _shown(range(per_lane), "exceptions of one"):
                yield _exception(number, 1 + n * (size.events // per_lane), state)
        per_other = max(1, common // len(others))
        for number in _shown(others, "exceptions of all"):
            for sequence in sorted(chance.sample(range(1, size.events), per_other)):
                yield _exception(number, sequence, chance.choice((1, 3, 3)))
        yield _exception(STUCK_BELOW, 3, 2)

    def _exception(number: int, sequence: int, state: int) -> tuple[Any, ...]:
        due = START + (size.events + sequence % 7_000) * STEP
        return TENANT, number, sequence, document_id(document_of(sequence, size)), state, due, 2, 4, 0, None

    return Rows("delivery", _DELIVERY, each())


def _attempts(chance: random.Random, size: Size) -> Rows:
    def each() -> Iterator[tuple[Any, ...]]:
        for n in _shown(range(size.attempts), "attempts"):
            sequence = 1 + n * size.events // size.attempts
            yield (TENANT, sequence, chance.randrange(1, size.subscriptions + 1), START + n, 9_000, 1, 0, 1, 200, None,
                   "", b"ok")  # fmt: skip

    return Rows("attempt", _ATTEMPT, each())


def _lanes(size: Size) -> Rows:
    end = size.events

    def each() -> Iterator[tuple[Any, ...]]:
        for number in range(1, size.subscriptions + 1):
            head, opened = end, list(range(end - 3 * (number % 170), end, 1 + number % 2))
            if number == NOTHING:
                opened = []
            elif number == FAR_BEHIND:
                head, opened = 1_000, []
            elif number == STUCK_BELOW:
                opened = [2]
            yield number, 5, head, pack_sequences(opened), b"[]", b"{}"

    return Rows("lane", "subscription_number, version, head, open, gaps, health", each())


def _shown(each: range, what: str) -> Any:
    return track(each, f"{what:<20}", transient=True)
