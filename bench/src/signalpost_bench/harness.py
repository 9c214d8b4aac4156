"""Starts the parts of a benchmark, and ends them.

Every part runs in a process of its own, and on a core of its own if there are enough:

- the *sink*, an endpoint that keeps what it is sent and checks all of it afterwards (`sink.py`);
- the *reference*, a client that does nothing but send; its rate into that sink is the limit of the machine;
- the *engine*, a gateway inside a program, driven without HTTP (`engine_process.py`);
- the *gateway*, as `signalpost serve` runs it (`serving.py`);
- the *load* that drives it through HTTP (`load.py`, `overload_clients.py`).

`resource_monitor.py` watches the measured process from outside, `probe.py` its event loop from inside. What is measured
is the table in `scenes/`: a new scene is a function in a module there and a line in that table. The bench uses the
gateway as its users do: through HTTP, the embedded API, its settings and its data directory.
"""

import os
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

from signalpost_bench.certificate import make_certificate
from signalpost_bench.child_process import ChildProcess, RunFailed
from signalpost_bench.postgres_place import PostgresPlace, open_place
from signalpost_bench.resource_monitor import ResourceMonitor, Spent, Usage
from signalpost_bench.serving import GatewayProcess
from signalpost_bench.workload import SECRET, Workload

PATIENT_DELAYS = (2,) * 60
"""Retry delays in seconds with which nothing is given up within a scene."""
USUAL_TIMEOUT = 5.0
PATIENT_TIMEOUT = 60.0
"""Seconds that an attempt has if every endpoint answers at once: on a machine that stalls for longer than usual,
nothing is sent twice for that."""
QUIET_SECONDS = 20.0
"""With no arrival for so long the sink waits no more for what is missing."""


class Cores:
    """The last core is for what is measured; the sink and the load have others if there are enough. What starts and
    watches them all is beside the sink."""

    def __init__(self) -> None:
        self.all = os.sched_getaffinity(0)
        cores = sorted(self.all)
        self.measured = cores[-1]
        self.sink = cores[0]
        self.load = cores[1] if len(cores) > 2 else cores[0]


class EngineProcess(ChildProcess):
    """The engine alone, and what watches it."""

    def __init__(self, core: int, folder: Path, spent: Callable[[], Spent | None]) -> None:
        super().__init__("engine_process", core)
        self.monitor = ResourceMonitor(self.pid, folder, spent)

    def __exit__(self, *reason: object) -> None:
        self.monitor.stop()
        super().__exit__(*reason)


