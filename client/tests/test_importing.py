"""Which lines of an import are sent again, without any I/O."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalpost.api.resources import imports
from signalpost_client import errors, shapes
from signalpost_client.core import Address, Answer, Patience, Wait
from signalpost_client.importing import BATCH_BYTES, BATCH_PLACES, PLACE_BYTES, LineImport, LineSplitter

NOW = 0.0
BUSY = {"status": 503, "code": "stopping", "title": "", "detail": "", "type": "about:blank", "requestId": "r"}


def importing(deadline: float = 30.0) -> LineImport:
    return LineImport(Address("http://127.0.0.1", "sp_key", None), Patience(deadline, NOW))


def sent(one: LineImport) -> list[bytes]:
    request = one.request()
    if request is None:
        return []
    assert isinstance(request.content, bytes)
    return request.content.splitlines()


def answer(line: int, status: int = 201, **more: Any) -> bytes:
    return json.dumps({"line": line, "status": status, "externalId": None, "changed": True, **more}).encode() + b"\n"


def answered(one: LineImport, *lines: bytes) -> list[Any]:
    return [
        found.line if isinstance(found, shapes.ImportedLine) else found for found in one.answered(b"".join(lines), NOW)
    ]


def test_lines_are_sent_as_json_and_answers_have_the_numbers_of_the_whole_import() -> None:
    one = importing()
    one.take({"externalId": "a"})
    one.take(b'  {"externalId": "b"}\r\n')
    one.take("")
    one.take('{"externalId": "c"}')
    assert sent(one) == [b'{"externalId":"a"}', b'{"externalId": "b"}', b'{"externalId": "c"}']
    assert answered(one, answer(1), answer(2), answer(3)) == [1, 2, 4]
    assert one.ended(NOW) is None
    assert one.request() is None


def test_after_a_cut_it_goes_on_from_the_first_line_without_an_answer() -> None:
    one = importing()
    for number in range(3):
        one.take(str(number))
    assert sent(one) == [b"0", b"1", b"2"]
    assert answered(one, answer(1), answer(2)[:9]) == [1]
    assert isinstance(one.ended(NOW), Wait)
    assert sent(one) == [b"1", b"2"]
    assert answered(one, answer(1), answer(2)) == [2, 3]


def test_a_line_that_cannot_be_imported_now_is_sent_again_with_those_after_it() -> None:
    one = importing()
    for number in range(3):
        one.take(str(number))
    sent(one)
    first, wait = answered(one, answer(1), answer(2, 503, problem=BUSY), answer(3))
    assert first == 1
    assert isinstance(wait, Wait)
    assert sent(one) == [b"1", b"2"]


def test_a_refused_line_is_answered_and_the_others_go_on() -> None:
    one = importing()
    one.take("a")
    one.take("b")
    sent(one)
    refused = {**BUSY, "status": 422, "code": "invalid_fields"}
    found = [*one.answered(answer(1, 422, problem=refused) + answer(2), NOW)]
    assert [isinstance(each, shapes.ImportedLine) and each.problem is None for each in found] == [False, True]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "unknown_key", errors.Unauthorized),
        (403, "document_limit", errors.Forbidden),
        (404, "tenant_not_found", errors.NotFound),
        (409, "tenant_paused", errors.Conflict),
        (409, "tenant_takes_no_documents", errors.Conflict),
    ],
)
def test_what_every_line_would_suffer_is_raised(status: int, code: str, kind: type[errors.Problem]) -> None:
    one = importing()
    one.take("a")
    sent(one)
    with pytest.raises(kind):
        answered(one, answer(1, status, problem={**BUSY, "status": status, "code": code}))
    with pytest.raises(kind):
        one.refused(Answer(status, {}, json.dumps({"code": code}).encode()), NOW)


def test_the_deadline_begins_anew_with_every_answer() -> None:
    one = importing(deadline=10.0)
    one.take("a")
    one.take("b")
    sent(one)
    one.timeout(0.0)
    assert [*one.answered(answer(1), 9.0)]
    assert isinstance(one.ended(18.0), Wait)
    one.timeout(20.0)
    with pytest.raises(errors.NoAnswer, match="line 2"):
        one.ended(30.0)


@pytest.mark.parametrize(
    "raw", [b"<html>\n", b"[]\n", b'{"line": 9}\n', b'{"line": 2, "status": 201, "externalId": null}\n']
)
def test_an_answer_that_is_none_is_said_to_be_unexpected(raw: bytes) -> None:
    one = importing()
    one.take("a")
    one.take("b")
    sent(one)
    with pytest.raises(errors.UnexpectedAnswer):
        answered(one, raw)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3 * BATCH_BYTES // 2), max_size=6))
def test_a_request_has_at_most_so_many_bytes_or_is_one_line(sizes: list[int]) -> None:
    one, left, seen = importing(), list(sizes), list[int]()
    while True:
        while left and one.has_room():
            one.take(b"x" * left.pop(0))
        lines = sent(one)
        if not lines:
            break
        assert len(lines) == 1 or sum(len(line) + 1 for line in lines) <= BATCH_BYTES
        seen += map(len, lines)
        answered(one, *(answer(number) for number in range(1, len(lines) + 1)))
    assert seen == sizes


def test_a_request_has_at_most_so_many_lines() -> None:
    one = importing()
    while one.has_room():
        one.take("a")
    assert len(sent(one)) == BATCH_PLACES


def test_a_gateway_reads_a_whole_request_though_none_of_its_answers_is_read() -> None:
    """Else both might wait: the client sends a request to its end before it reads an answer."""
    one = importing()
    for number in range(BATCH_PLACES):
        one.take(b"x" * (PLACE_BYTES if number % 8 == 0 else 1))
    lines = sent(one)
    assert sum(1 + len(line) // imports.PLACE_BYTES for line in lines) <= imports.PLACES
    assert BATCH_PLACES - 2 <= sum(1 + len(line) // PLACE_BYTES for line in lines) <= BATCH_PLACES
    answered(one, *(answer(number) for number in range(1, len(lines) + 1)))
    assert len(sent(one)) == BATCH_PLACES - len(lines)


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line)), st.integers(1, 9))
def test_lines_come_whole_however_their_bytes_are_split(lines: list[bytes], size: int) -> None:
    """A text may have any separator of lines but a newline."""
    whole = b"".join(line + b"\n" for line in lines)
    splitter = LineSplitter()
    found = [line for at in range(0, len(whole), size) for line in splitter.lines(whole[at : at + size])]
    assert found == lines
