"""What tests of sources have in common: a platform, a source that is run, and kills of all that takes part."""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from connect.tests.conftest import FedGateway
from connect.tests.connector_process import CommandProcess, write_config
from connect.tests.feeding import kill_one, newest_of, seeded, told_of, until_fed_more
from gateway.tests.acceptance.client import until

from signalpost_bench.free_port import free_port
from signalpost_connect import Source
from signalpost_connect.testing import Change, Conformance, Killable

KILLS = int(os.environ.get("KILLS", "6"))
OUTAGE = float(os.environ.get("OUTAGE", "60"))
S = TypeVar("S", bound=Source)
T = TypeVar("T")


def run_source(source: S, act: Callable[[S], Awaitable[T]]) -> T:
    """What is done with a source, which is closed afterwards."""

    async def run() -> T:
        try:
            return await act(source)
        finally:
            await source.close()

    return asyncio.run(run())


class PlatformOfSource(Protocol):
    """Where a source reads from, as a platform uses it: see `Conformance`."""

    def source(self) -> Source: ...
    def put(self, changes: Sequence[Change]) -> None: ...
    def left(self) -> int: ...
    def dead(self) -> Sequence[str]: ...


class PlatformWithServer(PlatformOfSource, Protocol):
    @property
    def server(self) -> Killable:
        """What the source reads from."""
        ...

    def table(self) -> str:
        """What makes the same source as `source`: the lines of TOML below `[source]`."""
        ...


class PlatformConformance(Conformance):
    """The promises of sources, for one with a platform."""

    gateway: FedGateway
    platform: PlatformOfSource

    def source(self) -> Source:
        return self.platform.source()

    def put(self, changes: Sequence[Change]) -> None:
        self.platform.put(changes)

    def left(self) -> int:
        return self.platform.left()

    def dead(self) -> Sequence[str]:
        return self.platform.dead()


class KilledConformance(PlatformConformance):
    """The promises of sources, and that they are kept by a connector which is a process of its own."""

    platform: PlatformWithServer

    def test_kills_lose_no_change_make_none_twice_and_keep_the_order(self, tmp_path: Path) -> None:
        """The connector, the gateway and the server in turn, at random moments, each while there is work under way. The
        server is there for what is put."""
        chance, documents = seeded(), [str(uuid.uuid4()) for _ in range(50)]
        before = newest_of(self.gateway)
        with self._connector(tmp_path) as connector:
            for number in range(KILLS):
                newest = newest_of(self.gateway)
                self.put(
                    [Change(each, 8 * number + part + 1, f"{number} {part}") for part in range(8) for each in documents]
                )
                until_fed_more(self.gateway, newest)
                time.sleep(chance.uniform(0, 0.4))
                kill_one(number, connector, self.gateway, self.platform.server)
            wanted = [f"{number} {part}" for number in range(KILLS) for part in range(8)]
            until(lambda: newest_of(self.gateway) >= before + len(wanted) * len(documents), connector.log)
            assert connector.stop() == 0
        found = told_of(self.gateway)
        print(f"{len(wanted) * len(documents)} changes of {len(documents)} documents, {KILLS} kills")
        assert {each for each in documents if found[each] != wanted} == set()
        assert not self.dead()

    def test_after_a_minute_without_the_server_it_goes_on(self, tmp_path: Path) -> None:
        document = str(uuid.uuid4())
        with self._connector(tmp_path) as connector:
            self.put([Change(document, 1, "before")])
            until(lambda: told_of(self.gateway)[document] == ["before"], connector.log)
            self.platform.server.kill()
            until(lambda: connector.health()["status"] == "failing", connector.log)
            time.sleep(OUTAGE)
            self.platform.server.start()
            self.put([Change(document, 2, "after")])
            until(lambda: told_of(self.gateway)[document] == ["before", "after"], connector.log)
            assert connector.stop() == 0

    @contextmanager
    def _connector(self, folder: Path) -> Iterator[CommandProcess]:
        """`signalpost-connect run`, which ends with the block."""
        port = free_port()
        config = write_config(folder, "source", self.platform.table(), self.gateway.url, self.gateway.key, port)
        made = CommandProcess(folder, "run", config, port)
        made.start()
        try:
            yield made
        finally:
            made.end()
