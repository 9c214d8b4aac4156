"""How fast passwords may be tried: slowly, without shutting anybody out.

Each address may try some times at once (`OF_ADDRESS`) and then now and then, whomever it tries to be. Each account may
be tried so too (`OF_ACCOUNT`), from all addresses together; but an address from which its owner has signed in before
has tries of its own for it, which no one elsewhere can use up, nor anyone there who tries other accounts. Accounts
that there are not are counted as all others, so the count does not tell which ones there are.

The counts are rows that every node reads and writes, so a fleet allows no more than one node. They are kept under
hashes: what was typed as an account may be anything, such as a password. A count is of use until its next try would be
the only one. An account that is tried from everywhere can be entered in other ways too: by a link from an operator, or
with a key.
"""

import hashlib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from signalpost.domain.timestamps import SECOND

KNOWN_FOR: Final = 90 * 24 * 3_600 * SECOND
"""How long it is remembered from where the owner of an account has signed in (µs)."""


class Allowance(NamedTuple):
    at_once: int
    every: int
    """After how long one more is allowed, µs."""


OF_ADDRESS: Final = Allowance(20, 3 * SECOND)
OF_ACCOUNT: Final = Allowance(5, 12 * SECOND)


class Count(NamedTuple):
    """The times are µs since the epoch."""

    clear_at: int
    """From when on the next try counts as the only one."""
    kept_until: int


Counts = Mapping[bytes, Count]
"""Counts by what they are of."""
_NONE: Final = Count(0, 0)


class Try(NamedTuple):
    """A try to sign in, by the hashes of what it may be counted by."""

    address: bytes
    account: bytes
    known: bytes
    """The account at this address. It is counted by this if its owner has signed in there before."""


def a_try(account: str, address: str | None) -> Try:
    place = place_of(address)
    return Try(_hash("address", place), _hash("account", account), _hash("known", account, place))


def take(of: Try, counts: Counts, now: int) -> tuple[int, Counts]:
    """Count a try. Returns how long it has to wait (µs; 0 if it need not), and the counts that change: none if it
    has to wait."""
    counted = _counted_by(of, counts, now)
    wait = max(_wait(counts.get(each, _NONE), pace, now) for each, pace in counted)
    return wait, {} if wait else {each: _with_one_more(counts.get(each, _NONE), pace, now) for each, pace in counted}


def note_success(of: Try, counts: Counts, now: int) -> Counts:
    """The counts that change because a try that was counted was right: it counts no more, and its address is known."""
    counted = _counted_by(of, counts, now)
    found = [(each, counts.get(each, _NONE), pace) for each, pace in counted]
    without = {each: Count(count.clear_at - pace.every, count.kept_until) for each, count, pace in found}
    return {**without, **know(of, {**counts, **without}, now)}


def know(of: Try, counts: Counts, now: int) -> Counts:
    """The count that changes because the owner of an account is at this address."""
    return {of.known: Count(counts.get(of.known, _NONE).clear_at, now + KNOWN_FOR)}


def _counted_by(of: Try, counts: Counts, now: int) -> tuple[tuple[bytes, Allowance], ...]:
    is_known = counts.get(of.known, _NONE).kept_until > now
    # Others at the owner's address, as behind the proxy of an office, use up the tries of the address.
    return ((of.known, OF_ACCOUNT),) if is_known else ((of.address, OF_ADDRESS), (of.account, OF_ACCOUNT))


def _wait(count: Count, pace: Allowance, now: int) -> int:
    return max(_ahead(count, pace, now) - (pace.at_once - 1) * pace.every, 0)


def _with_one_more(count: Count, pace: Allowance, now: int) -> Count:
    clear_at = now + _ahead(count, pace, now) + pace.every
    return Count(clear_at, max(clear_at, count.kept_until))


def _ahead(count: Count, pace: Allowance, now: int) -> int:
    # Tries that are taken never add up to more than this. If they seem to, a clock was set back.
    return min(max(count.clear_at - now, 0), pace.at_once * pace.every)


def place_of(address: str | None) -> str:
    """Whom an address counts for: of IPv6, a customer has a whole /64 at least."""
    if address is None:
        return ""
    try:
        return str(ip_network((address, 64), strict=False)) if ip_address(address).version == 6 else address
    except ValueError:
        return address


def _hash(*what: str) -> bytes:
    return hashlib.sha256("\0".join(what).encode("utf-8", "surrogateescape")).digest()
