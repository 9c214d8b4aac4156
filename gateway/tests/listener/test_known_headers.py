"""A request whose headers its connection has sent before is what it would be on a connection of its own."""

import pytest
from gateway.tests.api.test_front_streams import answers_to, tokens
from hypothesis import given
from hypothesis import strategies as st

from signalpost.listener.request_head import KnownHeaders, read_head

FIRST = b"PUT /a?b=1 HTTP/1.1\r\nhost: x\r\nX-Y: z\r\ncontent-length: 2\r\naccept: */*\r\n\r\nok"
SECONDS = {
    "the same": FIRST,
    "another target": FIRST.replace(b"/a?b=1", b"/c/%2Fd?e=f%20g"),
    "another method": FIRST.replace(b"PUT", b"PATCH"),
    "another length": FIRST.replace(b"length: 2", b"length: 4").replace(b"ok", b"good"),
    "no body": FIRST.replace(b"content-length: 2\r\n", b"")[:-2],
    "a body of no bytes": FIRST.replace(b"length: 2", b"length: 0")[:-2],
    "its length first": b"PUT / HTTP/1.1\r\nContent-Length: 2\r\nhost: x\r\nX-Y: z\r\naccept: */*\r\n\r\nok",
    "its length twice": FIRST.replace(b"length: 2\r\n", b"length: 2\r\ncontent-length: 2\r\n"),
    "its length twice, once without a space": FIRST.replace(b"length: 2\r\n", b"length: 2\r\ncontent-length:3\r\n"),
    "a signed length": FIRST.replace(b"length: 2", b"length: +2"),
    "an endless length": FIRST.replace(b"length: 2", b"length: 99999999999999999999"),
    "two ways to say where it ends": FIRST.replace(b"length: 2\r\n", b"length: 2\r\ntransfer-encoding: chunked\r\n"),
    "a fragment": FIRST.replace(b"/a?b=1", b"/a#b"),
    "a target that is no path": FIRST.replace(b"/a?b=1", b"http://x/"),
    "a byte that is no character": FIRST.replace(b"/a?b=1", b"/\xff"),
    "a brace": FIRST.replace(b"/a?b=1", b"/{a}"),
    "another version": FIRST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a version of the future": FIRST.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a method of its own": FIRST.replace(b"PUT", b"FETCH"),
    "one header more": FIRST.replace(b"host: x\r\n", b"host: x\r\nexpect: 100-continue\r\n"),
    "one header less": FIRST.replace(b"host: x\r\n", b""),
    "a line end of another kind": FIRST.replace(b"host: x\r\n", b"host: x\n"),
}


@pytest.mark.parametrize("second", SECONDS.values(), ids=SECONDS.keys())
def test_it_is_answered_as_on_a_connection_of_its_own(second: bytes) -> None:
    first, *others = answers_to([FIRST + second])
    assert first == (b"200", ["PUT", "/a?b=1", "ok"])
    assert others == answers_to([second])


@given(st.integers(0, len(FIRST)), st.integers(0, 12), tokens | st.binary(max_size=3), st.integers(0, len(FIRST)))
def test_one_that_is_damaged_is_too(start: int, length: int, put: bytes, cut: int) -> None:
    second = FIRST[:start] + put + FIRST[start + length :]
    assert answers_to([FIRST + second])[1:] == answers_to([second])
    assert answers_to([FIRST + second[:cut], second[cut:]])[1:] == answers_to([second[:cut], second[cut:]])


def test_it_is_not_parsed_again() -> None:
    head = FIRST[:-2]
    known = KnownHeaders.of(read_head(head, "192.0.2.1", "http"), head)
    assert known is not None
    again = known.recognise(SECONDS["another length"][:-4])
    assert again == read_head(SECONDS["another length"][:-4], "192.0.2.1", "http")
    assert known.recognise(SECONDS["one header more"][:-2]) is None
