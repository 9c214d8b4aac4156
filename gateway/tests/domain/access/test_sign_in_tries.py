"""Passwords are tried slowly, and no person is shut out by another's tries."""

import pytest

from signalpost.domain.access.sign_in_tries import KNOWN_FOR, OF_ACCOUNT, OF_ADDRESS, Count, a_try, note_success, take

HOME, ATTACKER = "192.0.2.1", "198.51.100.7"


class Door:
    """Where people try to come in. All that is counted is in `counts`."""

    def __init__(self) -> None:
        self.counts: dict[bytes, Count] = {}

    def take(self, account: str, address: str | None, now: int = 0) -> int:
        """Returns how long the try has to wait."""
        wait, changed = take(a_try(account, address), self.counts, now)
        self.counts |= changed
        return wait

    def note_success(self, account: str, address: str | None, now: int = 0) -> None:
        self.counts |= note_success(a_try(account, address), self.counts, now)

    def attack(self, account: str = "ada", now: int = 0) -> int:
        """How often an account can be tried at once, from ever other addresses."""
        return sum(not self.take(account, f"203.0.113.{number}", now) for number in range(100))


@pytest.fixture
def door() -> Door:
    return Door()


def test_an_account_is_tried_some_times_at_once_from_everywhere_together_and_then_at_its_pace(door: Door) -> None:
    assert door.attack() == OF_ACCOUNT.at_once
    assert door.take("ada", HOME) == OF_ACCOUNT.every
    assert door.take("ada", HOME, OF_ACCOUNT.every) == 0
    assert door.take("ada", HOME, OF_ACCOUNT.every) > 0
    assert door.take("bob", HOME) == 0


def test_an_address_tries_some_times_at_once_whomever_it_tries_to_be(door: Door) -> None:
    taken = sum(not door.take(f"account {number}", ATTACKER) for number in range(100))
    assert taken == OF_ADDRESS.at_once
    assert door.take("ada", HOME) == 0


def test_whoever_signed_in_from_an_address_before_is_not_shut_out_by_others(door: Door) -> None:
    door.note_success("ada", HOME)
    door.attack()
    assert [door.take("ada", HOME) for _ in range(OF_ACCOUNT.at_once)] == [0] * OF_ACCOUNT.at_once
    assert door.take("ada", HOME) > 0


def test_whoever_signed_in_from_an_address_before_is_not_shut_out_by_others_who_share_it(door: Door) -> None:
    door.note_success("ada", HOME)
    assert sum(not door.take(f"account {number}", HOME) for number in range(100)) == OF_ADDRESS.at_once
    assert door.take("ada", HOME) == 0
    assert door.take("bob", HOME) > 0


def test_an_address_from_which_nobody_signed_in_for_long_is_one_like_others(door: Door) -> None:
    door.note_success("ada", HOME)
    door.attack(now=KNOWN_FOR)
    assert door.take("ada", HOME, KNOWN_FOR) > 0


def test_a_try_that_is_right_does_not_count(door: Door) -> None:
    for _ in range(3 * OF_ADDRESS.at_once):
        assert door.take("ada", HOME) == 0
        door.note_success("ada", HOME)
    assert door.attack() == OF_ACCOUNT.at_once


def test_a_try_that_has_to_wait_does_not_lengthen_the_wait(door: Door) -> None:
    door.attack()
    assert len({door.take("ada", HOME) for _ in range(50)}) == 1


def test_where_a_clock_was_set_back_nobody_waits_for_longer_than_after_all_tries_at_once(door: Door) -> None:
    later = 3_600 * 1_000_000
    door.attack(now=later)
    assert door.take("ada", HOME, 0) == OF_ACCOUNT.every


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [("2001:db8::1", "2001:db8::ffff:2", True), ("2001:db8::1", "2001:db8:0:1::1", False), (None, "x", False)],
)
def test_a_whole_network_of_ipv6_counts_as_one_address(door: Door, one: str | None, other: str, together: bool) -> None:
    for number in range(OF_ADDRESS.at_once):
        door.take(str(number), one)
    assert (door.take("ada", other) > 0) is together


def test_what_was_typed_is_not_kept(door: Door) -> None:
    door.take("a password in the wrong field", HOME)
    assert b"password" not in b"".join(door.counts)
