"""A body that is read quickly is what it would be if it were read slowly, or it is not read quickly."""

import json
from typing import Annotated, Any

import pytest
from gateway.tests.domain.test_body import ANY_JSON, Everything, Start
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta
from msgspec.structs import asdict

from signalpost.api.http.body import read_json, read_typed
from signalpost.domain.body import Body, read
from signalpost.domain.checks import Bad
from signalpost.domain.documents.bodies import DocumentPatch, NewDocument, Snapshot, SnapshotLine
from signalpost.domain.errors import Invalid, Unparseable
from signalpost.domain.fields import Text

SNAPSHOT = {
    "type": "NDA", "title": "Größe", "status": "approved", "createdAt": "2026-01-15T09:30:00.123456+00:00",
    "sourceApp": "archive", "startDate": "2021-11-25", "expiryDate": None, "ownerEmail": "o@example.com",
    "authorEmail": "a@example.com", "contractValue": 12.5, "additionalFacts": {"a": 1, "b": 0.5, "c": True, "d": "e"},
    "externalId": "D24C0644-1d31-47fa-960e-b0cc8b4f136c", "latestVersion": {"number": "1", "downloadUrl": "u"},
}  # fmt: skip
EVERYTHING = {
    "needed": "a", "shouted": "b", "count": 2.0, "share": 1, "isOn": True, "colour": "blue", "word": "two",
    "parts": [{"partName": "p"}], "pairs": {"x": "y", "z": False}, "code": "ABC",
}  # fmt: skip
SUSPICIOUS: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, -1, 10.0, 1.005, 1e300, 2**64, 10**13, "", "x", "x\x00", "x" * 513, "a@b\n", "ä@b.c",
     "2021-11-31", "2021-11-25", "20211125", "2021-11-25T10:00:00Z", "2021-11-25T24:00:00.000000+00:00",
     "2021-11-25T10:00:00.000000+00:00", "0000-11-25T10:00:00.000000+00:00",
     {}, [], {"number": "1"}, {"number": "1", "downloadUrl": ""}, {"a": None}, {"": "b"}, {"a": "b" * 4096}]
)  # fmt: skip
KINDS: dict[Any, dict[str, Any]] = {
    Snapshot: SNAPSHOT, SnapshotLine: SNAPSHOT, NewDocument: SNAPSHOT, DocumentPatch: SNAPSHOT, Everything: EVERYTHING,
}  # fmt: skip


def of_members(kind: type[Body], sent: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sent.items() if name in kind.__struct_encode_fields__}


def quickly(kind: Any, content: bytes) -> Any:
    return read_typed(kind, content, {})


@st.composite
def sent_bodies(draw: st.DrawFn) -> tuple[Any, bytes]:
    kind = draw(st.sampled_from([*KINDS]))
    body = of_members(kind, KINDS[kind])
    names = st.sampled_from([*kind.__struct_encode_fields__]) | st.text(max_size=3)
    for name, value in draw(st.lists(st.tuples(names, SUSPICIOUS | ANY_JSON), max_size=3)):
        body[name] = value
    for name in draw(st.lists(st.sampled_from([*body]), max_size=2)):
        body.pop(name, None)
    content = json.dumps(body, ensure_ascii=draw(st.booleans()))
    for old, new in draw(
        st.lists(st.sampled_from([("12.5", "12.500000000000000001"), ("0.5", "1e-400"), ("1", "1.0")]))
    ):
        content = content.replace(old, new)
    return kind, content.encode("utf-8", "surrogatepass")


@given(sent_bodies())
def test_whatever_is_sent_is_read_as_it_would_be_slowly(sent: tuple[Any, bytes]) -> None:
    kind, content = sent
    quick = quickly(kind, content)
    if quick is None:
        return
    slow = read(kind, read_json(content))
    assert isinstance(quick, kind)
    assert repr(asdict(quick)) == repr(asdict(slow))


@pytest.mark.parametrize("kind", [*KINDS])
def test_what_is_right_is_read_quickly(kind: Any) -> None:
    content = json.dumps(of_members(kind, KINDS[kind])).encode()
    assert repr(asdict(quickly(kind, content))) == repr(asdict(read(kind, read_json(content))))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b'{"a":' * 2000, b'{"needed": "\\u0000"}', b'{"needed": "\\ud800"}', b"null"]
)
def test_what_may_be_wrong_is_left_to_who_can_say_why(content: bytes) -> None:
    assert quickly(Everything, content) is None
    with pytest.raises((Invalid, Unparseable)):
        read(Everything, read_json(content))


def test_a_check_that_needs_to_know_more_is_made_here_too() -> None:
    def refuse(_: str) -> str:
        raise Bad("refused", "Not this one.")

    content = json.dumps(of_members(NewDocument, SNAPSHOT)).encode()
    assert read_typed(NewDocument, content, {"sourceApp": refuse}) is None
    assert read_typed(NewDocument, content, {"sourceApp": str.upper}).source_app == "ARCHIVE"
    without = content.replace(b"sourceApp", b"referenceId")
    assert read_typed(NewDocument, without, {"sourceApp": refuse}).reference_id == "archive"


def test_what_was_left_out_has_its_default_whatever_its_check_would_say_of_it() -> None:
    def upper(text: str) -> str:
        return text.upper()

    class WithDefault(Body, frozen=True, kw_only=True):
        word: Annotated[Text, Meta(extra={"check": upper})] = "as it is"

    assert quickly(WithDefault, b"{}").word == "as it is"
    assert quickly(WithDefault, b'{"word": "x"}').word == "X"


def test_a_body_of_one_of_several_kinds_has_no_quick_way() -> None:
    assert quickly(Start, b'{"action": "start", "at": "noon"}') is None
    assert quickly(Start | Everything, b'{"needed": "a"}') is None
