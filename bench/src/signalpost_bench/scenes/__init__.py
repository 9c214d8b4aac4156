"""What can be measured: the table of scenes. Each is a function in a module of its own beside others of its kind.

A scene runs in a harness, checks what arrived, and returns its rows. It is given what the scenes that it needs measured
in the same run.
"""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from msgspec import Struct

from signalpost_bench.harness import Harness
from signalpost_bench.results import Rows, Size
from signalpost_bench.scenes import (
    backlog,
    catch_up,
    endpoints,
    expiry,
    flapping,
    hostile,
    hot_document,
    http,
    idle_fleet,
    ladder,
    latency,
    links,
    memory,
    one_bad_caller,
    overload,
    publishing,
    recovery,
    retention,
    throughput,
    tls,
)

Place = Literal["sqlite", "postgresql"]
ANY: Final[AbstractSet[Place]] = frozenset({"sqlite", "postgresql"})


class Scene(Struct, frozen=True, kw_only=True):
    about: str
    run: Callable[[Harness, Size, Rows], Rows]
    needs: tuple[str, ...] = ()
    """Scenes that are run before it."""
    in_table: bool = True
    """Whether it is measured if no scene is asked for."""
    of_many_tenants: bool = False
    """Whether it can spread its load over many tenants."""
    on: AbstractSet[Place] = frozenset({"sqlite"})
    """What the database may be."""


SCENES: Mapping[str, Scene] = {
    "limit": Scene(about="the reference client", run=throughput.limit, of_many_tenants=True, on=ANY),
    "engine": Scene(about="the engine alone, flat out", run=throughput.flat_out, of_many_tenants=True, on=ANY),
    "drain": Scene(
        about="the engine alone, delivering what had gathered", run=throughput.drain, of_many_tenants=True, on=ANY
    ),
    "api": Scene(about="the HTTP API, one change a request", run=http.api, of_many_tenants=True, on=ANY),
    "import": Scene(about="the HTTP API, bulk import", run=http.bulk, on=ANY),
    "latency": Scene(about="at 100/s, and at half the rate of `api`", run=latency.latency, needs=("api",), on=ANY),
    "ladder": Scene(
        about=f"changes through HTTP by {', '.join(map(str, ladder.STEPS))} processes, plain and over TLS",
        run=ladder.ladder,
        in_table=False,
        on=ANY,
    ),
    "backlog": Scene(
        about="the engine beside a backlog, and a start with one",
        run=backlog.backlog,
        needs=("engine",),
        in_table=False,
    ),
    "endpoints": Scene(
        about=f"{endpoints.MANY:,} endpoints of one tenant and of many, against one",
        run=endpoints.endpoints,
        in_table=False,
    ),
    "publish": Scene(
        about=f"publishing to {publishing.MANY} subscriptions, and to one", run=publishing.publish, in_table=False
    ),
    "catch-up": Scene(about="a live lane while many catch up", run=catch_up.catch_up, in_table=False),
    "hostile": Scene(
        about="another tenant beside hostile endpoints and a backlog", run=hostile.hostile, in_table=False
    ),
    "retention": Scene(
        about="a live lane while the retention removes a backlog", run=retention.retention, in_table=False
    ),
    "overload": Scene(about="five times what the HTTP API can take", run=overload.overload, in_table=False),
    "one-bad-caller": Scene(
        about="another tenant beside one that does what is costly",
        run=one_bad_caller.one_bad_caller,
        in_table=False,
        on=ANY,
    ),
    "expiry": Scene(
        about="a live lane while every document's signature request expires", run=expiry.expiry, in_table=False
    ),
    "recovery": Scene(about="a thousand endpoints that come back together", run=recovery.recovery, in_table=False),
    "flapping": Scene(about="endpoints that go up and down", run=flapping.flapping, in_table=False),
    "hot-document": Scene(
        about="a document with 10,000 events at a dead endpoint", run=hot_document.hot_document, in_table=False
    ),
    "links": Scene(about="two links of its own in each event, against imported ones", run=links.links, in_table=False),
    "tls": Scene(about="TLS kept alive, and a new connection each", run=tls.tls, in_table=False),
    "idle-fleet": Scene(
        about=f"{idle_fleet.NODES} nodes with {idle_fleet.TENANTS:,} tenants and nothing to do",
        run=idle_fleet.idle_fleet,
        in_table=False,
        on={"postgresql"},
    ),
    "memory": Scene(about="memory with nothing to do, and over the duration", run=memory.memory, in_table=False),
}


def with_needs(names: Iterable[str]) -> list[str]:
    """The scenes of these names and what they need, in the order of the table."""
    wanted = set(names)
    while more := {need for name in wanted for need in SCENES[name].needs} - wanted:
        wanted |= more
    return [name for name in SCENES if name in wanted]
