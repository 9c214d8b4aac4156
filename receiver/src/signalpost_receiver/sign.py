"""The two signatures of a delivery, and the secrets they are keyed with (C19 to C21).

The gateway signs with this module and receivers verify with it, so the two ends cannot drift.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Callable
from typing import Literal

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

STANDARD_PREFIX = "whsec_"
"""What a Standard Webhooks secret begins with; base64 follows."""


class Signer:
    """Signs bodies with one token. Immutable, and safe to share between threads.

    Raises ConfigError for a token that is empty, not a string, or not encodable as UTF-8.
    """

    __slots__ = ("_page", "_standard")

    def __init__(self, token: str) -> None:
        # Copied for every body: so the key is hashed once.
        self._page = keyed_hash(_token_bytes(token), "sha512")
        self._standard = keyed_hash(_standard_key(token), "sha256")

    def signing(self, message_id: str, timestamp: int) -> Signing:
        """Begin to sign a body that is given piece by piece."""
        standard = self._standard.copy()
        standard.update(f"{message_id}.{timestamp}.".encode())
        return Signing(self._page.copy(), standard)

    def page_signature(self, body: bytes) -> str:
        """The value of `plexus-webhook-signature`: 128 lower-case hex digits (C19)."""
        mac = self._page.copy()
        mac.update(body)
        return mac.hexdigest()

    def standard_signature(self, message_id: str, timestamp: int, body: bytes) -> str:
        """One entry of `webhook-signature`: `v1,` and 44 characters of base64 (C20).

        `message_id` is the event's id, `timestamp` the attempt's time in whole seconds since the epoch.
        Entries of several tokens are joined by one space (C21).
        """
        mac = self._standard.copy()
        mac.update(f"{message_id}.{timestamp}.".encode())
        mac.update(body)
        return _standard_value(mac)


class Signing:
    """Both signatures of one body that is given piece by piece. `Signer.signing` begins one."""

    __slots__ = ("_page", "_standard")

    def __init__(self, page: hmac.HMAC, standard: hmac.HMAC) -> None:
        self._page = page
        self._standard = standard

    def update(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        self._page.update(piece)
        self._standard.update(piece)

    def page_signature(self) -> str:
        """See `Signer.page_signature`."""
        return self._page.hexdigest()

    def standard_signature(self) -> str:
        """See `Signer.standard_signature`."""
        return _standard_value(self._standard)


def _standard_value(mac: hmac.HMAC) -> str:
    return "v1," + b2a_base64(mac.digest(), newline=False).decode()


def keyed_hash(key: bytes, digest: Literal["sha256", "sha512"]) -> hmac.HMAC:
    """An HMAC (RFC 2104) of nothing yet. All signatures are made of such ones, and RFC 4231 has its known answers."""
    return hmac.new(key, digestmod=digest)


def make_token(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A new token: `whsec_` and base64 of 32 random bytes, 50 characters, good for both signatures (C20)."""
    return STANDARD_PREFIX + b64encode(random_bytes(32)).decode()


def standard_secret(token: str) -> str:
    """What to give a Standard Webhooks library as its secret (C20).

    A token in that form is its own; any other becomes `whsec_` and base64 of its UTF-8 bytes.
    Raises ConfigError as `Signer` does.
    """
    return STANDARD_PREFIX + b64encode(_standard_key(token)).decode()


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
