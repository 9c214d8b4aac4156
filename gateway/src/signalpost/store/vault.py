"""Secrets at rest.

A *master key* is the operator's. It encrypts nothing but *data keys*, which the gateway makes and keeps in its
database, wrapped. A data key belongs to one tenant and one epoch, and encrypts (AES-256-GCM) what is kept of that
tenant: erase it, and everything under it is unreadable. A new epoch begins long before a key has sealed so much that
two of its random nonces could be the same, and at the latest after `EPOCH_AGE`.

A sealed value opens in its place only. The place is the kind of row, its tenant, its id and its version, so neither
another row's value nor an earlier one of the same row can be put there.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from struct import Struct as Layout
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.access.tenant import Tenant
from signalpost.domain.errors import StartError, Unavailable
from signalpost.domain.timestamps import SECOND

KEY_BYTES: Final = 32
EPOCH_AGE: Final = 90 * 24 * 3600 * SECOND
SEALS_AT_ONCE: Final = 1 << 20
"""How many values a data key may seal before that is written down again; a restart takes them all for sealed."""
SEALS_OF_AN_EPOCH: Final = 1 << 28
"""Random nonces of 96 bits repeat with a chance of 2^-32 after 2^32 values, the bound of NIST SP 800-38D; after these
it is 2^-41."""
SEALS_LEFT: Final = 1 << 16
"""More values than one transaction ever seals: with fewer left, the next ones are set aside first."""
SEALING: Final = "sealing"
LINKS: Final = "download links"
CONSENTS: Final = "consents"
UNSUBSCRIBING: Final = "unsubscribing"
EVIDENCE: Final = "evidence"
SIGNING: Final = (LINKS, CONSENTS, UNSUBSCRIBING, EVIDENCE)
"""What the gateway's own keys sign."""
AUDIT: Final = "audit"
"""What proves the entries of the audit. It stays the same for good, whatever wraps it."""
CONTACTS: Final = "contacts"
"""What the ids of contacts are made with. It stays the same for good, too, as they do."""
OWN_PURPOSES: Final = (*SIGNING, AUDIT, CONTACTS)
"""What there is a key of the gateway's own for."""
OWN: Final = 0
"""In place of a tenant: data keys of the gateway itself, which sign."""

_NONCE_BYTES = 12
MARK = b"sealed 2"
"""The first bytes of every sealed value."""
_HEADER = Layout(f">{len(MARK)}sQ")


class Place(NamedTuple):
    """Where a sealed value is kept."""

    kind: str
    """A word for the column."""
    tenant_id: int
    row: str
    version: int
    """The row's version: it changes with every value."""


class DataKey(Struct, frozen=True):
    """A data key as it is kept."""

    number: int
    """Drawn at random, so that two databases that were restored from one backup give none to two keys."""
    purpose: str
    """`SEALING`, or what it signs."""
    tenant_id: int
    master_key: str
    """The id of the master key that wraps it."""
    wrapped: bytes
    made_at: int
    retired_at: int | None = None
    """From then on it seals and signs no more."""


