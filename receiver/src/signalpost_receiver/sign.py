"""The two signatures of a delivery, and the secrets they are keyed with (C19 to C21).

The gateway signs with this module and receivers verify with it, so the two ends cannot drift.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Callable

from .errors import ConfigError

PAGE_SIGNATURE = "plexus-webhook-signature"
PAGE_SIGNATURE_ALTERNATE = "plexus-webhook-signature-alternate"
STANDARD_ID = "webhook-id"
STANDARD_TIMESTAMP = "webhook-timestamp"
STANDARD_SIGNATURE = "webhook-signature"
SEQUENCE = "signalpost-sequence"
ATTEMPT = "signalpost-attempt"
REPLAY = "signalpost-replay"
TEST = "signalpost-test"
SHADOW = "signalpost-shadow"

READER_PREFIX = "spr_"
"""What the key of a reader begins with."""
READER_PURPOSE = b"signalpost reader key"
"""What is signed to make the key of a reader: no body of an event is that."""
STANDARD_PREFIX = "whsec_"
"""What a Standard Webhooks secret begins with; base64 follows."""


class Signer:
    """Signs bodies with one token. Immutable, and safe to share between threads.

    Raises ConfigError for a token that is empty, not a string, or not encodable as UTF-8.
    """

    __slots__ = ("_page", "_standard")

    def __init__(self, token: str) -> None:
        self._page = KeyedHash(_token_bytes(token), hashlib.sha512)
        self._standard = KeyedHash(_standard_key(token), hashlib.sha256)

    def signing(self, message_id: str, timestamp: int) -> Signing:
        """Begin to sign a body that is given piece by piece."""
        return Signing(self._page, self._standard, f"{message_id}.{timestamp}.".encode())

    def page_signature(self, body: bytes) -> str:
        """The value of `plexus-webhook-signature`: 128 lower-case hex digits (C19)."""
        return self._page.of(body).hex()

    def standard_signature(self, message_id: str, timestamp: int, body: bytes) -> str:
        """One entry of `webhook-signature`: `v1,` and 44 characters of base64 (C20).

        `message_id` is the event's id, `timestamp` the attempt's time in whole seconds since the epoch.
        Entries of several tokens are joined by one space (C21).
        """
        return _standard_value(self._standard.of(f"{message_id}.{timestamp}.".encode(), body))


class Signing:
    """Both signatures of one body that is given piece by piece. `Signer.signing` begins one."""

    __slots__ = ("_page", "_page_hash", "_standard", "_standard_hash")

    def __init__(self, page: KeyedHash, standard: KeyedHash, before_body: bytes) -> None:
        """`before_body` is what the second signature covers before the body."""
        self._page_hash, self._standard_hash = page, standard
        self._page, self._standard = page.begin(), standard.begin()
        self._standard.update(before_body)

    def update(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        self._page.update(piece)
        self._standard.update(piece)

    def page_signature(self) -> str:
        """See `Signer.page_signature`."""
        return self._page_hash.end(self._page).hex()

    def standard_signature(self) -> str:
        """See `Signer.standard_signature`."""
        return _standard_value(self._standard_hash.end(self._standard))


def _standard_value(mac: bytes) -> str:
    return "v1," + b2a_base64(mac, newline=False).decode()


class KeyedHash:
    """HMAC (RFC 2104) with one key, which is hashed once. RFC 4231 has its known answers.

    To copy an `hmac` object for each message instead takes a fifth longer.
    """

    __slots__ = ("_begin_inner", "_begin_outer")

    def __init__(self, key: bytes, digest: Callable[[bytes], hashlib._Hash]) -> None:
        block = digest(b"").block_size
        if len(key) > block:
            key = digest(key).digest()
        key = key.ljust(block, b"\0")
        self._begin_inner = digest(bytes(byte ^ 0x36 for byte in key)).copy
        self._begin_outer = digest(bytes(byte ^ 0x5C for byte in key)).copy

    def of(self, *parts: bytes) -> bytes:
        """The hash of a message, given in parts."""
        inner = self._begin_inner()
        for part in parts:
            inner.update(part)
        return self.end(inner)

    def begin(self) -> hashlib._Hash:
        """What takes a message piece by piece, until `end`."""
        return self._begin_inner()

    def end(self, inner: hashlib._Hash) -> bytes:
        """The hash of the message that was given to what `begin` returned."""
        outer = self._begin_outer()
        outer.update(inner.digest())
        return outer.digest()


def make_token(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new token: `whsec_` and base64 of 32 random bytes, 50 characters, good for both signatures (C20)."""
    return STANDARD_PREFIX + b64encode(random_bytes(32)).decode()


def standard_secret(token: str) -> str:
    """What to give a Standard Webhooks library as its secret (C20).

    A token in that form is its own; any other becomes `whsec_` and base64 of its UTF-8 bytes.
    Raises ConfigError as `Signer` does.
    """
    return STANDARD_PREFIX + b64encode(_standard_key(token)).decode()


def reader_key(token: str) -> str:
    """The key with which the reader of a subscription asks for its events: made of the secret, and says nothing of it.

    Raises ConfigError as `Signer` does.
    """
    made = hmac.digest(_token_bytes(token), READER_PURPOSE, "sha256")
    return READER_PREFIX + urlsafe_b64encode(made).decode().rstrip("=")


def _token_bytes(token: str) -> bytes:
    try:
        key = token.encode()
    except (AttributeError, UnicodeEncodeError):  # None or bytes; lone surrogates
        raise ConfigError("a token must be a string that UTF-8 can encode") from None
    if not key:
        raise ConfigError("a token must not be empty: anybody could sign with it")
    return key


def _standard_key(token: str) -> bytes:
    whole = _token_bytes(token)
    encoded = token.removeprefix(STANDARD_PREFIX)
    if encoded != token:
        try:
            key = b64decode(encoded)
        except ValueError:
            return whole
        # The sizes that Standard Webhooks allows. Only canonical base64, so that one key has one spelling.
        if 24 <= len(key) <= 64 and b64encode(key).decode() == encoded:
            return key
    return whole
