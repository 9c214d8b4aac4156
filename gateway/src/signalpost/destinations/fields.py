"""The types of which the structs of kinds are made: texts with placeholders, and secrets.

`secret(…)` and the types with placeholders are found again by what they carry in `Meta(extra=…)`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import quote

from msgspec import Meta

from signalpost.domain.body import Body, read_by

MAX_TEMPLATE_CHARACTERS: Final = 4096
MAX_SECRET_CHARACTERS: Final = 4096
TEMPLATE: Final = "template"
SECRET: Final = "secret"  # noqa: S105 - the name of a mark, not a secret
ESCAPE: Final = "escape"


def _segment(text: str) -> str:
    """A text as one segment of a path, or one value of a query."""
    return quote(text, safe="")


def _escaped_by(escape: Callable[[str], str]) -> dict[str, Any]:
    return {TEMPLATE: True, ESCAPE: escape}


Template = Annotated[str, Meta(max_length=MAX_TEMPLATE_CHARACTERS, extra={TEMPLATE: True})]
"""A text with placeholders; what they bring is escaped as the kind says."""

PathTemplate = Annotated[str, Meta(max_length=MAX_TEMPLATE_CHARACTERS, extra=_escaped_by(_segment))]
"""A path with placeholders; what they bring is percent-encoded, so that it stays one segment."""

Value = Annotated[str, Meta(max_length=MAX_TEMPLATE_CHARACTERS, extra={TEMPLATE: True})] | float | bool | None
"""A JSON scalar. In a text, placeholders; a placeholder that stands alone keeps its type."""

JsonTemplate = Annotated[Any, Meta(extra={TEMPLATE: True, **read_by(lambda value: value)})]
"""Any JSON, with placeholders in its texts."""


class Private(Body, frozen=True, kw_only=True):
    """What a struct with secrets derives from, so that no traceback and no log shows them."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


SecretText = Annotated[str, Meta(min_length=1, max_length=MAX_SECRET_CHARACTERS)]
"""What `secret` marks, unless it is of a type with bounds of its own."""


def secret(title: str, description: str, example: str) -> Meta:
    """What marks a text as a secret: sealed in the store, never shown, struck from whatever is kept or answered."""
    return Meta(
        title=title,
        description=description,
        examples=[example],
        extra_json_schema={"format": "password", "writeOnly": True},
        extra={SECRET: True},
    )
