"""Public keys (`whpk_…`), with which a receiver verifies what a subscription signs with its key pair: `v1a` of Standard
Webhooks, which is Ed25519. A public key signs nothing, so a receiver that has nothing else keeps no secret.

The standard library has no Ed25519, so this needs the extra `signalpost-receiver[ed25519]`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PUBLIC_PREFIX = "whpk_"
"""A public key begins with this; its 32 bytes follow, in base64."""
_VERSION = "v1a,"


def is_public_key(given: object) -> bool:
    """Whether a text means a public key. No such text is ever taken for a secret: anybody could sign with it."""
    return isinstance(given, str) and given.startswith(PUBLIC_PREFIX)


class PublicKey:
    """Verifies signatures with one public key. Immutable.

    Raises ConfigError for a text that is no public key, and without the extra.
    """

    __slots__ = ("_key",)

    def __init__(self, text: str) -> None:
        self._key = _loaded(_bytes_of(text))

    def fits(self, entry: str, signed: bytes) -> bool:
        """Whether an entry `v1a,…` of `webhook-signature` is this key's signature of what is signed."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(b64decode(entry.removeprefix(_VERSION)), signed)
        except InvalidSignature:
            return False
        return True


def _bytes_of(text: str) -> bytes:
    encoded = text.removeprefix(PUBLIC_PREFIX)
    try:
        key = b64decode(encoded)
    except ValueError:
        key = b""
    if len(key) != 32 or b64encode(key).decode() != encoded:
        raise ConfigError(f"a public key must be {PUBLIC_PREFIX} and the base64 of 32 bytes, as the gateway shows it")
    return key


def _loaded(key: bytes) -> Ed25519PublicKey:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ConfigError("a public key needs one package more: pip install 'signalpost-receiver[ed25519]'") from None
    return Ed25519PublicKey.from_public_bytes(key)
