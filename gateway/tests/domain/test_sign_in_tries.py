"""Passwords are tried slowly, and nobody is shut out by somebody else's tries."""

import pytest

from signalpost.domain.sign_in_tries import MAX_KEPT, OF_ACCOUNT, OF_ADDRESS, SignInTries

HOME, ATTACKER = "192.0.2.1", "198.51.100.7"


def attack(tries: SignInTries, account: str = "ada", now: int = 0) -> int:
    """How often an account can be tried at once, from ever other addresses."""
    return sum(not tries.take(account, f"203.0.113.{number}", now) for number in range(100))


def test_an_account_is_tried_some_times_at_once_from_everywhere_together_and_then_at_its_pace() -> None:
    tries = SignInTries()
    assert attack(tries) == OF_ACCOUNT.at_once
    assert tries.take("ada", HOME, 0) == OF_ACCOUNT.every
    assert tries.take("ada", HOME, OF_ACCOUNT.every) == 0
    assert tries.take("ada", HOME, OF_ACCOUNT.every) > 0
    assert tries.take("bob", HOME, 0) == 0


def test_an_address_tries_some_times_at_once_whomever_it_tries_to_be() -> None:
    tries = SignInTries()
    taken = sum(not tries.take(f"account {number}", ATTACKER, 0) for number in range(100))
    assert taken == OF_ADDRESS.at_once
    assert tries.take("ada", HOME, 0) == 0


def test_whoever_signed_in_from_an_address_before_is_not_shut_out_by_others() -> None:
    tries = SignInTries()
    tries.note_success("ada", HOME)
    attack(tries)
    assert [tries.take("ada", HOME, 0) for _ in range(OF_ACCOUNT.at_once)] == [0] * OF_ACCOUNT.at_once
    assert tries.take("ada", HOME, 0) > 0


def test_a_try_that_is_right_does_not_count() -> None:
    tries = SignInTries()
    for _ in range(3 * OF_ADDRESS.at_once):
        assert tries.take("ada", HOME, 0) == 0
        tries.note_success("ada", HOME)
    assert attack(tries) == OF_ACCOUNT.at_once


def test_a_try_that_has_to_wait_does_not_lengthen_the_wait() -> None:
    tries = SignInTries()
    attack(tries)
    assert len({tries.take("ada", HOME, 0) for _ in range(50)}) == 1


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [("2001:db8::1", "2001:db8::ffff:2", True), ("2001:db8::1", "2001:db8:0:1::1", False), (None, "x", False)],
)
def test_a_whole_network_of_ipv6_counts_as_one_address(one: str | None, other: str, together: bool) -> None:
    tries = SignInTries()
    for number in range(OF_ADDRESS.at_once):
        tries.take(str(number), one, 0)
    assert (tries.take("ada", other, 0) > 0) is together


def test_what_is_kept_is_bounded() -> None:
    tries = SignInTries()
    attack(tries)
    for number in range(MAX_KEPT):
        tries.take(f"account {number}", f"10.{number >> 8}.{number & 255}.1", 0)
    assert tries.take("ada", HOME, 0) == 0
