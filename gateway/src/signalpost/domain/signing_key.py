"""Keys that sign what a gateway hands out and takes back: download links, the state of a consent.

One key signs at a time. A retired key still verifies what it signed before it was retired, and nothing else. All of
that has expired one lifetime after the key was retired, so a person who obtains the key can make nothing that lasts
longer.
"""

from msgspec import Struct


class SigningKey(Struct, frozen=True):
    number: int
    secret: bytes
    retired_at: int | None = None
    """The moment (µs since the epoch) from which on it signs no more; None if it signs."""

    def __repr__(self) -> str:
        return f"SigningKey({self.number}, retired_at={self.retired_at})"

    def vouches_for(self, expires_at: int, lifetime: int) -> bool:
        """Whether it was still signing when a text that lives for `lifetime` and ends at `expires_at` was signed."""
        return self.retired_at is None or expires_at <= self.retired_at + lifetime
