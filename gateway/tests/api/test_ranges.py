"""Which bytes a `Range` header asks for (RFC 9110, 14.1.2 and 14.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalpost.api.http.ranges import ByteRange, still_applies, wanted
from signalpost.domain.errors import NoSuchRange

SIZE = 1000


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=0-499", ByteRange(0, 500)),
        ("bytes=500-", ByteRange(500, 1000)),
        ("bytes=-200", ByteRange(800, 1000)),
        ("bytes=-5000", ByteRange(0, 1000)),
        ("bytes=999-999", ByteRange(999, 1000)),
        ("bytes=990-5000", ByteRange(990, 1000)),
        ("bytes= 5-6 ", ByteRange(5, 7)),
    ],
)
def test_one_range_is_a_span(header: str, span: ByteRange) -> None:
    assert wanted(header, SIZE) == span


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=x-y", "bytes=5-4", "bytes=0-1,5-6", "items=0-1", "bytes 0-1",
     "bytes=0-1;", "bytes=+1-2", "bytes=1.0-2", "bytes=١-٢", "bytes=0-" + "9" * 50, "bytes=" + "9" * 50 + "-"],
)  # fmt: skip
def test_what_is_no_single_range_of_bytes_asks_for_the_whole(header: str | None) -> None:
    assert wanted(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999-"])
def test_a_range_outside_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(NoSuchRange) as refused:
        wanted(header, SIZE)
    assert refused.value.size == SIZE


@given(st.integers(0, 2_000), st.integers(0, 2_000), st.integers(1, 1_500))
def test_a_span_is_what_of_the_range_there_is(first: int, last: int, size: int) -> None:
    content = list(range(size))
    asked = [at for at in content if first <= at <= last]
    if last < first:
        assert wanted(f"bytes={first}-{last}", size) is None
    elif not asked:
        with pytest.raises(NoSuchRange):
            wanted(f"bytes={first}-{last}", size)
    else:
        span = wanted(f"bytes={first}-{last}", size)
        assert span is not None
        assert content[span.start : span.stop] == asked


@given(st.integers(1, 2_000), st.integers(1, 1_500))
def test_a_suffix_is_the_end(count: int, size: int) -> None:
    span = wanted(f"bytes=-{count}", size)
    assert span is not None
    assert list(range(size))[span.start : span.stop] == list(range(size))[-count:]


@given(st.text(max_size=30).map(lambda text: f"bytes={text}") | st.text(max_size=30), st.integers(0, 100))
def test_whatever_the_header_says_the_span_lies_within(header: str, size: int) -> None:
    try:
        span = wanted(header, size)
    except NoSuchRange:
        return
    assert span is None or 0 <= span.start < span.stop <= size


def test_a_range_counts_only_for_the_state_that_its_condition_names() -> None:
    etag, modified = '"abc"', "Tue, 24 Nov 2026 23:30:54 GMT"
    for condition in (None, etag, modified, f" {etag} "):
        assert still_applies(condition, etag, modified)
    for condition in ('"abd"', "abc", 'W/"abc"', "Tue, 24 Nov 2026 23:30:55 GMT", "*", ""):
        assert not still_applies(condition, etag, modified)
