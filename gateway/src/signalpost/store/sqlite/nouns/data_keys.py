"""Data keys: made, wrapped, set aside, destroyed."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import apsw

from signalpost.domain.audit import Notary
from signalpost.domain.errors import StartError
from signalpost.store.nouns import data_keys
from signalpost.store.nouns.data_keys import AT_ONCE, COLUMNS, SIGNS_ON, DataKeyStore
from signalpost.store.sqlite.connect import reason, rows
from signalpost.store.sqlite.nouns import audit
from signalpost.store.sqlite.readers import Readers
from signalpost.store.sqlite.statements import found_by
from signalpost.store.sqlite.tables import codec_with
from signalpost.store.sqlite.writer import Writer, writing
from signalpost.store.statements import Row
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import AUDIT, OWN, OWN_PURPOSES, SEALING, SIGNING, DataKey, MasterKeys, Vault


class SqliteDataKeys(DataKeyStore):
    def __init__(self, readers: Readers, writer: Writer, vault: Vault, now: Callable[[], int]) -> None:
        super().__init__(readers, vault, now)
        self._writer = writer

    async def opened(self, table: Table[RowOf], found: Collection[Row]) -> list[RowOf]:
        codec = codec_with(self._vault)
        return [table.unpack(columns, codec) for columns in found]

    @writing
    def _set_aside(self, connection: apsw.Connection, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
        return set_aside(connection, self._vault.masters, tenant_ids, now)

    @writing
    def _wrap_some(self, connection: apsw.Connection, now: int) -> list[DataKey]:
        masters = self._vault.masters
        found = _kept(connection, "purpose = $1 AND master_key <> $2 LIMIT $3", SEALING, masters.current, AT_ONCE)
        return [_wrap_anew(connection, masters, key, now) for key in found]

    @writing
    def _sign_anew(self, connection: apsw.Connection, now: int) -> list[DataKey]:
        masters = self._vault.masters
        found = _kept(connection, "purpose <> $1 AND master_key <> $2", SEALING, masters.current)
        moved = [
            _wrap_anew(connection, masters, key, now + SIGNS_ON if key.purpose in SIGNING else None) for key in found
        ]
        purposes = {key.purpose for key in found} & set(SIGNING)
        return moved + [_make(connection, masters, purpose, OWN, now) for purpose in purposes]

    async def forget(self, tenant_id: int) -> None:
        await self._destroy(tenant_id)
        self._vault.forget(tenant_id)

    @writing
    def _destroy(self, connection: apsw.Connection, tenant_id: int) -> None:
        destroy(connection, tenant_id)


def prepare(connection: apsw.Connection, vault: Vault, now: int) -> None:
    """Show the vault every data key of a database that is being opened, and make the first ones of the gateway's own.
    Raises StartError, with nothing changed, if a master key is missing."""
    found = load(connection, vault)
    if missing := {key.master_key for key in found} - set(vault.masters.ids):
        raise StartError(vault.masters.lacks(missing))
    for key in found:
        if key.tenant_id == OWN:
            vault.masters.unwrap(key)
    try:
        with connection:
            for purpose in OWN_PURPOSES:
                if not any(key.purpose == purpose for key in found):
                    _make(connection, vault.masters, purpose, OWN, now)
    except apsw.Error as error:
        raise StartError(f"The database {connection.filename} cannot be written: {reason(error)}.") from None


def notary(connection: apsw.Connection, vault: Vault) -> Notary:
    """Who proves the entries of the audit. After a restore of another gateway's backup there are the keys of both: the
    one counts that has proven what there is."""
    found = [Notary(vault.masters.unwrap(key)) for key in _kept(connection, "purpose = $1", AUDIT)]
    return next((each for each in found if audit.is_proven_by(connection, each)), found[0])


def load(connection: apsw.Connection, vault: Vault) -> list[DataKey]:
    """Show the vault every data key that there is."""
    found = _kept(connection, "true")
    vault.learn(found)
    return found


def _kept(connection: apsw.Connection, where: str, *parameters: Any) -> list[DataKey]:
    return [DataKey(*columns) for columns in found_by(connection, data_keys.kept(where, *parameters))]


def find(connection: apsw.Connection, number: int) -> DataKey | None:
    return next(iter(_kept(connection, "number = $1", number)), None)


def set_aside(connection: apsw.Connection, masters: MasterKeys, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
    """The key of each tenant with which `SEALS_AT_ONCE` values more may be sealed, made if there is none. A deleted
    tenant gets none."""
    live = "SELECT 1 FROM tenant WHERE id = ? AND deleted_at IS NULL"
    return [
        _usable(connection, masters, tenant_id, now) or _make(connection, masters, SEALING, tenant_id, now)
        for tenant_id in tenant_ids
        if rows(connection, live, (tenant_id,))
    ]


def _usable(connection: apsw.Connection, masters: MasterKeys, tenant_id: int, now: int) -> DataKey | None:
    """The key of a tenant that may seal `SEALS_AT_ONCE` values more, which are set aside; None if there is none. One
    that has no room for them is retired."""
    for key in _kept(connection, "tenant_id = $1 AND purpose = $2 AND retired_at IS NULL", tenant_id, SEALING):
        ((seals,),) = rows(connection, "SELECT seals FROM data_key WHERE number = ?", (key.number,))
        if data_keys.has_room(key, seals, masters, now):
            found_by(connection, data_keys.setting_aside(key))
            return key
        found_by(connection, data_keys.retiring(key, now))
    return None


def _make(connection: apsw.Connection, masters: MasterKeys, purpose: str, tenant_id: int, now: int) -> DataKey:
    made = data_keys.new_key(masters, purpose, tenant_id, now)
    found_by(connection, data_keys.adding(made))
    return made


def _wrap_anew(connection: apsw.Connection, masters: MasterKeys, key: DataKey, retired_at: int | None) -> DataKey:
    """Wrap a key with the current master key, and retire it, if at all, at a moment."""
    wrapped = data_keys.wrapped_anew(masters, key, retired_at)
    found_by(connection, data_keys.keeping_wrapped(wrapped))
    return wrapped


def take_from_replaced(connection: apsw.Connection) -> None:
    """Give a backup, which is `main`, the data keys of the database that it replaces, which is attached as `replaced`:
    what is taken over from there is sealed under them, and those that both have are wrapped as they are now. A tenant
    that was deleted since the backup has none."""
    connection.execute(
        f"INSERT OR REPLACE INTO main.data_key ({COLUMNS}, seals) SELECT {COLUMNS}, seals FROM replaced.data_key"  # noqa: S608
    )
    for (tenant_id,) in rows(connection, "SELECT id FROM main.tenant WHERE deleted_at IS NOT NULL"):
        destroy(connection, tenant_id)


def destroy(connection: apsw.Connection, tenant_id: int) -> None:
    """Overwrite and remove the data keys of a tenant. The bytes are gone from the database file with its next
    checkpoint, and from the WAL once that starts over."""
    connection.execute("UPDATE data_key SET wrapped = zeroblob(length(wrapped)) WHERE tenant_id = ?", (tenant_id,))
    found_by(connection, data_keys.removing(tenant_id))
