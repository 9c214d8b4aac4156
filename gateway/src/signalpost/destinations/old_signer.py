"""Signs a webhook as another system did, beside the gateway's own signatures (`domain/old_signature.py`)."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final

from signalpost.domain.old_signature import BODY, ID, TIMESTAMP, Algorithm, OldSignature
from signalpost_receiver.sign import KeyedHash

_DIGESTS: Final[dict[Algorithm, Callable[[bytes], "hashlib._Hash"]]] = {
    Algorithm.SHA1: hashlib.sha1,  # in HMAC it is not broken, and some receivers know no other
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
}


class OldSigner:
    """Signs with one secret. Immutable."""

    def __init__(self, signature: OldSignature) -> None:
        self._header = signature.header
        self._prefix = signature.prefix
        self._is_hex = signature.encoding == "hex"
        self._before, self._after = signature.over.split(BODY)
        self._hash = KeyedHash(signature.secret.encode(), _DIGESTS[signature.algorithm])

    def line(self, event_id: str, timestamp: int, body: bytes) -> str:
        """The header line. `timestamp` is the attempt's time in whole seconds."""
        before, after = self.around_body(event_id, timestamp)
        return self.line_with(self._hash.of(before, body, after), timestamp)

    def signing(self, event_id: str, timestamp: int) -> "OldSigning":
        """Begin to sign a body that is given piece by piece."""
        return OldSigning(self, self._hash, event_id, timestamp)

    def around_body(self, event_id: str, timestamp: int) -> tuple[bytes, bytes]:
        """What is signed before the body, and after it."""
        before, after = (
            text.replace(ID, event_id).replace(TIMESTAMP, str(timestamp)).encode()
            for text in (self._before, self._after)
        )
        return before, after

    def line_with(self, mac: bytes, timestamp: int) -> str:
        """The header line with this hash."""
        value = mac.hex() if self._is_hex else b64encode(mac).decode()
        return f"{self._header}: {self._prefix.replace(TIMESTAMP, str(timestamp))}{value}\r\n"


class OldSigning:
    """The signature of one body that is given piece by piece."""

    def __init__(self, signer: OldSigner, keyed: KeyedHash, event_id: str, timestamp: int) -> None:
        before, self._after = signer.around_body(event_id, timestamp)
        self._signer = signer
        self._timestamp = timestamp
        self._keyed = keyed
        self._hash = keyed.begin()
        self._hash.update(before)

    def update(self, piece: bytes) -> None:
        """Add the next piece of the body."""
        self._hash.update(piece)

    def line(self) -> str:
        """The header line, once the whole body was given."""
        self._hash.update(self._after)
        return self._signer.line_with(self._keyed.end(self._hash), self._timestamp)
