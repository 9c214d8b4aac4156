"""The master key of a fleet changes: one node brings everything under it, and every node learns what signs then."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from gateway.tests.world.virtual_time import VirtualLoop, VirtualTime

from signalpost.engine.maintenance.master_key_change import MasterKeyChange
from signalpost.store.nouns.fleet import SHARED
from signalpost.store.vault import MasterKeys

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


class Database:
    """What two nodes share."""

    def __init__(self) -> None:
        self.owner: int | None = None
        self.wrapped_by = {MasterKeys([OLD]).current: 3}
        self.changes: Counter[int] = Counter()

    def store_of(self, node: int) -> Any:
        async def take_job(_name: str, _seconds: float) -> bool:
            self.owner = node if self.owner is None else self.owner
            return self.owner == node

        async def wrapped_by() -> Mapping[str, int]:
            return self.wrapped_by

        async def wrap_with_current() -> None:
            self.changes[node] += 1
            await asyncio.sleep(5)
            self.wrapped_by = {MasterKeys([NEW]).current: 3}

        async def signing() -> Mapping[str, list[str]]:
            return {"links": ["signs now" if MasterKeys([NEW]).current in self.wrapped_by else "signed before"]}

        data_keys = SimpleNamespace(
            master_keys=MasterKeys([NEW, OLD]),
            wrapped_by=wrapped_by,
            wrap_with_current=wrap_with_current,
            signing=signing,
        )
        return SimpleNamespace(data_keys=data_keys, fleet=SimpleNamespace(terms=SHARED, take_job=take_job))


def test_one_node_changes_the_master_key_and_all_learn_what_signs() -> None:
    database, signs = Database(), {}

    async def scenario() -> None:
        source: Any = SimpleNamespace(name="MASTER_KEY")
        nodes = [
            MasterKeyChange(database.store_of(n), source, {"links": lambda keys, n=n: signs.update({n: keys})})  # type: ignore[misc]
            for n in (1, 2)
        ]
        for node in nodes:
            await node.start()
        await asyncio.sleep(10)
        for node in nodes:
            await node.close()

    loop = VirtualLoop(VirtualTime(0.0))
    loop.run_until_complete(scenario())
    loop.close()
    assert database.changes.total() == 1
    assert signs == {1: ["signs now"], 2: ["signs now"]}
