"""What can be measured: the table of scenes. Each is a function in a module of its own beside others of its kind.

A scene runs on a stage, checks what arrived, and answers its rows. It is given what the scenes that it needs measured
in the same run.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from signalpost.bench.measured import Rows, Size
from signalpost.bench.scenes import flat, http, latency
from signalpost.bench.stage import Stage


class Scene(Struct, frozen=True, kw_only=True):
    about: str
    run: Callable[[Stage, Size, Rows], Rows]
    needs: tuple[str, ...] = ()
    """Scenes that are run before it."""
    in_table: bool = True
    """It is measured where no scene is asked for."""
    of_many_tenants: bool = False
    """It can spread its load over many tenants."""


SCENES: Mapping[str, Scene] = {
    "limit": Scene(about="the reference client", run=flat.limit, of_many_tenants=True),
    "engine": Scene(about="the engine alone, flat out", run=flat.flat_out, of_many_tenants=True),
    "drain": Scene(about="the engine alone, delivering what had gathered", run=flat.drain, of_many_tenants=True),
    "api": Scene(about="the HTTP API, one change a request", run=http.api),
    "import": Scene(about="the HTTP API, bulk import", run=http.bulk),
    "latency": Scene(about="at 100/s, and at half the rate of `api`", run=latency.latency, needs=("api",)),
}


def with_needs(names: Iterable[str]) -> list[str]:
    """The scenes of these names and what they need, in the order of the table."""
    wanted = set(names)
    while more := {need for name in wanted for need in SCENES[name].needs} - wanted:
        wanted |= more
    return [name for name in SCENES if name in wanted]
