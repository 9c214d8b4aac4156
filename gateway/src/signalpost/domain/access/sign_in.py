"""Sessions of people in a browser, and the links that sign a person in once.

A person who has the token of a session, or of a link, is its holder. Both are random (256 bits), and only their hash is
kept. Each serves one **purpose**, and opens nothing if another is wanted. Each comes from a **ground**: the API key
that was typed in, or the member who typed a password. It is worth something only as long as its ground is: the ground
is looked at whenever the session is used, so a session needs no end of its own when a key is revoked or a member
removed.

    link ──used once──▶ session ──▶ ended: signed out, unused for `IDLE`, at `ends_at`, or its ground is gone
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from signalpost.domain.timestamps import SECOND

IDLE: Final = 30 * 60 * SECOND
"""A session that was not used for so long has ended (µs)."""
LIFETIME: Final = 12 * 3600 * SECOND
"""A session of the console ends so long after it began, however it was used (µs)."""
LINK_LIFETIME: Final = 15 * 60 * SECOND
"""A link signs a person in within this time (µs)."""
USE_NOTED_EVERY: Final = 60 * SECOND
"""The use of a session is written down so often at most, so that opening a page writes nothing as a rule (µs). So a
session may end that much too early."""
PROOF_LASTS: Final = 10 * 60 * SECOND
"""How long after a key or a password was typed what is risky may be done without typing it again (µs)."""
MAX_OF_GROUND: Final = 50
"""How many sessions, and how many links of each purpose, one ground has at most; the oldest make room."""
TOKEN_BYTES: Final = 32


class Purpose(StrEnum):
    """What a session or a link is good for."""

    CONSOLE = "console"
    PORTAL = "portal"


class Ground(NamedTuple):
    """What a session or a link comes from, and is worth no more than."""

    kind: Literal["key", "member", "portal-link"]
    id: str
    """The id of the key or of the member; `operator` for the key of the settings."""
    proof: bytes
    """What must still be true of the ground: a key's hash, the generation of a member."""


class Whence(NamedTuple):
    """From where a person came in, for them to recognise their own sessions by."""

    address: str | None = None
    """The client's address, as far as trusted proxies vouch for it."""
    browser: str | None = None
    """Roughly: which browser, on which system."""


UNKNOWN_WHENCE: Final = Whence()


class Session(Struct, frozen=True, kw_only=True):
    """The times are µs since the epoch."""

    hash: bytes
    """The hash of the token."""
    purpose: Purpose
    ground: Ground
    began_at: int
    ends_at: int
    """When it ends, however it was used."""
    used_at: int
    """When it was last used, as far as that is written down."""
    proved_at: int
    """When its holder last showed a key or a password, or came by a link."""
    whence: Whence = UNKNOWN_WHENCE

    def has_ended(self, now: int) -> bool:
        return now - self.used_at >= IDLE or now >= self.ends_at

    def is_proved(self, now: int) -> bool:
        """Whether its holder has lately shown who they are, which risky changes require."""
        return now - self.proved_at < PROOF_LASTS

    def is_use_to_be_noted(self, now: int) -> bool:
        return now - self.used_at >= USE_NOTED_EVERY


class Link(Struct, frozen=True, kw_only=True):
    hash: bytes
    """The hash of the token."""
    purpose: Purpose
    ground: Ground
    expires_at: int


def make_token(random_bytes: Callable[[int], bytes]) -> str:
    """43 characters that stand for 256 random bits."""
    return urlsafe_b64encode(random_bytes(TOKEN_BYTES)).decode().rstrip("=")


def hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
