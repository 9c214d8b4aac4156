"""What an engine needs to know about its process and its machine, in addition to a clock."""

from collections.abc import Callable
from time import thread_time

from msgspec import Struct

from signalpost.runtime.clock import boot_time
from signalpost.runtime.process_birth import has_ended
from signalpost.store.nouns.fleet import NodeProcess


def _ignore_time(_now: int, _took: int) -> None:
    pass


class Host(Struct, frozen=True, kw_only=True):
    process: NodeProcess = NodeProcess()
    """Where this node runs."""
    has_ended: Callable[[str], bool] = has_ended
    """Whether the process of this birth is known to have ended. Sure of it, and never of what it cannot see."""
    boot_time: Callable[[], int] = boot_time
    """µs that also go on while the machine sleeps. The node's lease is counted by them."""
    cpu: Callable[[], float] = thread_time
    """The seconds of CPU that the event loop's thread has spent."""
    hear_time: Callable[[int, int], None] = _ignore_time
    """Called with the database's time, and with how many µs that took, for clocks that follow it."""
    database_url: str | None = None
    """Where another process can read the database; None if none can."""
    processes: int = 1
    """How many processes the gateway has on this machine that each want a core."""
