"""Evidence of deliveries: what a file proves, and that a changed one proves nothing."""

import json
from hashlib import sha256
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from signalpost.domain.evidence import (
    MAX_BYTES,
    Evidence,
    EvidenceSigner,
    EvidenceStatement,
    ProvenEvidence,
    StatedAttempt,
    StatedEvent,
    StatedSubscription,
    Unproven,
    check,
    url_of,
)
from signalpost.domain.signing_key import SigningKey
from signalpost.domain.subscription import UNSAVED
from signalpost.domain.timestamps import MINUTE, SECOND, format_timestamp

NOW = 1_800_000_000 * SECOND
BODY = '{"id":"e","type":"documentCreated","data":{"document":{"title":"Vertrag über 7 €"}}}'.encode()
ATTEMPT = StatedAttempt(
    number=1, run=0, started_at=format_timestamp(NOW), duration_ms=12.5, to="https://a.example/hook?key=***",
    status_code=200, error=None, answer="ok",
)  # fmt: skip


def key(number: int, retired_at: int | None = None) -> SigningKey:
    return SigningKey(number, bytes([number]) * 32, retired_at)


def stated(body: bytes | None = BODY, at: int = NOW) -> EvidenceStatement:
    return EvidenceStatement(
        stated_at=format_timestamp(at), gateway="https://hooks.example", tenant="default",
        event=StatedEvent(
            id="e", sequence=7, type="documentCreated", created_at=format_timestamp(NOW - SECOND),
            sha256=None if body is None else sha256(body).hexdigest(),
        ),
        subscription=StatedSubscription(id="s", name="Ours", kind="webhook"), status="delivered", attempts=(ATTEMPT,),
    )  # fmt: skip


def file_of(signer: EvidenceSigner, body: bytes | None = BODY, at: int = NOW) -> bytes:
    return msgspec.json.encode(signer.sign(stated(body, at), body))


SIGNER = EvidenceSigner([key(1)])
FILE = file_of(SIGNER)
KEYS = msgspec.json.encode(SIGNER.published)


def changed(**members: Any) -> bytes:
    return json.dumps({**json.loads(FILE), **members}).encode()


def test_an_unchanged_file_proves_what_was_stated_and_has_the_event() -> None:
    assert check(FILE, KEYS) == ProvenEvidence(stated(), SIGNER.published.keys[0].key, BODY.decode(), is_known_key=True)
    assert check(FILE).is_known_key is None
    assert check(json.dumps(json.loads(FILE), indent=2).encode()) == check(FILE), "indented, it is the same"


def test_a_file_may_be_passed_on_without_the_event() -> None:
    without = {name: value for name, value in json.loads(FILE).items() if name != "body"}
    assert check(json.dumps(without).encode(), KEYS) == msgspec.structs.replace(check(FILE, KEYS), body=None)


def test_evidence_of_an_erased_document_has_no_event_and_takes_none() -> None:
    erased = file_of(SIGNER, None)
    assert check(erased).statement.event.sha256 is None
    assert b'"body"' not in erased
    with pytest.raises(Unproven, match="its event is not the one"):
        check(json.dumps({**json.loads(erased), "body": "{}"}).encode())


def test_a_file_with_any_byte_changed_proves_nothing_or_says_the_same() -> None:
    random = Random(1)
    for place in range(len(FILE)):
        byte = random.choice([each for each in range(256) if each != FILE[place]])
        damaged = FILE[:place] + bytes([byte]) + FILE[place + 1 :]
        try:
            proven = check(damaged, KEYS)
        except Unproven:
            continue
        assert proven == check(FILE, KEYS), (place, byte)


def test_a_file_that_is_cut_off_anywhere_proves_nothing() -> None:
    for end in range(len(FILE)):
        with pytest.raises(Unproven):
            check(FILE[:end])


def test_another_statement_event_or_key_does_not_fit_the_signature() -> None:
    statement = json.loads(FILE)["statement"]
    other = json.loads(file_of(EvidenceSigner([key(2)])))
    for damaged in (
        changed(statement=statement.replace("delivered", "failed   ")),
        changed(statement=statement + " "),
        changed(body=BODY.decode() + " "),
        changed(key=other["key"]),
        changed(publicKey=other["publicKey"]),
        changed(publicKey=other["publicKey"], key=other["key"]),
        changed(signature=other["signature"]),
        changed(signature=json.loads(FILE)["signature"].upper()),
    ):
        with pytest.raises(Unproven):
            check(damaged)


def test_a_key_that_the_gateway_does_not_publish_is_refused() -> None:
    forged = file_of(EvidenceSigner([key(2)]))
    assert check(forged).is_known_key is None
    with pytest.raises(Unproven, match="None of the gateway's keys signed this"):
        check(forged, KEYS)


def test_a_retired_key_proves_what_was_stated_before_and_nothing_since() -> None:
    before, since = file_of(SIGNER, at=NOW), file_of(SIGNER, at=NOW + 2)
    rotated = EvidenceSigner([key(2), key(1, retired_at=NOW + 1)])
    published = msgspec.json.encode(rotated.published)
    assert check(before, published).is_known_key
    with pytest.raises(Unproven, match="was retired at"):
        check(since, published)
    assert check(file_of(rotated), published).key == rotated.published.keys[0].key != SIGNER.published.keys[0].key


