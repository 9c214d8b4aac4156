"""How versions are numbered (C9)."""

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.documents.version import MAX_PART, Number, next_draft, next_published, read_number

NUMBERS = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)).filter(any).map(lambda parts: Number(*parts))
STEPS = st.lists(st.booleans(), max_size=40)
"""Whether each is published."""


def numbered(steps: list[bool]) -> list[Number]:
    last: Number | None = None
    given = []
    for published in steps:
        last = next_published(last) if published else next_draft(last)
        given.append(last)
    return given


def test_drafts_count_up_from_0_1_and_after_a_publication_from_n_1() -> None:
    steps = [False, False, True, False, False, True, True, False]
    assert [str(number) for number in numbered(steps)] == ["0.1", "0.2", "1.0", "1.1", "1.2", "2.0", "3.0", "3.1"]


@given(STEPS)
def test_every_number_is_higher_than_those_before_it_and_says_whether_it_is_published(steps: list[bool]) -> None:
    given = numbered(steps)
    assert given == sorted(set(given))
    assert [number.is_published for number in given] == steps
    assert sum(steps) == (given[-1].major if given else 0)


@given(NUMBERS, NUMBERS)
def test_a_number_is_read_as_it_is_written_and_compares_as_it_counts(one: Number, other: Number) -> None:
    assert read_number(str(one)) == one
    assert (one < other) == ((one.major, one.minor) < (other.major, other.minor))


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[0-9]{0,11}[.,]?[0-9]{0,11}", fullmatch=True)))
def test_what_is_no_number_is_not_read(text: str) -> None:
    number = read_number(text)
    assert number is None or (str(number) == text and max(number) <= MAX_PART)


def test_there_is_one_way_to_write_a_number() -> None:
    for text in ("", "1", "1.", ".1", "01.1", "1.01", "0.0", "1.1.1", "-1.1", "1.1 ", "1.1\n", "١.١", "2147483648.0"):
        assert read_number(text) is None, text
