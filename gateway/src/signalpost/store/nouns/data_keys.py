"""The keys that encrypt and sign, as they are stored; `vault.py` says what they are for."""

import secrets
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from msgspec.structs import astuple, replace

from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND
from signalpost.store.statements import EVERY_TENANT, Row, RowReader, Statement
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import (
    EPOCH_AGE,
    KEY_BYTES,
    OWN,
    SEALING,
    SEALS_AT_ONCE,
    SEALS_OF_AN_EPOCH,
    DataKey,
    MasterKeys,
    Vault,
)

AT_ONCE: Final = 200
"""How many rows one transaction changes, so that others do not wait for it."""
SIGNS_ON: Final = 60 * SECOND
"""How long a key may sign after it was retired: until everybody has heard of its successor, and by as much as a clock
was set back."""


MASTER_KEYS_NEEDED: Final = "SELECT DISTINCT master_key FROM data_key"
COLUMNS: Final = "number, purpose, tenant_id, master_key, wrapped, made_at, retired_at"


def kept(where: str, *parameters: Any) -> Statement:
    """The data keys of which something is true."""
    return Statement(f"SELECT {COLUMNS} FROM data_key WHERE {where}", parameters)  # noqa: S608


def adding(key: DataKey) -> Statement:
    """Keep a new data key. The first values that it may seal are set aside with it."""
    seals = SEALS_AT_ONCE if key.purpose == SEALING else 0
    statement = f"INSERT INTO data_key ({COLUMNS}, seals) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"  # noqa: S608
    return Statement(statement, (*astuple(key), seals))


def setting_aside(key: DataKey) -> Statement:
    """Set further values aside that a data key may seal."""
    return Statement("UPDATE data_key SET seals = seals + $1 WHERE number = $2", (SEALS_AT_ONCE, key.number))


def retiring(key: DataKey, at: int) -> Statement:
    """Let a data key seal no more."""
    return Statement("UPDATE data_key SET retired_at = $1 WHERE number = $2", (at, key.number))


def keeping_wrapped(key: DataKey) -> Statement:
    """Keep a data key as it is wrapped now, and whether it is retired."""
    return Statement(
        "UPDATE data_key SET master_key = $1, wrapped = $2, retired_at = $3 WHERE number = $4",
        (key.master_key, key.wrapped, key.retired_at, key.number),
    )


def removing(tenant_id: int) -> Statement:
    """Remove the data keys of a tenant."""
    return Statement("DELETE FROM data_key WHERE tenant_id = $1", (tenant_id,))


def new_key(masters: MasterKeys, purpose: str, tenant_id: int, now: int) -> DataKey:
    """A data key that no one had before, wrapped with the current master key."""
    drawn = DataKey(secrets.randbits(62), purpose, tenant_id, "", b"", now)
    return masters.wrap(secrets.token_bytes(KEY_BYTES), drawn)


def wrapped_anew(masters: MasterKeys, key: DataKey, retired_at: int | None) -> DataKey:
    """A key, wrapped with the current master key and retired, if at all, at a moment."""
    return replace(masters.wrap(masters.unwrap(key), key), retired_at=key.retired_at or retired_at)


def has_room(key: DataKey, seals: int, masters: MasterKeys, now: int) -> bool:
    """Whether `SEALS_AT_ONCE` more values may be set aside for a key that has so many already. One whose epoch is over,
    or that is not under the current master key, seals no more."""
    is_of_now = key.made_at + EPOCH_AGE > now and key.master_key == masters.current
    return is_of_now and seals + SEALS_AT_ONCE <= SEALS_OF_AN_EPOCH


class DataKeyStore(ABC):
    """Data keys as they are kept, and the vault that uses them."""

    def __init__(self, reads: RowReader, vault: Vault, now: Callable[[], int]) -> None:
        self._reads = reads
        self._vault = vault
        self._now = now

    @property
    def master_keys(self) -> MasterKeys:
        """The master keys in use."""
        return self._vault.masters

    def use(self, master_keys: MasterKeys) -> None:
        """Wrap data keys with the current one of these from now on. All that were in use before must be among them."""
        self._vault.masters = master_keys
        self._vault.retire()

    async def signing(self) -> Mapping[str, Sequence[SigningKey]]:
        """Every key that signs or signed, by purpose; the one that signs now comes first."""
        by_purpose = defaultdict[str, list[SigningKey]](list)
        found = await self._kept("tenant_id = $1", OWN)
        for key in sorted(found, key=lambda key: (key.retired_at is None, key.made_at), reverse=True):
            by_purpose[key.purpose].append(SigningKey(key.number, self.master_keys.unwrap(key), key.retired_at))
        return by_purpose

    async def wrapped_by(self) -> dict[str, int]:
        """How many data keys lie under each master key, by its id."""
        counts = "SELECT master_key, count(*) FROM data_key GROUP BY master_key"
        return dict(await self._reads.rows(EVERY_TENANT, counts))

    async def _kept(self, where: str, *parameters: Any) -> list[DataKey]:
        sql, given = kept(where, *parameters)
        return [DataKey(*columns) for columns in await self._reads.rows(EVERY_TENANT, sql, *given)]

    async def wrap_with_current(self) -> None:
        """Encrypt every data key with the current master key, in small transactions; those that already are stay as
        they are. All earlier data keys are retired. If this is interrupted, the next call continues."""
        if set(await self.wrapped_by()) == {self.master_keys.current}:
            return
        while moved := await self._wrap_some(self._now()):
            self._vault.learn(moved)
        self._vault.learn(await self._sign_anew(self._now()))

    @abstractmethod
    async def _wrap_some(self, now: int) -> list[DataKey]:
        """Wrap some keys that seal with the current master key. Anyone who had the former master key may know them, so
        they seal no more."""

    @abstractmethod
    async def _sign_anew(self, now: int) -> list[DataKey]:
        """Wrap the keys that sign with the current master key, and make others to sign in their place. The one that
        proves the audit stays, as the proofs do, and the one that makes ids of contacts, as those do. This comes last,
        in one transaction: once nothing is left under another master key, all is done."""

    async def provide(self, tenant_ids: AbstractSet[int]) -> None:
        """See that there is a data key to seal with for each of these tenants, unless it was deleted."""
        now = self._now()
        lacking = sorted(tenant_id for tenant_id in tenant_ids if self._vault.lacks(tenant_id, now))
        if lacking:
            # Only keys that are committed may seal: a value under one that was rolled back could never be opened.
            for key in await self._set_aside(lacking, now):
                self._vault.seal_with(key, SEALS_AT_ONCE)

    @abstractmethod
    async def _set_aside(self, tenant_ids: Sequence[int], now: int) -> list[DataKey]:
        """The key of each tenant with which `SEALS_AT_ONCE` values more may be sealed, made if there is none. A deleted
        tenant gets none. One that has no room for them is retired."""

    @abstractmethod
    async def opened(self, table: Table[RowOf], found: Collection[Row]) -> list[RowOf]:
        """The rows of a table, with what is sealed in them. Raises StartError if that was altered."""

    @abstractmethod
    async def forget(self, tenant_id: int) -> None:
        """Destroy the data keys of a tenant: whatever was sealed for it can never be opened again."""
