"""Changes the master key while the gateway runs.

The source of the master keys (a file, a setting) is authoritative for which one is current: its first. The database is
authoritative for how far the change has come: each data key says which master key wraps it. So there is nothing else to
remember, and a change that was broken off, by a kill at any point, goes on with the next start.

1. A new key is in the source, before the present one. A start needs both from now on.
2. The data keys that seal are wrapped with the new master key, part by part, and retired; then those that sign, all at
   once, and others sign in their place. In a fleet one node does that, and the others take up what signs from then on.
3. Nothing lies under the former key any more. The operator may then take it out of the source, but earlier backups need
it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from signalpost.domain.errors import Conflict, SignalpostError
from signalpost.domain.signing_key import SigningKey
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.runtime.logger import log
from signalpost.store.store import Store
from signalpost.store.vault import MasterKeys

LOOK_EVERY: Final = 1.0
"""Seconds between two looks whether another node has carried a change through."""
AGAIN_AFTER: Final = 10.0
"""Seconds after which a change that the store could not carry on is tried again."""


class KeySource(Protocol):
    """Where the master keys come from."""

    @property
    def name(self) -> str: ...
    def read(self) -> tuple[bytes, ...]: ...
    def add(self) -> tuple[bytes, ...]: ...


class MasterKeyState(Struct, frozen=True):
    """Which master key is current, and what lies under which."""

    current: str
    data_keys: Mapping[str, int]
    """How many data keys each master key wraps, by its id; 0 for one that is not needed any more."""

    @property
    def is_changing(self) -> bool:
        return any(count and name != self.current for name, count in self.data_keys.items())


class MasterKeyChange:
    def __init__(
        self, store: Store, source: KeySource, sign_with: Mapping[str, Callable[[Sequence[SigningKey]], None]]
    ) -> None:
        """`sign_with` tells those who sign, by purpose, with which keys."""
        self._store = store
        self._source = source
        self._jobs = Jobs(store.fleet)
        self._sign_with = sign_with
        self._lock = asyncio.Lock()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with a change that is not complete."""
        state = await self.state()
        if state.is_changing:
            self._running = asyncio.create_task(self._run())
        elif unused := sorted(set(state.data_keys) - {state.current}):
            log.info("earlier master keys are no longer needed here", unused=unused, source=self._source.name)

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def state(self) -> MasterKeyState:
        given = self._store.data_keys.master_keys
        return MasterKeyState(given.current, dict.fromkeys(given.ids, 0) | await self._store.data_keys.wrapped_by())

    async def begin(self) -> MasterKeyState:
        """Change to the first key of the source, or, if that is the current one, to a new one. A change that is under
        way goes on. Raises Conflict if the operator has to do something first, and StartError."""
        async with self._lock:
            state = await self.state()
            if state.is_changing and self._running is not None and not self._running.done():
                return state
            keys = await asyncio.to_thread(self._source.read)
            if MasterKeys(keys).current == state.current and not state.is_changing:
                keys = await asyncio.to_thread(self._source.add)
            self._use(keys)
            self._running = asyncio.create_task(self._run())
            return await self.state()

    def _use(self, keys: Sequence[bytes]) -> None:
        given, used = MasterKeys(keys), self._store.data_keys.master_keys
        if used.current not in given.ids:
            raise Conflict(
                "master_key_missing",
                f"{self._source.name} no longer has the present master key {used.current}. Put it on a line below the "
                f"new one until the change is complete: a restart in between needs both.",
            )
        self._store.data_keys.use(used.after(keys[0]))

    async def _run(self) -> None:
        current = self._store.data_keys.master_keys.current
        log.info("moving everything to another master key", current=current)
        while True:
            try:
                if await self._jobs.take("master key"):
                    await self._store.data_keys.wrap_with_current()
                elif (await self.state()).is_changing:
                    await asyncio.sleep(LOOK_EVERY)
                    continue  # another node is at it; this one learns then which keys sign
                keys = await self._store.data_keys.signing()
                for purpose, sign_with in self._sign_with.items():
                    sign_with(keys[purpose])
            except SignalpostError as error:
                log.warning("the change of the master key could not continue; trying again", error=str(error))
            except Exception:
                log.exception("the change of the master key could not continue; trying again")
            else:
                log.info("the current master key protects everything", current=current, source=self._source.name)
                return
            await asyncio.sleep(AGAIN_AFTER)
