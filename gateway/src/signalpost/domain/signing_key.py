"""Keys that sign what a gateway hands out and takes back: download links, the state of a consent.

One signs at a time. A key that was retired still vouches for what it signed before, and for nothing else: what it
signed has ended one lifetime after it was retired, so whoever comes into its possession can make nothing that lasts
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
        """Whether it can have signed, while it did, what ends at `expires_at` and was given `lifetime`."""
        return self.retired_at is None or expires_at <= self.retired_at + lifetime
