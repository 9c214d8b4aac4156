"""Counts tries to sign in, over all nodes; how fast they may come is said in `domain/access/sign_in_tries.py`."""

from collections.abc import Callable

from signalpost.domain.access.sign_in_tries import Counts, a_try, know, note_success, take
from signalpost.store.nouns.sign_ins import SignInStore


class SignInTries:
    """Every method raises Unavailable if the database does not answer."""

    def __init__(self, store: SignInStore, now: Callable[[], int]) -> None:
        """`now` is the wall clock, in µs."""
        self._store = store
        self._now = now

    async def take(self, account: str, address: str | None) -> int:
        """Count a try. Returns how long it has to wait (µs), and counts nothing if that is not 0."""
        tried, now = a_try(account, address), self._now()
        return await self._store.count_tries(tried, now, lambda counts: take(tried, counts, now))

    async def note_success(self, account: str, address: str | None) -> None:
        """Note that a try that was counted was right: it counts no more."""
        tried, now = a_try(account, address), self._now()

        def decide(counts: Counts) -> tuple[None, Counts]:
            return None, note_success(tried, counts, now)

        await self._store.count_tries(tried, now, decide)

    async def know(self, account: str, address: str | None) -> None:
        """Note that the owner of an account is at this address."""
        tried, now = a_try(account, address), self._now()

        def decide(counts: Counts) -> tuple[None, Counts]:
            return None, know(tried, counts, now)

        await self._store.count_tries(tried, now, decide)
