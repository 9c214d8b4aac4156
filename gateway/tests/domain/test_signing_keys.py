"""Links and consents while the keys that sign them are exchanged: what was signed lasts as long as it was to, and a key
that signs no more makes nothing that lasts longer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.access import consent
from signalpost.domain.access.consent import Tickets
from signalpost.domain.documents.links import LIFETIME, PATH, Links, LinkTarget
from signalpost.domain.documents.version import Number
from signalpost.domain.errors import Forbidden
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.timestamps import SECOND

URL = "https://gateway.example.com"
NOW = 1_700_000_000 * SECOND
DOCUMENT = "01020304-0000-4000-8000-000000000001"
OLD, NEW = SigningKey(1, b"old" * 10), SigningKey(2, b"new" * 10)


def retired(at: int) -> list[SigningKey]:
    return [NEW, SigningKey(OLD.number, OLD.secret, retired_at=at)]


def links(*keys: SigningKey) -> Links:
    made = Links(b"", URL)
    made.sign_with(keys)
    return made


def token(signer: Links, expires_at: int) -> str:
    return signer.link(LinkTarget(1, DOCUMENT, Number(1, 0), expires_at)).removeprefix(URL + PATH)


@given(st.integers(-(10**12), 10**12))
def test_a_link_of_a_retired_key_is_read_if_it_can_have_been_made_before(ahead: int) -> None:
    """`ahead`: how long after the key's last moment the link was made, or pretends to have been."""
    signer = links(OLD)
    made = token(signer, NOW + ahead + LIFETIME)
    signer.sign_with(retired(NOW))
    found = signer.read(made)
    assert (found is not None) == (ahead <= 0)


def test_new_links_are_signed_with_the_new_key_alone() -> None:
    signer = links(OLD)
    signer.sign_with(retired(NOW))
    made = token(signer, NOW + 2 * LIFETIME)
    assert links(NEW).read(made) == signer.read(made) is not None
    assert links(OLD).read(made) is None


def test_a_link_to_one_s_own_version_is_known_after_its_key_was_retired() -> None:
    """An import may bring it back long after it has expired."""
    signer = links(OLD)
    url = signer.link(LinkTarget(1, DOCUMENT, Number(1, 0), NOW))
    signer.sign_with(retired(NOW))
    assert signer.leads_to(url, 1, DOCUMENT, Number(1, 0))


def test_a_consent_that_was_under_way_ends_as_it_began() -> None:
    """The state, the browser's cookie and PKCE's verifier are of one key."""
    tickets = Tickets([OLD])
    ticket = tickets.make(1, DOCUMENT, "nonce", NOW)
    state, cookie, verifier = tickets.write(ticket), tickets.cookie(ticket), tickets.verifier(ticket)
    tickets.sign_with(retired(NOW))
    assert tickets.read(state, NOW) == ticket
    assert tickets.is_cookie(ticket, cookie)
    assert tickets.verifier(ticket) == verifier
    later = tickets.make(1, DOCUMENT, "nonce", NOW)
    assert tickets.read(tickets.write(later), NOW) == later
    assert tickets.cookie(later) != cookie


def test_a_retired_key_signs_no_consent_that_ends_later() -> None:
    forger = Tickets([OLD])
    tickets = Tickets(retired(NOW))
    for number in (OLD.number, NEW.number, 3):
        forger.sign_with([SigningKey(number, OLD.secret)])
        with pytest.raises(Forbidden):
            tickets.read(forger.write(forger.make(1, DOCUMENT, "nonce", NOW + 1)), NOW)
    assert consent.LIFETIME < LIFETIME


def test_a_key_s_representation_tells_no_secret() -> None:
    assert "old" not in repr(OLD)
