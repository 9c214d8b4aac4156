"""Fair turns at work that only a few may do at a time, such as looking up names. Tenants share these turns as attempts
share slots.

The system's resolver may take ten seconds for a name whose server does not answer, and nothing can stop it. If the
first to come were served first, a tenant with a hundred of these would make everybody else wait.
"""

from functools import partial

from signalpost.sharing.fair_queue import FairQueue
from signalpost.sharing.shares import Caller, Shares


class SharedTurns:
    def __init__(self, at_once: int) -> None:
        self._running = Shares(at_once)
        self._waiting: FairQueue[Caller] = FairQueue()

    async def begin(self, caller: Caller) -> None:
        """Wait until this caller may run one more."""
        if caller in self._waiting or not self._running.take(caller):
            await self._waiting.wait(caller, partial(self.end, caller))

    def end(self, caller: Caller) -> None:
        """One of this caller's turns has ended. Callers that may have one now get it, and wait for their next
        behind the others."""
        self._running.give_back(caller)
        for each in self._waiting.holders:
            if self._running.take(each) and not self._waiting.give_to(each):
                self._running.give_back(each)
