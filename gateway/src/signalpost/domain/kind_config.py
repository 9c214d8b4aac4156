"""What clients send about a kind of destination: its name, and a config that only the kind can check."""

from typing import Annotated, Any

from msgspec import Meta

from signalpost.domain.body import read_by
from signalpost.domain.checks import json_object

Config = Annotated[
    dict[str, Any],
    Meta(description="What the kind asks for; `GET /v1/destinations` has its JSON Schema.", extra=read_by(json_object)),
]
KindName = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z][a-z0-9_]*$")]
