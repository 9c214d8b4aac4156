"""Where a new subscription begins in the past, and what is said if the log does not have that (C14)."""

import pytest

from signalpost.domain import beginning
from signalpost.domain.beginning import Beginning
from signalpost.domain.errors import Invalid
from signalpost.domain.event import Event
from signalpost.domain.timestamps import SECOND


def made(sequence: int, at: int) -> Event:
    return Event(1, sequence, at, "id", 1, "document", b"{}", b"", b"")


def refusal(begins: Beginning, last: int) -> tuple[str, str, object]:
    with pytest.raises(Invalid) as refused:
        begins.in_log_up_to(last)
    [error] = refused.value.errors
    return error.pointer, error.code, refused.value.members.get("oldest")


@pytest.mark.parametrize("sequence", [0, 1, 9, 10])
def test_it_begins_after_any_event_of_a_log_that_is_whole(sequence: int) -> None:
    assert beginning.after(sequence, floor=1).in_log_up_to(10) == sequence


def test_it_begins_with_the_oldest_event_that_is_kept_and_not_before_that() -> None:
    assert beginning.after(5, floor=6).in_log_up_to(10) == 5
    assert refusal(beginning.after(4, floor=6), 10) == ("/startsAfter", "below_retention", 6)
    assert refusal(beginning.after(0, floor=11), 10) == ("/startsAfter", "below_retention", 11)


def test_it_does_not_begin_beyond_the_end_of_the_log() -> None:
    assert refusal(beginning.after(11, floor=1), 10) == ("/startsAfter", "beyond_the_end", None)
    assert refusal(beginning.after(1, floor=1), 0) == ("/startsAfter", "beyond_the_end", None)


def test_a_moment_is_the_place_before_the_first_event_that_is_not_earlier() -> None:
    assert beginning.at(50, 3, made(3, 60), floor=1).in_log_up_to(10) == 2
    assert beginning.at(50, 6, made(6, 50), floor=6).in_log_up_to(10) == 5, "none between it and the oldest can be gone"
    assert beginning.at(0, 1, made(1, 60), floor=1).in_log_up_to(10) == 0, "a log that is whole begins late"
    assert beginning.at(70, 11, None, floor=1).in_log_up_to(10) == 10, "nothing was made since"
    assert beginning.at(70, 11, None, floor=1).in_log_up_to(12) == 10, "what was committed meanwhile was made since"


@pytest.mark.parametrize(("first", "oldest"), [(6, made(6, 60)), (11, None), (5, made(6, 60))])
def test_a_moment_from_which_on_events_may_be_gone_is_refused(first: int, oldest: Event | None) -> None:
    begins = beginning.at(50 * SECOND, first, oldest and made(6, 60 * SECOND), floor=6 if oldest else 11)
    assert refusal(begins, 10) == ("/startsAt", "below_retention", 6 if oldest else 11)
    assert begins.lost is not None
    assert begins.lost.endswith(f"To begin with what is kept, send startsAfter {5 if oldest else 10}.")