def test_the_published_keys_reveal_no_secret() -> None:
    for each in (key(1), key(2)):
        assert each.secret.hex() not in KEYS.decode()
        assert repr(each.secret) not in repr(SIGNER.published)


@pytest.mark.parametrize(
    "file",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b" " * 10, b"1e999999",
        changed(format="signalpost evidence 2"), changed(more=1), changed(statement={}), changed(statement=None),
        changed(signature=""), changed(key=7), changed(body=7), changed(publicKey="zz" * 32),
        changed(publicKey="00" * 32), changed(body="\ud800"), changed(statement="\ud800"),
        b'{"format":"\\ud800"}', b"x" * (MAX_BYTES + 1),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_with_a_sentence(file: bytes) -> None:
    with pytest.raises(Unproven) as unproven:
        check(file, KEYS)
    assert 10 < len(str(unproven.value)) < 500


def signed_text(text: str) -> bytes:
    """A file with this text for a statement, signed as the gateway signs."""
    published = SIGNER.published.keys[0]
    file = Evidence(
        format="signalpost evidence 1", statement=text, key=published.key, public_key=published.public_key,
        signature=SIGNER._private.sign(b"signalpost evidence 1\n" + text.encode()).hex(),
    )  # fmt: skip
    return msgspec.json.encode(file)


@pytest.mark.parametrize("name", json.loads(FILE))
def test_a_file_with_a_member_twice_is_refused_as_some_programs_read_the_first_and_some_the_last(name: str) -> None:
    member = json.dumps(json.loads(FILE)[name], ensure_ascii=False)
    for other in (f'"{name}"', f'"\\u{ord(name[0]):04x}{name[1:]}"'):
        twice = FILE.decode().replace(f'"{name}":{member}', f'{other}:{member},"{name}":{member}', 1)
        assert twice != FILE.decode()
        with pytest.raises(Unproven, match=f"`{name}` is there twice"):
            check(twice.encode(), KEYS)


def test_a_file_with_two_statements_of_which_the_last_is_signed_is_refused() -> None:
    forged = json.dumps(json.loads(FILE)["statement"].replace("delivered", "failed"))
    with pytest.raises(Unproven, match="`statement` is there twice"):
        check(FILE.replace(b'"statement":', b'"statement":' + forged.encode() + b',"statement":', 1), KEYS)


def test_a_statement_with_a_member_twice_is_refused_at_any_depth() -> None:
    text = msgspec.json.encode(stated()).decode()
    assert check(signed_text(text)).statement == stated()
    for right, name in (('"status":"delivered"', "status"), ('"sequence":7', "sequence"), ('"number":1', "number")):
        with pytest.raises(Unproven, match=f"`{name}` is there twice"):
            check(signed_text(text.replace(right, f"{right},{right}")))


def test_a_file_of_keys_with_a_member_twice_is_refused() -> None:
    retired = KEYS.replace(b'"retiredAt":null', b'"retiredAt":"2020-01-01T00:00:00.000000Z","retiredAt":null')
    assert retired != KEYS
    with pytest.raises(Unproven, match="`retiredAt` is there twice"):
        check(FILE, retired)


def test_a_statement_of_whoever_signed_it_must_still_be_one() -> None:
    for text in (
        "",
        "null",
        "[" * 10_000,
        '{"statedAt":1}',
        msgspec.json.encode(stated()).decode()[:-1] + ',"more":1}',
    ):
        with pytest.raises(Unproven, match="of another version"):
            check(signed_text(text))


@pytest.mark.parametrize("keys", [b"", b"{}", b'{"keys":7}', b"[" * 100_000, b'{"keys":[]}', b"\xff"])
def test_what_is_no_file_of_keys_is_refused(keys: bytes) -> None:
    with pytest.raises(Unproven):
        check(FILE, keys)


@given(body=st.text(), answer=st.text(), name=st.text())
def test_whatever_was_sent_and_answered_is_proven_as_it_was(body: str, answer: str, name: str) -> None:
    written = body.encode("utf-8", "replace")
    statement = msgspec.structs.replace(
        stated(written),
        attempts=(msgspec.structs.replace(ATTEMPT, answer=answer),),
        subscription=StatedSubscription(id="s", name=name, kind="webhook"),
    )
    proven = check(msgspec.json.encode(SIGNER.sign(statement, written)), KEYS)
    assert (proven.statement, proven.body) == (statement, written.decode())


def test_the_url_is_stated_only_of_attempts_that_no_node_can_have_made_to_a_former_one() -> None:
    """A node that hears late of another URL sends to the former one meanwhile."""
    never_moved = replace(UNSAVED, url="https://a.example/hook?key=canary")
    assert url_of(never_moved, NOW) == "https://a.example/hook?key=***"
    moved = replace(never_moved, url_since=NOW)
    stated = [url_of(moved, NOW + after) for after in (-SECOND, 0, SECOND, MINUTE)]
    assert stated == [None, None, None, "https://a.example/hook?key=***"]
    assert url_of(replace(never_moved, kind="slack"), NOW) is None
