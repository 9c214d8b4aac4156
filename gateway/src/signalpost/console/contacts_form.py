"""Contacts as a form: one line, with commas between the addresses.

Nothing is checked here: the API checks what is sent.
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import UnsetType

from signalpost.console.page import Visit

CONTACTS: Final = "contacts"
"""The name of the field."""
_BETWEEN: Final = re.compile(r"[\s,;]+")


def contacts_line(kept: Sequence[str] | UnsetType) -> str:
    return "" if isinstance(kept, UnsetType) else ", ".join(kept)


def typed_contacts(visit: Visit) -> list[str]:
    return [each for each in _BETWEEN.split(visit.given(CONTACTS)) if each]
