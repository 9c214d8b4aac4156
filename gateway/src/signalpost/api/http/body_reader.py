"""Parses large bodies on a thread of its own, one at a time, in turns between tenants.

A long computation on a thread keeps the interpreter, or the core, from the event loop. So the thread rests again and
again, and after each body (`sharing/resting_turns.py`).
"""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from time import thread_time
from typing import Any, Final

from signalpost.api.http.body import LARGE_BODY_BYTES, read_json, read_slowly
from signalpost.sharing.resting_turns import RestingTurns

FOLLOWS_PER_BYTE: Final = 16e-9
"""Seconds of work for each byte of a body once it was read, for its checks, commit and event: 16 ms a megabyte."""
COMMIT_FROM: Final = 256 * 1024
"""From how many bytes on it matters how long the commit took: changes of others wait for it, or are in it."""
LONGEST_COMMIT: Final = 1.0
"""Seconds that a commit counts for at most."""


class BodyReader:
    def __init__(self, thread: Executor, cpu: Callable[[], float] = thread_time) -> None:
        """`thread` has one thread: a second one would wait for the same lock. `cpu` tells the seconds of CPU that the
        thread that calls it has spent."""
        self._thread = thread
        self._turns = RestingTurns(cpu)
        self._committed_within = 0.0
        """How long it took for each byte of the last large body until its change was answered, in seconds."""

    async def read(self, tenant_id: int, body: bytes, *, is_shared: bool) -> Any:
        """See `read_json`; a small body comes here once the fast decoder has refused it. `is_shared` says that other
        tenants call, who are to meet few of such bodies."""
        work = read_json if len(body) > LARGE_BODY_BYTES else read_slowly
        per_byte = max(FOLLOWS_PER_BYTE, self._committed_within if len(body) >= COMMIT_FROM else 0.0)
        follows = len(body) * per_byte if is_shared else 0.0
        return await self._turns.run(tenant_id, self._thread, partial(work, body), follows)

    def answered(self, size: int, seconds: float) -> None:
        """A change with a large body of so many bytes was made, so long after the body was read."""
        self._committed_within = min(seconds, LONGEST_COMMIT) / size