class Harness:
    """A sink that runs for the whole benchmark, and the parts that are measured with it."""

    def __init__(
        self, workload: Workload, place: Path | None, *, tls: bool, postgres: str | None = None, processes: int = 1
    ) -> None:
        """`place`: the folder in which databases are made; None for the system's, for what is temporary. `postgres`:
        the URL of the server that has them instead; `processes`: how many a gateway has."""
        self.workload = workload
        self.place = place
        self._postgres_url = postgres
        self._postgres: PostgresPlace | None = None
        self.processes = processes
        self._cores = Cores()
        self._open = ExitStack()
        self._tls = tls

    def __enter__(self) -> Self:
        _allow_many_files()
        os.sched_setaffinity(0, {self._cores.sink})
        self._open.callback(os.sched_setaffinity, 0, self._cores.all)
        if self._postgres_url is not None:  # its processes inherit the core
            self._postgres = self._open.enter_context(open_place(self._postgres_url))
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="signalpost-bench-")))
        shown, self.ca_file = map(str, make_certificate(folder))
        self.sink = self._open.enter_context(ChildProcess("sink", self._cores.sink))
        self.plain_url = self._listen("http", None, "alive")
        self.tls_url = self._listen("https", shown, "alive")
        self.tls_once_url = self._listen("https", shown, "for one request")
        """A sink that takes one request on each connection."""
        self.url = self.tls_url if self._tls else self.plain_url
        """The URL to which most scenes deliver."""
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _listen(self, scheme: str, certificate: str | None, kept: str) -> str:
        return f"{scheme}://127.0.0.1:{self.sink.ask('listen', certificate=certificate, kept=kept)}"

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new folder for a database."""
        with tempfile.TemporaryDirectory(prefix="signalpost-bench-", dir=self.place) as made:
            yield Path(made)

    @contextmanager
    def new_database(self) -> Iterator[str | None]:
        """The URL of a new database on the server; None if databases are files."""
        if self._postgres is None:
            yield None
        else:
            with self._postgres.new_database() as url:
                yield url

    def spent(self) -> Spent | None:
        """What the database's server has spent so far."""
        return None if self._postgres is None else self._postgres.spent()

    def server_figures(self, before: Usage, after: Usage, deliveries: int) -> dict[str, float]:
        """What each delivery took of the database's server."""
        if self._postgres is None or before.server is None or after.server is None:
            return {}
        return self._postgres.between(before.server, after.server, deliveries)

    def reference(self) -> ChildProcess:
        return ChildProcess("reference", self._cores.measured)

    @contextmanager
    def engine(
        self,
        workload: Workload,
        *,
        url: str | None = None,
        status: str = "active",
        folder: Path | None = None,
        retry_delays: Sequence[int] | None = None,
        attempt_timeout: float = PATIENT_TIMEOUT,
    ) -> Iterator[EngineProcess]:
        """The engine alone, its subscriptions to `url` (the harness's own), on a new data directory or on `folder`."""
        with ExitStack() as open_:
            at = folder or open_.enter_context(self.folder())
            database_url = open_.enter_context(self.new_database())
            engine = open_.enter_context(EngineProcess(self._cores.measured, at, self.spent))
            if self.processes > 1:
                os.sched_setaffinity(engine.pid, self._cores.all)
            engine.ask(
                "open",
                workload=msgspec.to_builtins(workload),
                folder=str(at),
                url=url or self.url,
                ca_file=self.ca_file,
                status=status,
                retry_delays=retry_delays,
                attempt_timeout=attempt_timeout,
                database_url=database_url,
                processes=1 if database_url else self.processes,
            )
            yield engine
            engine.ask("close")

    @contextmanager
    def gateway(
        self,
        folder: Path | None = None,
        targets: Sequence[str] = (),
        attempt_timeout: float = PATIENT_TIMEOUT,
        processes: int | None = None,
    ) -> Iterator[GatewayProcess]:
        """A gateway on a new database, or on that of `folder`, that may also deliver to these targets, with so many
        processes (the harness's own number)."""
        with (
            self.new_database() as database_url,
            self.gateway_on(database_url, folder, targets, attempt_timeout, processes) as gateway,
        ):
            yield gateway

    @contextmanager
    def gateway_on(
        self,
        database_url: str | None,
        folder: Path | None = None,
        targets: Sequence[str] = (),
        attempt_timeout: float = PATIENT_TIMEOUT,
        processes: int | None = None,
    ) -> Iterator[GatewayProcess]:
        """A gateway on a database of the server, or else on the file of a new folder or of `folder`."""
        with ExitStack() as open_:
            at = folder or open_.enter_context(self.folder()) / "data"
            at.mkdir(exist_ok=True)
            allowed = ",".join((self.plain_url, self.tls_url, self.tls_once_url, *targets))
            number = processes or self.processes
            cores = {self._cores.measured} if number == 1 else self._cores.all
            yield open_.enter_context(
                GatewayProcess(at, allowed, self.ca_file, cores, database_url, number, self.spent, attempt_timeout)
            )

    @contextmanager
    def load(self, gateway: GatewayProcess, workload: Workload, url: str | None = None) -> Iterator[ChildProcess]:
        """Clients of the gateway, with its documents made and its subscriptions, to `url` (the harness's own)."""
        with ChildProcess("load", self._cores.load) as part:
            part.ask(
                "open", port=gateway.port, key=gateway.key, workload=msgspec.to_builtins(workload), pid=gateway.pid
            )
            part.ask("subscribe", url=url or self.url, secret=SECRET)
            part.ask("make_documents")
            yield part

    @contextmanager
    def overload(self, gateway: GatewayProcess, tenants: Sequence[str]) -> Iterator[ChildProcess]:
        """Clients of several tenants, each of which has a subscription and documents."""
        with ChildProcess("overload_clients", self._cores.load) as part:
            workload = msgspec.to_builtins(self.workload)
            part.ask("open", port=gateway.port, key=gateway.key, workload=workload, tenants=tenants, url=self.url)
            yield part

    def bad_caller(self) -> ChildProcess:
        """The clients of the scene `one-bad-caller`."""
        return ChildProcess("bad_caller", self._cores.load)

    def expect(self, deliveries: int) -> None:
        """Wait until so many deliveries came. Raises PartFailed if some are missing."""
        came = self.sink.ask("wait_for", count=deliveries, seconds=QUIET_SECONDS)
        if came != deliveries:
            raise RunFailed(f"{deliveries:,} deliveries were due and {came:,} came")

    def check(self, deliveries: int, names: AbstractSet[str] | None = None, overtaken_most: int = 0) -> dict[str, Any]:
        """What the sink found: everything came, once, verified, in order of each document; of what is timed, exactly
        the changes of these names. So many may come after a later one of their document. Raises PartFailed."""
        found: dict[str, Any] = self.sink.ask("check")
        wrong = {name: found[name] for name in ("repeated", "unverified") if found[name]}
        if found["disordered"] > overtaken_most:
            wrong["disordered"] = found["disordered"]
        if found["distinct"] != deliveries or wrong:
            raise RunFailed(f"{deliveries:,} deliveries were due; {found['distinct']:,} came, {wrong or 'none wrong'}")
        if names is not None and (amiss := names ^ {name for name, _ in found["arrived"]}):
            raise RunFailed(f"{len(amiss):,} changes came although they were refused, or not although they were made")
        return found


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
