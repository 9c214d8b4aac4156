"""The keys that encrypt and sign, as they are stored; `vault.py` says what they are for."""

import secrets
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol

from msgspec.structs import astuple, replace

from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND
from signalpost.store.statements import Row, Statement
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import (
    EPOCH_AGE,
    KEY_BYTES,
    SEALING,
    SEALS_AT_ONCE,
    SEALS_OF_AN_EPOCH,
    DataKey,
    MasterKeys,
)

AT_ONCE: Final = 200
"""How many rows one transaction changes, so that others do not wait for it."""
SIGNS_ON: Final = 60 * SECOND
"""How long a key may sign after it was retired: until everybody has heard of its successor, and by as much as a clock
was set back."""


COLUMNS: Final = "number, purpose, tenant_id, master_key, wrapped, made_at, retired_at"
WRAPPED_BY: Final = "SELECT master_key, count(*) FROM data_key GROUP BY master_key"


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


def signing_keys(found: Iterable[DataKey], masters: MasterKeys) -> list[SigningKey]:
    """The keys of one purpose, unwrapped, the one that signs now first."""
    newest_first = sorted(found, key=lambda key: (key.retired_at is None, key.made_at), reverse=True)
    return [SigningKey(key.number, masters.unwrap(key), key.retired_at) for key in newest_first]


class DataKeyStore(Protocol):
    """Data keys as they are kept, and the vault that uses them."""

    async def signing(self, purpose: str) -> list[SigningKey]:
        """Every key that signs or signed for a purpose, the one that signs now first."""
        ...

    async def opened(self, table: Table[RowOf], found: Collection[Row]) -> list[RowOf]:
        """The rows of a table, with what is sealed in them. Raises StartError if that was altered."""
        ...

    @property
    def master_keys(self) -> MasterKeys:
        """The master keys in use."""
        ...

    async def wrapped_by(self) -> dict[str, int]:
        """How many data keys lie under each master key, by its id."""
        ...

    def use(self, master_keys: MasterKeys) -> None:
        """Wrap with the current one of these from now on. They must have all that were in use before."""
        ...

    async def wrap_with_current(self) -> None:
        """Encrypt every data key with the current master key, in small transactions; those that already are stay as
        they are. All earlier data keys are retired. If this is interrupted, the next call continues."""
        ...

    async def provide(self, tenant_ids: AbstractSet[int]) -> None:
        """See that there is a data key to seal with for each of these tenants, unless it was deleted."""
        ...

    async def forget(self, tenant_id: int) -> None:
        """Destroy the data keys of a tenant: whatever was sealed for it can never be opened again."""
        ...
