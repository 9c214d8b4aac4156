"""What clients send about a kind of destination: its name, and a config that only the kind can check."""

from typing import Annotated, Any

from msgspec import Meta

from signalpost.domain.body import read_by
from signalpost.domain.checks import Bad


def _json_object(value: Any) -> Any:
    if not isinstance(value, dict):
        raise Bad("wrong_type", "This must be a JSON object.")
    return value


Config = Annotated[
    dict[str, Any],
    Meta(
        description="What the kind asks for; `GET /v1/destinations` has its JSON Schema.", extra=read_by(_json_object)
    ),
]
KindName = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z][a-z0-9_]*$")]
