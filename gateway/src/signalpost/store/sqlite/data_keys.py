"""Data keys: made, wrapped, set aside, destroyed."""

import secrets
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import apsw

from signalpost.domain.errors import StartError
from signalpost.domain.signing_key import SigningKey
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.vault import (
    EPOCH_AGE,
    KEY_BYTES,
    OWN,
    SEALING,
    SEALS_AT_ONCE,
    SEALS_OF_AN_EPOCH,
    SIGNING,
    DataKey,
    MasterKeys,
    Vault,
)

_COLUMNS = "number, purpose, tenant_id, epoch, master_key, wrapped, made_at, retired_at"


class SqliteDataKeys:
    def __init__(self, readers: Readers, writer: Writer, vault: Vault, now: Callable[[], int]) -> None:
        self._readers = readers
        self._writer = writer
        self._vault = vault
        self._now = now

    @reading
    def signing(self, connection: apsw.Connection, purpose: str) -> list[SigningKey]:
        statement = f"SELECT {_COLUMNS} FROM data_key WHERE purpose = ? AND tenant_id = ? ORDER BY epoch DESC"  # noqa: S608
        found = [DataKey(*columns) for columns in rows(connection, statement, (purpose, OWN))]
        return [SigningKey(key.epoch, self._vault.masters.unwrap(key), key.retired_at) for key in found]

    async def provide(self, tenant_ids: AbstractSet[int]) -> None:
        now = self._now()
        lacking = [tenant_id for tenant_id in tenant_ids if self._vault.lacks(tenant_id, now)]
        if lacking:
            # Only keys that are committed may seal: a value under one that was rolled back could never be opened.
            for key in await self._set_aside(lacking, now):
                self._vault.seal_with(key, SEALS_AT_ONCE)

    @writing
    def _set_aside(self, connection: apsw.Connection, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
        return set_aside(connection, self._vault.masters, tenant_ids, now)

    async def forget(self, tenant_id: int) -> None:
        await self._destroy(tenant_id)
        self._vault.forget(tenant_id)

    @writing
    def _destroy(self, connection: apsw.Connection, tenant_id: int) -> None:
        destroy(connection, tenant_id)


def prepare(connection: apsw.Connection, vault: Vault, now: int, check_former: Callable[[], None]) -> None:
    """Show the vault every data key of a database that is being opened, and make the first ones that sign.

    `check_former` opens something of what was sealed before there were data keys. Raises StartError, with nothing
    changed, where a master key is missing.
    """
    kept = load(connection, vault)
    if missing := {key.master_key for key in kept} - set(vault.masters.ids):
        raise StartError(vault.masters.lacks(missing))
    for key in kept:
        if key.tenant_id == OWN:
            vault.masters.unwrap(key)
    check_former()
    with connection:
        for purpose in SIGNING:
            if not any(key.purpose == purpose for key in kept):
                _make_first(connection, vault.masters, purpose, now)


def load(connection: apsw.Connection, vault: Vault) -> list[DataKey]:
    """Show the vault every data key that there is."""
    kept = _kept(connection)
    vault.learn(kept)
    return kept


def _make_first(connection: apsw.Connection, masters: MasterKeys, purpose: str, now: int) -> None:
    """The first key that signs. It follows from the oldest master key, which signed by itself before there were data
    keys, and is wrapped by it: where another is the current one already, the change to that is still to be made."""
    key = DataKey(_next_number(connection), purpose, OWN, 1, "", b"", now)
    _insert(connection, masters.wrap_first(masters.first_derived(purpose), key))


def _kept(connection: apsw.Connection, where: str = "true", bindings: Sequence[Any] = ()) -> list[DataKey]:
    statement = f"SELECT {_COLUMNS} FROM data_key WHERE {where} ORDER BY number"  # noqa: S608
    return [DataKey(*columns) for columns in rows(connection, statement, bindings)]


def set_aside(connection: apsw.Connection, masters: MasterKeys, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
    """The key of each tenant with which `SEALS_AT_ONCE` values more may be sealed, made where there is none. A deleted
    tenant gets none."""
    live = "SELECT 1 FROM tenant WHERE id = ? AND deleted_at IS NULL"
    return [
        _usable(connection, tenant_id, now) or _make(connection, masters, SEALING, tenant_id, now)
        for tenant_id in tenant_ids
        if rows(connection, live, (tenant_id,))
    ]


def _usable(connection: apsw.Connection, tenant_id: int, now: int) -> DataKey | None:
    """The key of a tenant that may seal `SEALS_AT_ONCE` values more, which are set aside; None if there is none. One
    whose epoch is over is retired."""
    for key in _kept(connection, "purpose = ? AND tenant_id = ? AND retired_at IS NULL", (SEALING, tenant_id)):
        ((seals,),) = rows(connection, "SELECT seals FROM data_key WHERE number = ?", (key.number,))
        if key.made_at + EPOCH_AGE > now and seals + SEALS_AT_ONCE <= SEALS_OF_AN_EPOCH:
            more = "UPDATE data_key SET seals = seals + ? WHERE number = ?"
            connection.execute(more, (SEALS_AT_ONCE, key.number))
            return key
        connection.execute("UPDATE data_key SET retired_at = ? WHERE number = ?", (now, key.number))
    return None


def _make(connection: apsw.Connection, masters: MasterKeys, purpose: str, tenant_id: int, now: int) -> DataKey:
    epochs = "SELECT coalesce(max(epoch), 0) + 1 FROM data_key WHERE purpose = ? AND tenant_id = ?"
    ((epoch,),) = rows(connection, epochs, (purpose, tenant_id))
    key = DataKey(_next_number(connection), purpose, tenant_id, epoch, "", b"", now)
    made = masters.wrap(secrets.token_bytes(KEY_BYTES), key)
    _insert(connection, made)
    return made


def _insert(connection: apsw.Connection, key: DataKey) -> None:
    connection.execute(
        f"INSERT INTO data_key ({_COLUMNS}, seals) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            key.number,
            key.purpose,
            key.tenant_id,
            key.epoch,
            key.master_key,
            key.wrapped,
            key.made_at,
            key.retired_at,
            SEALS_AT_ONCE if key.purpose == SEALING else 0,
        ),
    )


def _next_number(connection: apsw.Connection) -> int:
    """Above every number that was ever given, also to a key that was destroyed."""
    return rows(connection, "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'data_key'")[0][0]  # type: ignore[no-any-return]


def destroy(connection: apsw.Connection, tenant_id: int) -> None:
    """Overwrite and remove the data keys of a tenant. The bytes are gone from the database file with its next
    checkpoint, and from the WAL once that starts over."""
    connection.execute("UPDATE data_key SET wrapped = zeroblob(length(wrapped)) WHERE tenant_id = ?", (tenant_id,))
    connection.execute("DELETE FROM data_key WHERE tenant_id = ?", (tenant_id,))
