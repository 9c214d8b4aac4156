"""A form with a file, read as it comes: the same however it is cut, and every way in which it can be wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.multipart import MAX_HEADER_BYTES, MAX_TEXT_BYTES, read_form
from signalpost.api.http.problems import CALLER_PROBLEMS
from signalpost.domain.checks import Bad
from signalpost.domain.errors import CallerError, Invalid, Unparseable

BOUNDARY = "boundary-8f3a"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


FILE = part("file", b"the content", '; filename="../../x.pdf"')


def publish(value: str) -> bool:
    if value not in ("true", "false"):
        raise Bad("wrong_type", "This must be true or false.")
    return value == "true"


def read(chunks: Iterable[bytes], content_type: str = TYPE) -> tuple[dict[str, Any], bytes]:
    """The checked texts, and the file."""
    written = bytearray()

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def sink(part: bytes) -> None:
        written.extend(part)

    texts = asyncio.run(read_form(content_type, coming(), "file", {"publish": publish}, sink))
    return texts, bytes(written)


def errors(body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read([body])
    return sorted((error.pointer, error.code) for error in refused.value.errors)


@pytest.mark.parametrize("parts", [[FILE, part("publish", b"true")], [part("publish", b"true"), FILE]])
def test_texts_may_stand_before_and_behind_the_file(parts: list[bytes]) -> None:
    assert read([form(*parts)]) == ({"publish": True}, b"the content")


def test_the_file_needs_no_name_and_its_own_counts_for_nothing() -> None:
    assert read([form(part("file", b"x"))]) == ({}, b"x")


@given(st.binary(max_size=3_000), st.data())
def test_a_file_arrives_as_it_was_sent_however_it_is_cut(content: bytes, data: st.DataObject) -> None:
    content = content.replace(b"\r\n--" + BOUNDARY.encode(), b"")
    body = form(part("publish", b"false"), part("file", content + b"\r\n--boundary-8f3"))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=20)))
    chunks = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(chunks) == ({"publish": False}, content + b"\r\n--boundary-8f3")


def test_everything_that_is_wrong_is_named() -> None:
    body = form(part("publish", b"maybe"), part("titel", b"x"), part("publish", b"true"))
    assert errors(body) == [
        ("/file", "required"), ("/publish", "duplicate"), ("/publish", "wrong_type"), ("/titel", "unknown_field"),
    ]  # fmt: skip


def test_a_second_file_is_refused_and_a_nameless_part_too() -> None:
    assert errors(form(FILE, FILE)) == [("/file", "duplicate")]
    nameless = f"--{BOUNDARY}\r\ncontent-type: text/plain\r\n\r\nx\r\n".encode()
    assert errors(form(nameless, FILE)) == [("", "unnamed_part")]


def test_texts_are_bounded_and_must_be_utf8() -> None:
    assert errors(form(FILE, part("publish", b"x" * (MAX_TEXT_BYTES + 1)))) == [
        ("/publish", "wrong_length"), ("/publish", "wrong_type"),
    ]  # fmt: skip
    assert errors(form(FILE, part("publish", b"\xff"))) == [("/publish", "invalid_utf8")]


def test_with_so_many_mistakes_the_rest_is_not_looked_at() -> None:
    taken = 0

    def endless() -> Iterable[bytes]:
        nonlocal taken
        for number in range(1_000_000):
            taken += 1
            yield part(f"unknown-{number}", b"x")

    with pytest.raises(Invalid):
        read(endless())
    assert taken < 100


@pytest.mark.parametrize(
    "content_type",
    ["", "multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 71}"],
)
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(Unparseable, match="boundary"):
        read([form(FILE)], content_type)


@pytest.mark.parametrize("cut", [0, 1, 30, 80, 100, -1, -5, -20])
def test_a_form_that_breaks_off_is_refused(cut: int) -> None:
    whole = form(FILE)[:-2]  # its last line needs no end
    assert read([whole])
    with pytest.raises(Unparseable):
        read([whole[:cut]])


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        b"\r\n\r\n\r\n",
        b"{}",
        form(part("file", b"x", "; x=" + "y" * MAX_HEADER_BYTES)),
        form(part("file", b"x", "\r\nx: y" * 100)),
        f"--{BOUNDARY}\r\nno colon\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\n: no name\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(CallerError) as refused:
        read([body])
    assert CALLER_PROBLEMS[type(refused.value)].status in (400, 422)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_nothing_that_comes_makes_it_fail_in_another_way(chunks: list[bytes]) -> None:
    for body in (chunks, [form(FILE)[:60], *chunks], [*chunks, form(FILE)]):
        with suppress(Unparseable, Invalid):
            read(body)
