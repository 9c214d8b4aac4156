"""What all answers have in common."""

from typing import Annotated

from msgspec import Meta, Struct

Cursor = Annotated[str | None, Meta(description="Pass it as `cursor` to get the next page; null on the last page.")]
SHOWN_FOR_AN_HOUR = "Null if the call is repeated with the same `Idempotency-Key` more than an hour later."


class Shape(Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer; its names on the wire are in camel case."""
