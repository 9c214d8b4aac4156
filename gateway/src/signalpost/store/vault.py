"""Secrets at rest: AES-256-GCM under the master key, bound to the row that holds them."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from signalpost.domain.errors import StartError

KEY_BYTES = 32
_NONCE_BYTES = 12


def derive_key(master_key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose. It tells nothing of the master key or of the keys for other purposes."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"signalpost {purpose}".encode()).derive(master_key)


class Vault:
    """Seals and opens secrets with one master key. Raises StartError where that key has the wrong length."""

    def __init__(self, master_key: bytes) -> None:
        if len(master_key) != KEY_BYTES:
            raise StartError(f"MASTER_KEY must be {KEY_BYTES} bytes, as base64; it has {len(master_key)}.")
        self._cipher = AESGCM(master_key)

    def seal(self, plain: bytes, row: str) -> bytes:
        """`plain`, readable only with the master key and only as part of `row`."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """The inverse of `seal`. Raises StartError where the key is another one or the row was altered."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except (InvalidTag, ValueError):
            raise StartError(
                "MASTER_KEY does not open what this database holds: give the key that it was made with."
            ) from None
