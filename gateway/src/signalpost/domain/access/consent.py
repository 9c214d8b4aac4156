"""The state of an authorisation request (RFC 6749, 10.12): which connection a person's consent is for.

It is signed, is good for ten minutes, and names a nonce. The browser that was sent to the vendor has a cookie that
follows from the nonce, so that no one can have another's browser bring a consent. PKCE's verifier follows from the
nonce too (RFC 7636), so nothing is stored between the two visits.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from signalpost.domain.errors import Forbidden
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND

LIFETIME: Final = 10 * 60 * SECOND
COOKIE: Final = "signalpost-consent"
CALLBACK: Final = "/oauth/callback"
_DIGEST_BYTES = 32


class Ticket(Struct, frozen=True):
    """What a state says."""

    tenant_id: int
    connection_id: str
    nonce: str
    expires_at: int
    """µs since the epoch."""
    signed_by: int
    """The number of the key that signs it."""


class Tickets:
    """Writes and reads states. Each can be used once, as far as this process knows; a vendor takes a code once too."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        """`keys` sign states, and nothing else."""
        self.sign_with(keys)
        self._used: dict[str, int] = {}
        """The nonces that were used, with the moment until which they are remembered."""

    def sign_with(self, keys: Sequence[SigningKey]) -> None:
        """Sign with the first of these keys from now on, and read what any of them may have signed."""
        self._signed_by = keys[0].number
        self._keys = {key.number: key for key in keys}

    def make(self, tenant_id: int, connection_id: str, nonce: str, now: int) -> Ticket:
        return Ticket(tenant_id, connection_id, nonce, now + LIFETIME, self._signed_by)

    def write(self, ticket: Ticket) -> str:
        """The state that carries a ticket."""
        content = msgspec.json.encode(ticket)
        return urlsafe_b64encode(self._mac(ticket, "state", content) + content).decode().rstrip("=")

    def read(self, state: str, now: int) -> Ticket:
        """The ticket of a state. Raises Forbidden if it was altered, has ended or was used."""
        try:
            raw = urlsafe_b64decode(state + "=" * (-len(state) % 4))
            mac, content = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
            ticket = msgspec.json.decode(content, type=Ticket)
        except (ValueError, msgspec.DecodeError):
            raise refused() from None
        key = self._keys.get(ticket.signed_by)
        if key is None or not hmac.compare_digest(mac, self._mac(ticket, "state", content)):
            raise refused()
        if not key.vouches_for(ticket.expires_at, LIFETIME):
            raise refused()
        if ticket.expires_at <= now or ticket.nonce in self._used:
            raise refused()
        return ticket

    def use(self, ticket: Ticket, now: int) -> None:
        """Let a ticket be read no more."""
        self._used = {nonce: end for nonce, end in self._used.items() if end > now}
        self._used[ticket.nonce] = ticket.expires_at

    def cookie(self, ticket: Ticket) -> str:
        """What the browser brings back that was sent to the vendor."""
        return self._mac(ticket, "cookie", ticket.nonce.encode()).hex()

    def is_cookie(self, ticket: Ticket, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.cookie(ticket).encode())

    def verifier(self, ticket: Ticket) -> str:
        """PKCE's verifier: 43 characters."""
        return urlsafe_b64encode(self._mac(ticket, "verifier", ticket.nonce.encode())).decode().rstrip("=")

    def challenge(self, ticket: Ticket) -> str:
        """The S256 challenge of the verifier."""
        return urlsafe_b64encode(sha256(self.verifier(ticket).encode()).digest()).decode().rstrip("=")

    def _mac(self, ticket: Ticket, purpose: str, content: bytes) -> bytes:
        return hmac.digest(self._keys[ticket.signed_by].secret, purpose.encode() + b"\0" + content, sha256)


def refused() -> Forbidden:
    """The answer to every state that is not right; it does not say why."""
    detail = "This consent was not requested here, has expired or was already used. Connect the connection again."
    return Forbidden("consent_refused", detail)


def authorize_url(url: str, parameters: dict[str, str]) -> str:
    """A vendor's authorisation page with the parameters of a request."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
