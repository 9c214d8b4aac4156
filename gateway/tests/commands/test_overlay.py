"""Rows that were read, and rows that changed since."""

from hypothesis import given
from hypothesis import strategies as st

from signalpost.commands.overlay import Overlay

ROWS = st.dictionaries(st.integers(0, 5), st.text(max_size=2))


@given(ROWS, st.lists(st.tuples(st.integers(0, 5), st.text(max_size=2))))
def test_the_last_row_put_under_a_key_is_seen_and_what_was_read_stays(
    read: dict[int, str], puts: list[tuple[int, str]]
) -> None:
    before = dict(read)
    overlay = Overlay(read)
    for key, row in puts:
        overlay.put(key, row)
        assert overlay.get(key) == row
    assert overlay.changed == dict(puts)
    assert dict(overlay.items()) == {**before, **dict(puts)}
    assert {key: overlay.get(key) for key in range(6)} == {key: {**before, **dict(puts)}.get(key) for key in range(6)}
    assert read == before
