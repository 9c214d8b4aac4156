"""Data keys on PostgreSQL: made, wrapped, set aside, destroyed.

Every node seals with the keys of all, and sets aside values to seal with them in blocks of its own. A node may meet
values that another one sealed under a key made since: it then learns the keys that there are.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from signalpost.domain.audit import WHOLE, Notary
from signalpost.domain.errors import StartError
from signalpost.store.nouns import data_keys
from signalpost.store.nouns.data_keys import AT_ONCE, COLUMNS, SIGNS_ON, DataKeyStore
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.nouns.audit_chain import LOCK
from signalpost.store.postgres.sessions import ReadSessions, Steps, Writers
from signalpost.store.postgres.tables import codec_with
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.tables.audit import ENDS, unpack_ends
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import AUDIT, OWN, OWN_PURPOSES, SEALING, SIGNING, DataKey, MasterKeys, Vault


class PostgresDataKeys(DataKeyStore):
    def __init__(self, readers: ReadSessions, writers: Writers, vault: Vault, now: Callable[[], int]) -> None:
        super().__init__(readers, vault, now)
        self._writers = writers

    async def _set_aside(self, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
        return await self._writers.run(EVERY_TENANT, _set_aside(self._vault.masters, tenant_ids, now))

    async def _wrap_some(self, now: int) -> list[DataKey]:
        return await self._writers.run(EVERY_TENANT, _wrap_some(self._vault.masters, now))

    async def _sign_anew(self, now: int) -> list[DataKey]:
        return await self._writers.run(EVERY_TENANT, _sign_anew(self._vault.masters, now))

    async def learn(self, sealed: Iterable[bytes]) -> None:
        """Make sure that these values can be opened: if another node made the key of one, learn all data keys."""
        if not self._vault.knows(sealed):
            self._vault.learn(await self._kept("true"))

    async def opened(self, table: Table[RowOf], found: Collection[Row]) -> list[RowOf]:
        await self.learn(table.sealed_in(found))
        codec = codec_with(self._vault)
        return [table.unpack(columns, codec) for columns in found]

    async def forget(self, tenant_id: int) -> None:
        await self._writers.all(tenant_id, [data_keys.removing(tenant_id)])
        self._vault.forget(tenant_id)


def prepare(vault: Vault, now: int) -> Steps[Notary]:
    """Show the vault every data key of a database that is being opened, and make the first ones of the gateway's own.
    Returns who proves the entries of the audit. Raises StartError if a master key is missing."""
    _, found, ends = yield [LOCK, data_keys.kept("true"), Statement(ENDS, ([WHOLE],))]
    there = [DataKey(*columns) for columns in found]
    vault.learn(there)
    if missing := {key.master_key for key in there} - set(vault.masters.ids):
        raise StartError(vault.masters.lacks(missing))
    own = [key for key in there if key.tenant_id == OWN]
    for key in own:
        vault.masters.unwrap(key)
    for purpose in OWN_PURPOSES:
        if not any(key.purpose == purpose for key in own):
            made = data_keys.new_key(vault.masters, purpose, OWN, now)
            own.append(made)
            yield [data_keys.adding(made)]
    notaries = [Notary(vault.masters.unwrap(key)) for key in own if key.purpose == AUDIT]
    return next((each for each in notaries if _has_proven(each, ends)), notaries[0])


def _has_proven(notary: Notary, ends: Iterable[Row]) -> bool:
    return any(proof == notary.proof_of_end(end) for end, proof in unpack_ends(ends))


def _set_aside(masters: MasterKeys, tenant_ids: Sequence[int], now: int) -> Steps[list[DataKey]]:
    live, found = yield [
        Statement(
            "SELECT id FROM tenant WHERE id = ANY($1) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE",
            (numbers(tenant_ids),),
        ),
        Statement(
            f"SELECT seals, {COLUMNS} FROM data_key WHERE tenant_id = ANY($1) AND purpose = $2 AND retired_at IS NULL",
            (numbers(tenant_ids), SEALING),
        ),
    ]
    usable: dict[int, DataKey] = {}
    written: list[Statement] = []
    for seals, *columns in found:
        key = DataKey(*columns)
        if data_keys.has_room(key, seals, masters, now) and key.tenant_id not in usable:
            usable[key.tenant_id] = key
            written.append(data_keys.setting_aside(key))
        else:
            written.append(data_keys.retiring(key, now))
    for (tenant_id,) in live:
        if tenant_id not in usable:
            usable[tenant_id] = data_keys.new_key(masters, SEALING, tenant_id, now)
            written.append(data_keys.adding(usable[tenant_id]))
    if written:
        yield written
    return [usable[tenant_id] for (tenant_id,) in live]


def _wrap_some(masters: MasterKeys, now: int) -> Steps[list[DataKey]]:
    [found] = yield [
        data_keys.kept(
            "purpose = $1 AND master_key <> $2 ORDER BY number LIMIT $3 FOR UPDATE", SEALING, masters.current, AT_ONCE
        )
    ]
    moved = [data_keys.wrapped_anew(masters, DataKey(*columns), now) for columns in found]
    if moved:
        yield [*map(data_keys.keeping_wrapped, moved)]
    return moved


def _sign_anew(masters: MasterKeys, now: int) -> Steps[list[DataKey]]:
    _, found = yield [LOCK, data_keys.kept("purpose <> $1 AND master_key <> $2", SEALING, masters.current)]
    former = [DataKey(*columns) for columns in found]
    moved = [data_keys.wrapped_anew(masters, key, now + SIGNS_ON if key.purpose in SIGNING else None) for key in former]
    made = [
        data_keys.new_key(masters, purpose, OWN, now)
        for purpose in sorted({key.purpose for key in former} & set(SIGNING))
    ]
    if former:
        yield [*map(data_keys.keeping_wrapped, moved), *map(data_keys.adding, made)]
    return moved + made
