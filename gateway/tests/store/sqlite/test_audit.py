"""The audit in the database: an entry that was changed, added, moved or removed is found, whatever else was changed."""

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalpost.domain.audit import COMMAND_LINE, GATEWAY, Actor, EntryDraft, Notary, Object, canonical
from signalpost.domain.timestamps import SECOND
from signalpost.store.nouns.audit import VerifiedAudit
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.nouns import audit
from signalpost.store.sqlite.schema import migrate

NOW = 1_700_000_000 * SECOND
NOTARY = Notary(bytes(range(32)))
STRANGER = Notary(bytes(32))
"""The notary of an attacker who may write to the database and does not know the master key."""
KEY = Actor(kind="key", id="k-1", name="Ünï", role="operator", source="8.8.8.8", request="r")


def draft(tenant_id: int = 1, at: int = NOW, actor: Actor = KEY, thing: str = "a", **values: Any) -> EntryDraft:
    changes = {name: {"old": None, "new": value} for name, value in values.items()}
    return EntryDraft(tenant_id=tenant_id, at=at, actor=actor, action="a.b", object=Object("x", thing), changes=changes)


def database(*drafts: EntryDraft, tenants: int = 3) -> apsw.Connection:
    """A database with these entries, each of its own transaction."""
    connection = apsw.Connection(":memory:")
    migrate(connection, NOW)
    for tenant_id in range(2, tenants + 1):
        connection.execute("INSERT INTO tenant (id, name) VALUES (?, ?)", (tenant_id, f"tenant-{tenant_id}"))
    for each in drafts:
        audit.append(connection, [each], NOTARY)
    return connection


def verified(connection: apsw.Connection) -> VerifiedAudit:
    return audit.verify(connection, NOTARY)


def numbers(connection: apsw.Connection, tenant_id: int) -> list[int]:
    found = rows(connection, "SELECT number FROM audit WHERE tenant_id = ? ORDER BY number", (tenant_id,))
    return [number for (number,) in found]


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_entries_are_numbered_by_tenant_and_name_the_hash_of_the_one_before() -> None:
    connection = database(draft(1), draft(2), draft(1), draft(1))
    assert (numbers(connection, 1), numbers(connection, 2)) == ([1, 2, 3], [1])
    kept = rows(connection, "SELECT content, hash FROM audit WHERE tenant_id = 1 ORDER BY number")
    hashes = [hashlib.sha256(content.encode()).digest() for content, _ in kept]
    assert hashes == [digest for _, digest in kept]
    assert [json.loads(content)["previous"] for content, _ in kept] == ["0" * 64, *(each.hex() for each in hashes[:-1])]


def test_what_an_entry_says_can_be_hashed_again_by_whoever_reads_it() -> None:
    values: dict[str, Any] = {
        "number": 1e16,
        "half": 0.5,
        "text": "é\u2028\x00😀",
        "nested": {"b": [True, None], "a": -1},
    }
    connection = database(draft(**values))
    [(content,)] = rows(connection, "SELECT content FROM audit")
    assert canonical(json.loads(content)) == content.encode()


def test_an_audit_without_an_entry_holds() -> None:
    assert verified(database()) == VerifiedAudit(0, None)


def test_what_a_stopped_gateway_noted_becomes_an_entry_once() -> None:
    connection = database(draft())
    audit.note(connection, draft(actor=COMMAND_LINE, thing="noted"))
    assert verified(connection) == VerifiedAudit(1, None)
    for _ in range(2):
        audit.append_noted(connection, NOTARY)
        assert verified(connection) == VerifiedAudit(2, None)
    [(actor, thing)] = rows(connection, "SELECT actor, object FROM audit WHERE number = 2")
    assert (actor, thing) == ("command-line", "noted")


# --- The retention ----------------------------------------------------------------------------------------------------


@given(ages=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=12), limit=st.integers(1, 4))
@settings(deadline=None)
def test_what_the_retention_leaves_can_be_verified_and_goes_on(ages: list[tuple[int, int]], limit: int) -> None:
    connection = database(*(draft(tenant_id, NOW + age) for tenant_id, age in ages))
    removed = 0
    while count := audit.prune(connection, NOW + 3, limit, NOTARY):
        assert count <= limit
        removed += count
        assert verified(connection) == VerifiedAudit(len(ages) - removed, None)
    left = [age for _, age in ages][removed:]
    assert not left or left[0] >= 3, "the oldest that is left is not old enough"
    audit.append(connection, [draft(1), draft(2)], NOTARY)
    assert verified(connection) == VerifiedAudit(len(left) + 2, None)
    for tenant_id in (1, 2):
        assert numbers(connection, tenant_id)[-1] == sum(each == tenant_id for each, _ in ages) + 1


# --- Tampering --------------------------------------------------------------------------------------------------------

ENTRIES = [draft(1, NOW + n, thing=f"object-{n}", n=n) if n % 3 else draft(2, NOW + n, GATEWAY, n=n) for n in range(12)]
KEPT = 9
"""The three oldest are removed by the retention."""
COLUMNS = ("position", "tenant_id", "number", "at", "actor", "object", "content", "hash", "proof")
END_COLUMNS = ("tenant_id", "first", "before", "last", "hash", "tenants", "proof")


