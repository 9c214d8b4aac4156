"""Code that verifies a request, in ten languages: that of the guide, from which `verifiers.json` is made."""

from collections.abc import Sequence
from importlib.resources import files

import msgspec
from msgspec import Struct


class Verifier(Struct, frozen=True):
    language: str
    notes: str
    """How to get the body as it arrived, and what else there is to know."""
    code: str


def verifiers() -> Sequence[Verifier]:
    return msgspec.json.decode((files("signalpost.console") / "verifiers.json").read_bytes(), type=list[Verifier])
