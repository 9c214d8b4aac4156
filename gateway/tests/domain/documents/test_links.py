"""Download links: what they say is what was signed, and nothing else is a link (C10)."""

import hmac
from base64 import urlsafe_b64decode

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.documents import document as documents
from signalpost.domain.documents.document import Document, Version, own_version
from signalpost.domain.documents.links import LIFETIME, Links, LinkTarget
from signalpost.domain.documents.version import MAX_PART, Number

KEY = bytes(range(32))
PUBLIC = "https://gateway.example.com/base"
LINKS = Links(KEY, PUBLIC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
PARTS = st.integers(0, MAX_PART)
NUMBERS = st.tuples(PARTS, PARTS).map(lambda parts: Number(*parts))
LINKED = st.builds(
    LinkTarget,
    tenant_id=st.integers(1, 2**32 - 1),
    document_id=st.uuids().map(str),
    number=NUMBERS,
    expires_at=st.integers(0, 2**63),
)
TEXTS = st.text(max_size=30) | st.sampled_from(
    ['"downloadUrl":""', 'Version":{"number":"7.1","downloadUrl":""}', '\\"', '","latestVersion":{"number":"']
)


def token(url: str) -> str:
    return url.removeprefix(f"{PUBLIC}/files/")


@given(LINKED)
def test_a_link_says_what_it_was_made_for(linked: LinkTarget) -> None:
    url = LINKS.link(linked)
    assert url.startswith(f"{PUBLIC}/files/")
    assert LINKS.read(token(url)) == linked


@given(LINKED, st.data())
def test_a_link_with_any_character_altered_is_refused(linked: LinkTarget, data: st.DataObject) -> None:
    good = token(LINKS.link(linked))
    at = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.sampled_from(ALPHABET.replace(good[at], "")))
    assert LINKS.read(good[:at] + other + good[at + 1 :]) is None


@given(LINKED, st.text(max_size=3))
def test_a_link_with_something_added_or_left_out_is_refused(linked: LinkTarget, more: str) -> None:
    good = token(LINKS.link(linked))
    for changed in (good + more, more + good, good[: -len(more)], good[len(more) :]):
        assert (LINKS.read(changed) is None) == (changed != good)


@given(st.text(max_size=100) | st.text(ALPHABET, min_size=92, max_size=92))
def test_what_was_not_made_here_is_refused(text: str) -> None:
    assert LINKS.read(text) is None


@given(LINKED)
def test_another_key_makes_links_that_are_refused(linked: LinkTarget) -> None:
    assert LINKS.read(token(Links(b"another", PUBLIC).link(linked))) is None


def test_the_digest_is_hmac_sha256() -> None:
    linked = LinkTarget(1, "d24c0644-1d31-47fa-960e-b0cc8b4f136c", Number(7, 1), 1_700_000_900_000_000)
    raw = urlsafe_b64decode(token(LINKS.link(linked)))
    assert hmac.digest(KEY, raw[:37], "sha256") == raw[37:]


@given(LINKED, LINKED)
def test_a_link_leads_to_its_version_alone(linked: LinkTarget, other: LinkTarget) -> None:
    url = LINKS.link(linked)
    assert LINKS.leads_to(url, *linked[:3])
    assert LINKS.leads_to(url, *other[:3]) == (linked[:3] == other[:3])
    assert not LINKS.leads_to(url.replace("gateway", "elsewhere"), *linked[:3])


# --- In documents -----------------------------------------------------------------------------------------------------

VERSIONS = st.none() | NUMBERS.map(own_version) | st.builds(Version, TEXTS.filter(bool), TEXTS.filter(bool))
DOCUMENTS = st.builds(
    Document,
    type=TEXTS,
    title=TEXTS,
    status=st.just("created"),
    created_at=st.just("2021-09-02T04:37:56.812919+00:00"),
    source_app=TEXTS,
    external_id=st.uuids().map(str),
    owner_email=TEXTS,
    author_email=TEXTS,
    reference_id=st.none() | TEXTS,
    latest_version=VERSIONS,
    additional_facts=st.dictionaries(TEXTS | st.just("downloadUrl"), TEXTS | st.just(""), max_size=3),
    counterparty_name=st.none() | TEXTS,
    published_version=VERSIONS,
)


@given(DOCUMENTS, st.integers(1, 2**32 - 1), st.integers(0, 2**62))
def test_links_are_put_where_own_versions_are_and_nowhere_else(document: Document, tenant: int, at: int) -> None:
    def linked(version: Version | None) -> Version | None:
        if version is None or not version.is_own:
            return version
        number = Number(*map(int, version.number.split(".")))
        url = LINKS.link(LinkTarget(tenant, document.external_id, number, at + LIFETIME))
        return Version(version.number, url)

    expected = msgspec.structs.replace(
        document,
        latest_version=linked(document.latest_version),
        published_version=linked(document.published_version),
    )
    kept = msgspec.structs.replace(documents.new_row(document, 1, at), last_number=_last_own_number(document))
    shown = LINKS.put_into(kept.body, kept, tenant, at)
    assert documents.decode(shown) == expected
    assert shown == documents.encode(expected)


def _last_own_number(document: Document) -> Number | None:
    """The number that the row of a document has, of which the gateway keeps these versions."""
    own = [each.number for each in (document.latest_version, document.published_version) if each and each.is_own]
    return max((Number(*map(int, number.split("."))) for number in own), default=None)


def test_a_link_lives_for_15_minutes() -> None:
    assert LIFETIME == 15 * 60 * 1_000_000