def victim() -> apsw.Connection:
    connection = database(*ENTRIES)
    audit.prune(connection, NOW + 3, 100, NOTARY)
    assert verified(connection) == VerifiedAudit(KEPT, None)
    return connection


def other(value: Any) -> Any:
    if isinstance(value, int):
        return value + 1_000
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    return value.replace("a", "b", 1) if "a" in value else value + "a"


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("place", range(4, 4 + KEPT))
def test_a_changed_column_of_any_entry_is_found(column: str, place: int) -> None:
    connection = victim()
    [(value, tenant_id, number)] = rows(
        connection, f"SELECT {column}, tenant_id, number FROM audit WHERE position = ?", (place,)
    )
    connection.execute(f"UPDATE audit SET {column} = ? WHERE position = ?", (other(value), place))
    fault = verified(connection).fault
    assert fault is not None
    if column not in ("position", "tenant_id", "number"):
        assert (fault.tenant_id, fault.number) == (tenant_id, number), "the first that does not fit is named"


@pytest.mark.parametrize("column", END_COLUMNS)
@pytest.mark.parametrize("tenant_id", [0, 1, 2])
def test_a_changed_or_missing_end_of_any_chain_is_found(column: str, tenant_id: int) -> None:
    connection = victim()
    [(value,)] = rows(connection, f"SELECT {column} FROM audit_end WHERE tenant_id = ?", (tenant_id,))
    connection.execute(f"UPDATE audit_end SET {column} = ? WHERE tenant_id = ?", (other(value), tenant_id))
    assert verified(connection).fault is not None
    connection.execute("DELETE FROM audit_end WHERE tenant_id IN (?, ?)", (tenant_id, other(tenant_id)))
    assert verified(connection).fault is not None


@given(st.sets(st.integers(4, 3 + KEPT), min_size=1))
@settings(deadline=None)
def test_removed_entries_are_missed_wherever_they_stood(gone: set[int]) -> None:
    connection = victim()
    connection.executemany("DELETE FROM audit WHERE position = ?", [(place,) for place in gone])
    assert verified(connection).fault is not None


@given(st.permutations(range(4, 4 + KEPT)))
@settings(deadline=None)
def test_entries_in_another_order_do_not_fit(order: list[int]) -> None:
    connection = victim()
    connection.executemany(
        "UPDATE audit SET position = ? WHERE position = ?",
        [(100 + new, old) for new, old in enumerate(order)],
    )
    connection.execute("UPDATE audit SET position = position - 96")
    assert (verified(connection).fault is None) == (order == sorted(order))


def _rehash(connection: apsw.Connection) -> None:
    """Make all hashes and ends fit, as an attacker can who has everything but the key."""
    before = dict(rows(connection, "SELECT tenant_id, before FROM audit_end"))
    for position, tenant_id, content in rows(connection, "SELECT position, tenant_id, content FROM audit ORDER BY 1"):
        new = canonical({**json.loads(content), "previous": before[tenant_id].hex()})
        before[tenant_id] = hashlib.sha256(new).digest()
        connection.execute(
            "UPDATE audit SET content = ?, hash = ? WHERE position = ?", (new.decode(), before[tenant_id], position)
        )
    for tenant_id, digest in before.items():
        if tenant_id:
            last = "(SELECT coalesce(max(number), last) FROM audit WHERE audit.tenant_id = audit_end.tenant_id)"
            connection.execute(f"UPDATE audit_end SET hash = ?, last = {last} WHERE tenant_id = ?", (digest, tenant_id))
    connection.execute(
        "UPDATE audit_end SET (last, hash) = (SELECT position, proof FROM audit ORDER BY position DESC LIMIT 1)"
        " WHERE tenant_id = 0"
    )


def change(connection: apsw.Connection) -> None:
    connection.execute("UPDATE audit SET content = replace(content, '\"Ünï\"', '\"Eve\"') WHERE position = 6")


def cut_off(connection: apsw.Connection) -> None:
    connection.execute("DELETE FROM audit WHERE position > 9")


def add(connection: apsw.Connection) -> None:
    audit.append(connection, [draft(1, thing="forged")], STRANGER)


def prove_anew(connection: apsw.Connection) -> None:
    connection.execute("UPDATE audit SET proof = ?", (secrets.token_bytes(32),))


@pytest.mark.parametrize("tamper", [change, cut_off, add, prove_anew])
def test_hashes_that_were_made_to_fit_do_not_help_without_the_key(tamper: Callable[[apsw.Connection], None]) -> None:
    connection = victim()
    tamper(connection)
    _rehash(connection)
    assert audit.verify(connection, None).fault is None, "hashes alone show nothing"
    assert verified(connection).fault is not None


def test_without_the_key_hashes_alone_still_show_what_was_not_made_to_fit() -> None:
    connection = victim()
    change(connection)
    fault = audit.verify(connection, None).fault
    assert fault is not None
    assert fault.number == 4