def derive_key(master_key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose. It tells nothing of the master key or of the keys for other purposes."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"signalpost {purpose}".encode()).derive(master_key)


class MasterKeys:
    """The master keys that the operator gave. The first is the current one, which wraps; the others are earlier ones,
    which only unwrap. Each has an id, which is computed from the key and does not reveal it."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises StartError if a key has the wrong length."""
        for key in keys:
            if len(key) != KEY_BYTES:
                raise StartError(f"MASTER_KEY must be {KEY_BYTES} bytes, as base64; it has {len(key)}.")
        self._keys = tuple(keys)
        by_id = {derive_key(key, "id")[:4].hex(): key for key in keys}
        self.ids = tuple(by_id)
        self.current = self.ids[0]
        self._wrapping = {name: AESGCM(derive_key(key, "wrapping")) for name, key in by_id.items()}

    def after(self, key: bytes) -> "MasterKeys":
        """The master keys once `key` is the current one."""
        return MasterKeys([key, *self._keys])

    def wrap(self, secret: bytes, key: DataKey) -> DataKey:
        """`key` with `secret` wrapped by the current master key."""
        nonce = os.urandom(_NONCE_BYTES)
        wrapped = nonce + self._wrapping[self.current].encrypt(nonce, secret, _wrapped_place(key))
        return replace(key, master_key=self.current, wrapped=wrapped)

    def unwrap(self, key: DataKey) -> bytes:
        """The data key itself. Raises StartError if its master key was not given, or it was altered."""
        cipher = self._wrapping.get(key.master_key)
        if cipher is None:
            raise StartError(self.lacks((key.master_key,)))
        try:
            return cipher.decrypt(key.wrapped[:_NONCE_BYTES], key.wrapped[_NONCE_BYTES:], _wrapped_place(key))
        except (InvalidTag, ValueError):
            raise StartError(f"Data key {key.number} was altered. Restore the database from a backup.") from None

    def lacks(self, needed: Iterable[str]) -> str:
        """What to say where master keys are needed that were not given."""
        given = "the one that was given is" if len(self.ids) == 1 else "those that were given are"
        return (
            f"MASTER_KEY: this database needs the master key {' and '.join(sorted(needed))}; {given} "
            f"{', '.join(self.ids)}. Give every key that it needs, the newest first: separated by commas in "
            "MASTER_KEY, or a line for each in the key's file."
        )


class _Sealing:
    """The data key that seals for a tenant."""

    def __init__(self, number: int, cipher: AESGCM, ends_at: int) -> None:
        self.header = _HEADER.pack(MARK, number)
        self.cipher = cipher
        self.ends_at = ends_at
        self.left = 0


class DataKeysLetGo(Unavailable):
    """The vault let go of its data keys after a tenant was given one and before that was used: nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The data keys are being read again: nothing was changed. Repeat the request.")


class Vault:
    """Seals and opens with the data keys that it was shown. It unwraps each when it is first needed, and keeps it.

    One thread seals; any thread opens."""

    def __init__(self, masters: MasterKeys, find: Callable[[int], DataKey | None] = lambda _number: None) -> None:
        """`find` reads a data key that the vault was not shown, because another node made it; None if there is none."""
        self.masters = masters
        self._find = find
        self._keys: dict[int, DataKey] = {}
        self._ciphers: dict[int, AESGCM] = {}
        self._sealing: dict[int, _Sealing] = {}
        """What seals now, by tenant."""

    def learn(self, keys: Iterable[DataKey]) -> None:
        """Take notice of data keys that are kept."""
        self._keys.update((key.number, key) for key in keys)

    def knows(self, sealed: Iterable[bytes]) -> bool:
        """Whether it was shown the data key of each of these values."""
        return all(_key_of(value) in self._keys for value in sealed)

    def seal_with(self, key: DataKey, seals: int) -> None:
        """Seal with a data key from now on; `seals` more values were set aside for it."""
        self.learn([key])
        known = self._sealing.get(key.tenant_id)
        header = _HEADER.pack(MARK, key.number)
        if known is None or known.header != header:
            known = _Sealing(key.number, self._cipher(key.number), key.made_at + EPOCH_AGE)
            self._sealing[key.tenant_id] = known
        known.left += seals

    def lacks(self, tenant_id: int, now: int) -> bool:
        """Whether a data key must be made for a tenant, or seals set aside, before more is sealed for it."""
        sealing = self._sealing.get(tenant_id)
        return sealing is None or sealing.left < SEALS_LEFT or sealing.ends_at <= now

    def retire(self) -> None:
        """Ask for other data keys from now on. The present ones seal until the new ones are available."""
        for sealing in self._sealing.values():
            sealing.ends_at = 0

    def let_go(self) -> None:
        """Seal nothing more with the present data keys: the database may have lost them, and then what they sealed
        could never be opened."""
        self._sealing.clear()

    def forget(self, tenant_id: int) -> None:
        """Forget the data keys of a tenant."""
        self._sealing.pop(tenant_id, None)
        for number in [key.number for key in list(self._keys.values()) if key.tenant_id == tenant_id]:
            del self._keys[number]
            self._ciphers.pop(number, None)

    def forget_deleted(self, tenants: Iterable[Tenant]) -> None:
        """Forget the data keys of those tenants that are deleted."""
        for tenant in tenants:
            if tenant.deleted_at is not None:
                self.forget(tenant.id)

    def seal(self, plain: bytes, place: Place) -> bytes:
        """Encrypt `plain` so that it can be opened only in its place. The tenant must not lack a data key. Raises
        DataKeysLetGo if its keys were let go of since."""
        sealing = self._sealing.get(place.tenant_id)
        if sealing is None:
            raise DataKeysLetGo
        sealing.left -= 1
        nonce = os.urandom(_NONCE_BYTES)
        return sealing.header + nonce + sealing.cipher.encrypt(nonce, plain, _bound(sealing.header, place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The inverse of `seal`. Raises StartError if the value was altered or is not of this place, or its data key
        is gone."""
        header, rest = sealed[: _HEADER.size], sealed[_HEADER.size :]
        number = _key_of(sealed)
        try:
            return self._cipher(number).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(header, place))
        except (KeyError, InvalidTag, ValueError):
            raise _not_opened(place) from None

    def _cipher(self, number: int) -> AESGCM:
        cipher = self._ciphers.get(number)
        if cipher is None:
            if number not in self._keys and (found := self._find(number)) is not None:
                self.learn([found])
            cipher = self._ciphers[number] = AESGCM(self.masters.unwrap(self._keys[number]))
        return cipher


def _key_of(sealed: bytes) -> int:
    """The number of the data key that opens a value; 0, which none has, if the value was cut off."""
    return int(_HEADER.unpack_from(sealed)[1]) if len(sealed) >= _HEADER.size else 0


def _not_opened(place: Place) -> StartError:
    return StartError(
        f"The encrypted value of {place.kind} {place.row} was altered, or moved there from another place. Restore the "
        "database from a backup."
    )


def _bound(header: bytes, place: Place) -> bytes:
    # The row's id comes last: it alone may have spaces.
    return header + f" {place.kind} {place.tenant_id} {place.version} {place.row}".encode()


def _wrapped_place(key: DataKey) -> bytes:
    return f"data key {key.number} {key.purpose} {key.tenant_id}".encode()
