"""The keys that encrypt and sign, as they are stored; `vault.py` says what they are for."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND
from signalpost.store.statements import Row
from signalpost.store.tables.table import RowOf, Table
from signalpost.store.vault import DataKey, MasterKeys

AT_ONCE: Final = 200
"""How many rows one transaction changes, so that others do not wait for it."""
SIGNS_ON: Final = 60 * SECOND
"""How long a key may sign after it was retired: until everybody has heard of its successor, and by as much as a clock
was set back."""


def signing_keys(kept: Iterable[DataKey], masters: MasterKeys) -> list[SigningKey]:
    """The keys of one purpose, unwrapped, the one that signs now first."""
    newest_first = sorted(kept, key=lambda key: (key.retired_at is None, key.made_at), reverse=True)
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
