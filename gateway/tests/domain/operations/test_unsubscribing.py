"""Links that unsubscribe a contact: what they say, who can make one, and how long they work."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from signalpost.domain.contacts import ContactIds
from signalpost.domain.operations.unsubscribing import LIFETIME, TOKEN_CHARACTERS, UnsubscribeLinks
from signalpost.domain.signing_key import SigningKey

NOW = 1_790_000_000_000_000
OLD, NEW = SigningKey(1, b"old"), SigningKey(2, b"new")
IDS = ContactIds(b"ids")
CONTACT = IDS.of("Ada@example.com")
PREFIX = "https://gateway.example/unsubscribe/"


def token(links: UnsubscribeLinks, at: int = NOW) -> str:
    link = links.link(CONTACT, at)
    assert link.startswith(PREFIX)
    return link.removeprefix(PREFIX)


def links(*keys: SigningKey) -> UnsubscribeLinks:
    return UnsubscribeLinks(keys, IDS, "https://gateway.example")


def test_a_link_leads_to_its_contact_for_a_year_and_does_not_say_the_address() -> None:
    made = token(links(OLD))
    assert len(made) == TOKEN_CHARACTERS
    assert b"ada" not in urlsafe_b64decode(made).lower()
    assert links(OLD).read(made, NOW + LIFETIME - 1) == IDS.of("ada@EXAMPLE.com")
    assert links(OLD).read(made, NOW + LIFETIME) is None


def test_no_byte_of_a_link_can_be_another() -> None:
    raw = urlsafe_b64decode(token(links(OLD)))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert links(OLD).read(urlsafe_b64encode(changed).decode(), NOW) is None


@pytest.mark.parametrize("text", ["", "a", "é" * TOKEN_CHARACTERS, "A" * TOKEN_CHARACTERS, "A" * 75, "=" * 76])
def test_what_is_no_token_leads_nowhere(text: str) -> None:
    assert links(OLD).read(text, NOW) is None


def test_a_link_of_a_retired_key_works_on_and_none_that_it_signs_afterwards_does() -> None:
    retired = SigningKey(1, b"old", retired_at=NOW)
    before, after = token(links(OLD), NOW), token(links(OLD), NOW + 1)
    assert links(NEW, retired).read(before, NOW + 5) == CONTACT
    assert links(NEW, retired).read(after, NOW + 5) is None
    assert links(NEW).read(before, NOW + 5) is None


def test_what_stands_for_an_address_can_be_made_with_the_key_alone() -> None:
    assert IDS.of("ada@EXAMPLE.com") == CONTACT
    others = {
        IDS.of("bob@example.com"),
        ContactIds(b"another").of("ada@example.com"),
        ContactIds(b"").of("ada@example.com"),
    }
    assert len({CONTACT, *others}) == 4
