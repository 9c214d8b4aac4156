"""Makes and reads the gateway's own download links (C10).

A link ends in a token: tenant, document, version and the microsecond at which it expires, with an HMAC-SHA256 over
them. The token itself proves what may be downloaded and until when, wherever the file is stored; nothing is stored for
a link.

The key that signs may be exchanged: then links that it signed before work until they expire.

Documents are stored without links: the `downloadUrl` of one of the gateway's own versions is empty, which no other can
be. Fresh links are put in when an event is built or an answer is given.
"""

import hmac
import re
from base64 import urlsafe_b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from hashlib import sha256
from struct import Struct as Layout
from typing import Final, NamedTuple

from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.version import Number
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND

LIFETIME: Final = 15 * 60 * SECOND
PATH: Final = "/files/"
_FORMAT = 1
_LAYOUT = Layout(">BQI16sII")
"""Layout of a token's content. Together with the digest it is a multiple of three bytes, so base64 needs no padding."""
_OF_DOCUMENT, _OF_NUMBER = Layout(">BQI16s"), Layout(">II")
"""The two halves of `_LAYOUT`. All links of a document made at one moment share the first."""
_DIGEST_BYTES, _BLOCK_BYTES = 32, 64
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{(_LAYOUT.size + _DIGEST_BYTES) // 3 * 4}}}")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_NO_LINK = b'"downloadUrl":""'
_VERSION = b'Version":{"number":"'
"""Before a version's number in a document as it is kept. No text in it can look so: inside of one, quotes have a
backslash."""
_OWN = re.compile(rb'([0-9]+)\.([0-9]+)","downloadUrl":"(?=")')


class LinkTarget(NamedTuple):
    """What a link gives access to, and until when (µs since the epoch)."""

    tenant_id: int
    document_id: str
    number: Number
    expires_at: int


class Links:
    def __init__(self, key: bytes, public_url: str) -> None:
        """`key`, of at most 64 bytes, signs links and nothing else. `public_url` is where clients reach the
        gateway."""
        self.sign_with([SigningKey(1, key)])
        self._prefix = public_url + PATH
        self._prefix_bytes = self._prefix.encode()
        self._last: tuple[bytes, int, bytes] = (b"", 0, b"")
        """A document, a moment, and the document with links of that moment: an event and the answer to its request
        share them."""

    def sign_with(self, keys: Sequence[SigningKey]) -> None:
        """Sign with the first of these keys from now on, and read what any of them may have signed."""
        self._signers = tuple(map(_Signer, keys))

    def link(self, linked: LinkTarget) -> str:
        of_document = _of_document(linked.tenant_id, linked.document_id, linked.expires_at)
        return self._prefix + self._token(of_document + _OF_NUMBER.pack(*linked.number)).decode()

    def read(self, token: str) -> LinkTarget | None:
        """What a token gives access to, expired or not; None if the token was made with none of the keys."""
        if not _TOKEN.fullmatch(token):
            return None
        raw = urlsafe_b64decode(token)
        said, digest = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        _, expires_at, tenant_id, document, major, minor = _LAYOUT.unpack(said)
        if not any(signer.signed(said, digest, expires_at) for signer in self._signers):
            return None
        text = document.hex()
        document_id = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return LinkTarget(tenant_id, document_id, Number(major, minor), expires_at)

    def leads_to(self, url: str, tenant_id: int, document_id: str, number: Number) -> bool:
        """Whether a URL is one of the gateway's own links to this version, expired or not."""
        linked = self.read(url.removeprefix(self._prefix)) if url.startswith(self._prefix) else None
        return linked is not None and linked[:3] == (tenant_id, document_id, number)

    def put_into(self, document: bytes, row: DocumentRow, tenant_id: int, at: int) -> bytes:
        """The JSON of a document, which is kept as `row`, with links that are made at `at`."""
        # Looking through the JSON takes as long as the rest of a small change, so the row is asked first.
        if row.last_number is None or _NO_LINK not in document:
            return document
        shown, shown_at, linked = self._last
        if shown is not document or shown_at != at:
            linked = self._put_into(document, tenant_id, row.external_id, at)
            self._last = (document, at, linked)
        return linked

    def _put_into(self, document: bytes, tenant_id: int, document_id: str, at: int) -> bytes:
        of_document = _of_document(tenant_id, document_id, at + LIFETIME)
        head, *rest = document.split(_VERSION)
        parts = [head]
        tokens: dict[bytes, bytes] = {}
        """The latest version is often the published one."""
        for part in rest:
            found = _OWN.match(part)
            if found is None:
                parts += _VERSION, part
                continue
            token = tokens.get(found[0])
            if token is None:
                token = self._token(of_document + _OF_NUMBER.pack(int(found[1]), int(found[2])))
                tokens[found[0]] = token
            parts += _VERSION, found[0], self._prefix_bytes, token, part[found.end() :]
        return b"".join(parts)

    def _token(self, said: bytes) -> bytes:
        return b2a_base64(said + self._signers[0].digest(said), newline=False).translate(_URL_SAFE)


class _Signer:
    """HMAC-SHA256 through copied hash states, which takes a third of the time of the library's."""

    def __init__(self, key: SigningKey) -> None:
        padded = key.secret.ljust(_BLOCK_BYTES, b"\0")
        self._key = key
        self._inner = sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in padded))

    def digest(self, said: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(said)
        outer.update(inner.digest())
        return outer.digest()

    def signed(self, said: bytes, digest: bytes, expires_at: int) -> bool:
        return hmac.compare_digest(self.digest(said), digest) and self._key.vouches_for(expires_at, LIFETIME)


def _of_document(tenant_id: int, document_id: str, expires_at: int) -> bytes:
    return _OF_DOCUMENT.pack(_FORMAT, expires_at, tenant_id, bytes.fromhex(document_id.replace("-", "")))
