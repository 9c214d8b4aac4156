"""How far the reader of a subscription has come: what each call makes of its lane."""

from hypothesis import given
from hypothesis import strategies as st

from signalpost.domain.delivery.reading import NOTED_EVERY, Reading, ReadLane

NOW, LEASE = 1_000_000_000, 60_000_000
FRESH = ReadLane(10, (), (), Reading())


def test_what_is_handed_out_is_held_until_its_lease_ends() -> None:
    lane = FRESH.looked_up_to(14).handed([11, 13, 14], "a", NOW, LEASE)
    assert (lane.head, lane.open, lane.reading.last, lane.reading.times) == (14, (11, 13, 14), 14, 1)
    assert lane.held_until(NOW + LEASE - 1) == NOW + LEASE
    assert lane.held_until(NOW + LEASE) is None
    again = lane.handed([11, 13], "b", NOW + LEASE, LEASE)
    assert (again.open, again.reading.last, again.reading.times) == ((11, 13, 14), 13, 2)


def test_a_lease_ends_if_the_clock_is_set_back_by_more_than_it_is_long() -> None:
    """Nodes whose clocks differ by less agree about it."""
    lane = FRESH.looked_up_to(11).handed([11], "a", NOW, LEASE)
    assert lane.held_until(NOW - LEASE + 1) == NOW + LEASE
    assert lane.held_until(NOW - LEASE) is None
    assert lane.asked(NOW - NOTED_EVERY).reading.read_at == NOW - NOTED_EVERY


def test_an_acknowledgement_settles_what_was_handed_out_last_and_gives_the_rest_back() -> None:
    lane = FRESH.looked_up_to(14).handed([11, 13, 14], "a", NOW, LEASE)
    some, done = lane.acknowledged(13, NOW)
    assert (some.open, done, some.held_until(NOW)) == ((14,), (11, 13), None)
    none, done = lane.acknowledged(0, NOW)
    assert (none.open, done, none.reading.acknowledged_at) == ((11, 13, 14), (), None)
    rest, done = some.acknowledged(None, NOW)
    assert (rest.open, done) == ((), (14,))
    assert rest.acknowledged(None, NOW) == (rest, ())
    part = lane.handed([11], "b", NOW, LEASE).acknowledged(99, NOW)[0]
    assert part.open == (13, 14), "only what was handed out with this receipt"


def test_what_is_passed_is_a_gap_which_grows() -> None:
    assert FRESH.past(5) == FRESH
    once = FRESH.past(20)
    assert (once.head, once.gaps) == (20, ((11, 20),))
    assert once.past(30).gaps == ((11, 30),)
    lane = FRESH.looked_up_to(14).handed([11, 13], "a", NOW, LEASE)
    assert lane.unread_up_to(12) == 1
    assert lane.unread_up_to(20) == 8
    passed = lane.past(20)
    assert (passed.head, passed.open, passed.gaps) == (20, (), ((11, 11), (13, 13), (15, 20)))


def test_that_a_reader_asked_is_noted_now_and_then() -> None:
    asked = FRESH.asked(NOW)
    assert asked.reading.read_at == NOW
    assert asked.asked(NOW + NOTED_EVERY - 1) is asked
    assert asked.asked(NOW + NOTED_EVERY).reading.read_at == NOW + NOTED_EVERY


@given(st.lists(st.tuples(st.sampled_from(["hand", "acknowledge", "lapse", "pass"]), st.integers(0, 6)), max_size=30))
def test_each_event_is_settled_once_and_none_is_forgotten(calls: list[tuple[str, int]]) -> None:
    lane, now, passed = FRESH, NOW, 0
    settled: list[int] = []
    for call, number in calls:
        if call == "lapse":
            now += LEASE
        elif call == "acknowledge":
            lane, done = lane.acknowledged(lane.head - number, now)
            settled += done
        elif call == "pass":
            passed = max(passed, lane.head - number)
            lane = lane.past(lane.head - number)
        elif lane.held_until(now) is None:
            again = lane.open[: number + 1] or range(lane.head + 1, lane.head + number + 2)
            lane = lane.looked_up_to(max(again)).handed(again, f"{now}", now, LEASE)
    assert len(settled) == len({*settled})
    assert not {*settled} & {*lane.open}
    assert {*range(11, lane.head + 1)} - {*settled} - {*lane.open} <= {*range(11, passed + 1)}
