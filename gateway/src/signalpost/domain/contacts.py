"""Contacts: the people of a customer who are told by mail how a subscription of theirs does."""

import uuid
from typing import Annotated, Final

from msgspec import Meta

from signalpost.domain.body import checked_by
from signalpost.domain.checks import Bad
from signalpost.domain.fields import MailAddress

MAX_CONTACTS: Final = 5
_NAMESPACE: Final = uuid.UUID("0b4c7d52-93f4-5a0e-8c1d-6a7f2e9b1d44")


def contact_id(address: str) -> str:
    """What stands for an address wherever it is better not told. Capital letters make no other one of it."""
    return str(uuid.uuid5(_NAMESPACE, address.lower()))


def _none_twice(addresses: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for index, address in enumerate(addresses):
        if address.lower() in seen:
            raise Bad("named_twice", "This address is in the list already.", (str(index),))
        seen.add(address.lower())
    return addresses


Contacts = Annotated[
    tuple[MailAddress, ...],
    Meta(
        max_length=MAX_CONTACTS,
        description="E-mail addresses of people who are told when it fails, is about to be disabled or was, and when "
        "that is over.",
        extra=checked_by(_none_twice),
    ),
]
