"""Data keys on PostgreSQL: made, wrapped, set aside, destroyed.

Every node seals with the keys of all, and sets aside values to seal with them in blocks of its own. A node may meet
values that another one sealed under a key made since: it then learns the keys that there are.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from msgspec.structs import replace

from signalpost.domain.audit import WHOLE, Notary
from signalpost.domain.errors import StartError
from signalpost.domain.signing_key import SigningKey
from signalpost.store.data_keys import AT_ONCE, SIGNS_ON, signing_keys
from signalpost.store.postgres.audit_chain import ENDS, LOCK, unpack_end
from signalpost.store.postgres.columns import numbers
from signalpost.store.postgres.sessions import ReadSessions, Steps, Writers
from signalpost.store.postgres.tables import codec_with
from signalpost.store.statements import EVERY_TENANT, Row, Statement
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import (
    AUDIT,
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

_COLUMNS: Final = "number, purpose, tenant_id, master_key, wrapped, made_at, retired_at"


class PostgresDataKeys:
    def __init__(self, readers: ReadSessions, writers: Writers, vault: Vault, now: Callable[[], int]) -> None:
        self._readers = readers
        self._writers = writers
        self._vault = vault
        self._now = now

    async def signing(self, purpose: str) -> list[SigningKey]:
        found = await self._kept("tenant_id = $1 AND purpose = $2", OWN, purpose)
        return signing_keys(found, self._vault.masters)

    async def provide(self, tenant_ids: AbstractSet[int]) -> None:
        now = self._now()
        lacking = sorted(tenant_id for tenant_id in tenant_ids if self._vault.lacks(tenant_id, now))
        if lacking:
            # Only keys that are committed may seal: a value under one that was rolled back could never be opened.
            for key in await self._writers.run(EVERY_TENANT, _set_aside(self._vault.masters, lacking, now)):
                self._vault.seal_with(key, SEALS_AT_ONCE)

    async def learn(self, sealed: Iterable[bytes]) -> None:
        """Make sure that these values can be opened: if another node made the key of one, learn all data keys."""
        if not self._vault.knows(sealed):
            self._vault.learn(await self._kept("true"))

    async def opened(self, table: Table[RowOf], found: Collection[Row]) -> list[RowOf]:
        await self.learn(table.sealed_in(found))
        codec = codec_with(self._vault)
        return [table.unpack(columns, codec) for columns in found]

    async def wrapped_by(self) -> dict[str, int]:
        counts = "SELECT master_key, count(*) FROM data_key GROUP BY master_key"
        return dict(await self._readers.rows(EVERY_TENANT, counts))

    @property
    def master_keys(self) -> MasterKeys:
        return self._vault.masters

    def use(self, master_keys: MasterKeys) -> None:
        self._vault.masters = master_keys
        self._vault.retire()

    async def wrap_with_current(self) -> None:
        if set(await self.wrapped_by()) == {self._vault.masters.current}:
            return
        while moved := await self._writers.run(EVERY_TENANT, _wrap_some(self._vault.masters, self._now())):
            self._vault.learn(moved)
        self._vault.learn(await self._writers.run(EVERY_TENANT, _sign_anew(self._vault.masters, self._now())))

    async def forget(self, tenant_id: int) -> None:
        await self._writers.rows(tenant_id, "DELETE FROM data_key WHERE tenant_id = $1", tenant_id)
        self._vault.forget(tenant_id)

    async def _kept(self, where: str, *parameters: Any) -> list[DataKey]:
        found = await self._readers.rows(
            EVERY_TENANT,
            f"SELECT {_COLUMNS} FROM data_key WHERE {where}",
            *parameters,
        )
        return [DataKey(*columns) for columns in found]


def prepare(vault: Vault, now: int) -> Steps[Notary]:
    """Show the vault every data key of a database that is being opened, and make the first ones of the gateway's own.
    Returns who proves the entries of the audit. Raises StartError where a master key is missing."""
    _, found, ends = yield [LOCK, _kept("true"), Statement(f"{ENDS} WHERE tenant_id = $1", (WHOLE,))]
    kept = [DataKey(*columns) for columns in found]
    vault.learn(kept)
    if missing := {key.master_key for key in kept} - set(vault.masters.ids):
        raise StartError(vault.masters.lacks(missing))
    own = [key for key in kept if key.tenant_id == OWN]
    for key in own:
        vault.masters.unwrap(key)
    for purpose in (*SIGNING, AUDIT):
        if not any(key.purpose == purpose for key in own):
            made = _made(vault.masters, purpose, OWN, now)
            own.append(made)
            yield [_insert(made)]
    notaries = [Notary(vault.masters.unwrap(key)) for key in own if key.purpose == AUDIT]
    return next((each for each in notaries if _has_proven(each, ends)), notaries[0])


def _has_proven(notary: Notary, ends: Iterable[Row]) -> bool:
    return any(proof == notary.proof_of_end(end) for end, proof in map(unpack_end, ends))


def _set_aside(masters: MasterKeys, tenant_ids: Sequence[int], now: int) -> Steps[list[DataKey]]:
    """The key of each tenant with which `SEALS_AT_ONCE` values more may be sealed, made where there is none. A deleted
    tenant gets none. One whose epoch is over, or that is not under the current master key, is retired."""
    live, found = yield [
        Statement(
            "SELECT id FROM tenant WHERE id = ANY($1) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE",
            (numbers(tenant_ids),),
        ),
        Statement(
            f"SELECT seals, {_COLUMNS} FROM data_key WHERE tenant_id = ANY($1) AND purpose = $2 AND retired_at IS NULL",
            (numbers(tenant_ids), SEALING),
        ),
    ]
    usable: dict[int, DataKey] = {}
    written: list[Statement] = []
    for seals, *columns in found:
        key = DataKey(*columns)
        has_room = key.made_at + EPOCH_AGE > now and seals + SEALS_AT_ONCE <= SEALS_OF_AN_EPOCH
        if has_room and key.master_key == masters.current and key.tenant_id not in usable:
            usable[key.tenant_id] = key
            more = "UPDATE data_key SET seals = seals + $1 WHERE number = $2"
            written.append(Statement(more, (SEALS_AT_ONCE, key.number)))
        else:
            written.append(Statement("UPDATE data_key SET retired_at = $1 WHERE number = $2", (now, key.number)))
    for (tenant_id,) in live:
        if tenant_id not in usable:
            usable[tenant_id] = _made(masters, SEALING, tenant_id, now)
            written.append(_insert(usable[tenant_id]))
    if written:
        yield written
    return [usable[tenant_id] for (tenant_id,) in live]


def _wrap_some(masters: MasterKeys, now: int) -> Steps[list[DataKey]]:
    """Wrap some keys that seal with the current master key. Somebody who had the former master key may know them, so
    they seal no more."""
    [found] = yield [
        _kept(
            "purpose = $1 AND master_key <> $2 ORDER BY number LIMIT $3 FOR UPDATE", SEALING, masters.current, AT_ONCE
        )
    ]
    moved = [_wrapped_anew(masters, DataKey(*columns), now) for columns in found]
    if moved:
        yield [_keep_wrapped(key) for key in moved]
    return moved


def _sign_anew(masters: MasterKeys, now: int) -> Steps[list[DataKey]]:
    """Wrap the keys that sign with the current master key, and make others to sign in their place; the one that proves
    the audit stays, as the proofs do. This comes last, in one transaction: once nothing is left under another master
    key, all is done."""
    _, found = yield [LOCK, _kept("purpose <> $1 AND master_key <> $2", SEALING, masters.current)]
    kept = [DataKey(*columns) for columns in found]
    moved = [_wrapped_anew(masters, key, now + SIGNS_ON if key.purpose in SIGNING else None) for key in kept]
    made = [_made(masters, purpose, OWN, now) for purpose in sorted({key.purpose for key in kept} & set(SIGNING))]
    if kept:
        yield [*map(_keep_wrapped, moved), *map(_insert, made)]
    return moved + made


def _kept(where: str, *parameters: Any) -> Statement:
    return Statement(f"SELECT {_COLUMNS} FROM data_key WHERE {where}", parameters)


def _made(masters: MasterKeys, purpose: str, tenant_id: int, now: int) -> DataKey:
    new = DataKey(secrets.randbits(62), purpose, tenant_id, "", b"", now)
    return masters.wrap(secrets.token_bytes(KEY_BYTES), new)


def _insert(key: DataKey) -> Statement:
    return Statement(
        f"INSERT INTO data_key ({_COLUMNS}, seals) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        (
            key.number,
            key.purpose,
            key.tenant_id,
            key.master_key,
            key.wrapped,
            key.made_at,
            key.retired_at,
            SEALS_AT_ONCE if key.purpose == SEALING else 0,
        ),
    )


def _wrapped_anew(masters: MasterKeys, key: DataKey, retired_at: int | None) -> DataKey:
    """A key, wrapped with the current master key and retired, if at all, at a moment."""
    return replace(masters.wrap(masters.unwrap(key), key), retired_at=key.retired_at or retired_at)


def _keep_wrapped(key: DataKey) -> Statement:
    return Statement(
        "UPDATE data_key SET master_key = $1, wrapped = $2, retired_at = $3 WHERE number = $4",
        (key.master_key, key.wrapped, key.retired_at, key.number),
    )
