"""Calls that a known key was refused, for the audit: with a role that does not allow them, for another tenant, or after
the key was revoked or had expired.

A client with such a key can call as often as it likes, and must not fill the audit. So refusals are counted in memory,
by key, reason and route. The first of its kind is written within seconds, and what follows in the next hour with one
more entry at its end. Beyond `MAX_KINDS` kinds an hour, further ones are told by the log for people alone, as is what a
crash forgets. Unknown keys belong to no one, so nothing is told of them here.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from signalpost.domain.audit import Actor, EntryDraft, Object
from signalpost.domain.errors import SignalpostError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.audited import tell
from signalpost.runtime.clock import Clock
from signalpost.store.store import Store

WRITTEN_EVERY: Final = 5.0
TOLD_EVERY: Final = 3600 * SECOND
"""How long refusals of one kind are counted before they are told again."""
MAX_KINDS: Final = 256


class RefusedCall(NamedTuple):
    tenant_id: int
    actor: Actor
    code: str
    """The code of the problem that it was answered."""
    route: str
    """The method and the path, as the route table has it."""


class _Kind:
    """Refusals of one key for one reason at one route."""

    def __init__(self, last: RefusedCall, at: int) -> None:
        self.last = last
        self.at = at
        """When the last one came."""
        self.times = 0
        """How many are not told yet."""
        self.told_at: int | None = None


class RefusedCalls:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kinds: dict[tuple[str, str, str], _Kind] = {}
        self._noted = asyncio.Event()
        """Whether there is any."""

    def note(self, call: RefusedCall) -> None:
        name, now = (call.actor.id, call.code, call.route), self._clock.wall()
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                return
            kind = self._kinds[name] = _Kind(call, now)
        kind.last, kind.at = call, now
        kind.times += 1
        self._noted.set()

    async def run(self) -> None:
        while True:
            await self._noted.wait()
            await asyncio.sleep(WRITTEN_EVERY)
            await self.write(at_least=TOLD_EVERY)

    async def write(self, at_least: int = 0) -> None:
        """Tell what is not told yet, of each kind if it was not told for `at_least` µs. What the store cannot take now
        stays noted."""
        now = self._clock.steady()
        due = [kind for kind in self._kinds.values() if kind.told_at is None or now - kind.told_at >= at_least]
        untold = {kind: kind.times for kind in due if kind.times}
        if untold:
            with suppress(SignalpostError):
                await tell(self._store.audit, _drafts(untold))
                for kind, times in untold.items():
                    kind.times -= times
                    kind.told_at = now
        quiet = [name for name, kind in self._kinds.items() if not kind.times and kind in due and kind not in untold]
        for name in quiet:
            del self._kinds[name]
        if not self._kinds:
            self._noted.clear()


def _drafts(untold: dict[_Kind, int]) -> Iterator[EntryDraft]:
    for kind, times in untold.items():
        call = kind.last
        said = {"code": call.code, "times": times}
        yield EntryDraft(
            tenant_id=call.tenant_id,
            at=kind.at,
            actor=call.actor,
            action="call.refuse",
            object=Object("route", call.route),
            outcome="refused",
            changes={name: {"old": None, "new": value} for name, value in said.items()},
        )
