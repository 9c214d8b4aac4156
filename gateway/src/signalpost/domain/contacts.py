"""Contacts: the people of a customer who are told by mail how a subscription of theirs does."""

import hmac
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from msgspec import Meta

from signalpost.domain.body import checked_by
from signalpost.domain.checks import Bad
from signalpost.domain.fields import MailAddress

MAX_CONTACTS: Final = 5


class ContactIds:
    """Makes what stands for an address wherever it is better not told: in the audit, in links, in what an address was
    told. Only who has the gateway's key can tell whose it is, by trying addresses."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, address: str) -> str:
        """The id of an address. Capital letters make no other one of it."""
        return str(UUID(bytes=hmac.digest(self._key, address.lower().encode(), sha256)[:16]))


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
