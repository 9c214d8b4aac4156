"""Links with which contacts have no more mail sent to them.

A link ends in a token: what stands for the address, and when it was made, with an HMAC-SHA256 over them. It proves that
a mail to the address was read, and nothing can be done with it but to unsubscribe that address.
Nothing is stored for a link. It works for a year, for as long as the address is a contact.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from struct import Struct as Layout
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Final
from uuid import UUID

from signalpost.domain.contacts import ContactIds
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import DAY

LIFETIME: Final = 365 * DAY
PATH: Final = "/unsubscribe/"
_FORMAT: Final = 1
_LAYOUT: Final = Layout(">BQ16s")
"""Together with the digest it is a multiple of three bytes, so base64 needs no padding."""
_DIGEST_BYTES: Final = 32
TOKEN_CHARACTERS: Final = (_LAYOUT.size + _DIGEST_BYTES) // 3 * 4


class UnsubscribeLinks:
    def __init__(self, keys: Sequence[SigningKey], ids: ContactIds, public_url: str) -> None:
        """`keys` sign these links, and nothing else."""
        self.sign_with(keys)
        self.ids = ids
        """The ids that stand for addresses in links."""
        self._prefix = public_url + PATH

    def sign_with(self, keys: Sequence[SigningKey]) -> None:
        """Sign with the first of these keys from now on, and read what any of them may have signed."""
        self._keys = tuple(keys)

    def link(self, contact_id: str, now: int) -> str:
        said = _LAYOUT.pack(_FORMAT, now + LIFETIME, UUID(contact_id).bytes)
        return self._prefix + urlsafe_b64encode(said + _digest(self._keys[0], said)).decode()

    def read(self, token: str, now: int) -> str | None:
        """The contact whose link ends in a token; None if it was not made here, or has ended."""
        try:
            raw = urlsafe_b64decode(token)
            said, digest = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
            _, ends_at, contact = _LAYOUT.unpack(said)
        except (ValueError, StructError):
            return None
        if now >= ends_at or not any(_vouches(key, said, digest, ends_at) for key in self._keys):
            return None
        return str(UUID(bytes=contact))


def _digest(key: SigningKey, said: bytes) -> bytes:
    return hmac.digest(key.secret, said, sha256)


def _vouches(key: SigningKey, said: bytes, digest: bytes, ends_at: int) -> bool:
    return hmac.compare_digest(_digest(key, said), digest) and key.vouches_for(ends_at, LIFETIME)
