"""How fast passwords may be tried: slowly, without shutting anybody out.

Each address may try some times at once (`OF_ADDRESS`) and then now and then, whomever it tries to be. Each account may
be tried so too (`OF_ACCOUNT`), from all addresses together; but an address from which its owner has signed in before
has tries of its own for it, which nobody else can use up. Accounts that there are not are counted as all others, so the
count tells nobody which ones there are.

All of it is in memory: each node of a fleet counts what it was asked, so a fleet of N nodes allows N times as many. An
account that is tried from everywhere can be entered in other ways too: by a link from an operator, or with a key.
"""

from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from signalpost.domain.timestamps import SECOND

MAX_KEPT: Final = 10_000
"""How many addresses, accounts and known pairs are kept at most. The one that was used longest ago makes room."""


class Pace(NamedTuple):
    at_once: int
    every: int
    """One more after so long, µs."""


OF_ADDRESS: Final = Pace(20, 3 * SECOND)
OF_ACCOUNT: Final = Pace(5, 12 * SECOND)


class _Counted:
    """For each of some things, from when on its next try counts as the only one."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._clear_at: OrderedDict[Hashable, int] = OrderedDict()

    def wait(self, of: Hashable, now: int) -> int:
        """How long it has to wait for its next try (µs); 0 if it need not."""
        ahead = max(self._clear_at.get(of, 0) - now, 0)
        return max(ahead - (self._pace.at_once - 1) * self._pace.every, 0)

    def take(self, of: Hashable, now: int) -> None:
        self._clear_at[of] = max(self._clear_at.get(of, 0), now) + self._pace.every
        self._clear_at.move_to_end(of)
        if len(self._clear_at) > MAX_KEPT:
            self._clear_at.popitem(last=False)

    def give_back(self, of: Hashable) -> None:
        if of in self._clear_at:
            self._clear_at[of] -= self._pace.every


class SignInTries:
    """Times are those of a clock in µs that is never set back."""

    def __init__(self) -> None:
        self._addresses = _Counted(OF_ADDRESS)
        self._accounts = _Counted(OF_ACCOUNT)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Accounts with the addresses from which their owners have signed in."""

    def take(self, account: str, address: str | None, now: int) -> int:
        """Count a try. Returns how long the next one has to wait (µs), and counts nothing where that is not 0."""
        place, of = _place(address), self._counted(account, address)
        wait = max(self._addresses.wait(place, now), self._accounts.wait(of, now))
        if not wait:
            self._addresses.take(place, now)
            self._accounts.take(of, now)
        return wait

    def note_success(self, account: str, address: str | None) -> None:
        """Take note that the last try was right: it counts no more."""
        self._addresses.give_back(_place(address))
        self._accounts.give_back(self._counted(account, address))
        self.know(account, address)

    def know(self, account: str, address: str | None) -> None:
        """Take note that the owner of an account is at this address."""
        pair = (account, _place(address))
        self._known[pair] = None
        self._known.move_to_end(pair)
        if len(self._known) > MAX_KEPT:
            self._known.popitem(last=False)

    def _counted(self, account: str, address: str | None) -> Hashable:
        """What the tries of an account from an address are counted by."""
        pair = (account, _place(address))
        return pair if pair in self._known else account


def _place(address: str | None) -> str:
    """Whom an address counts for: of IPv6, a customer has a whole /64 at least."""
    if address is None:
        return ""
    try:
        return str(ip_network((address, 64), strict=False)) if ip_address(address).version == 6 else address
    except ValueError:
        return address
