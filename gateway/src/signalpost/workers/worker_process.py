"""How a worker is started: as a process that inherits sockets and nothing that is secret.

A fork would hold the master key, every secret in memory and the database's files, in the very process that talks to
strangers.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from signalpost.runtime.child_process import ChildProcess

_INHERITED: Final = frozenset(
    "PATH HOME LANG LANGUAGE TZ SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF RES_OPTIONS LOCALDOMAIN HOSTALIASES".split()
)
_INHERITED_KINDS: Final = ("LC_", "LD_", "MALLOC_", "PYTHON")
"""Beginnings of names of variables."""


class WorkerProcess(Protocol):
    """A worker that was started."""

    socket: socket.socket
    """The gateway's end."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    async def wait(self) -> int:
        """Wait until it has ended. Returns its exit code, or that of the signal that killed it, negative."""
        ...


StartWorker = Callable[[], WorkerProcess]
"""Raises OSError."""


class StartedWorker(ChildProcess):
    """A process of this machine."""

    def __init__(self, listeners: Sequence[socket.socket] = ()) -> None:
        """The process inherits the listeners that are not closed. Raises OSError."""
        super().__init__("signalpost.workers", worker_environment(os.environ), listeners)


def waited_for_a_core(pid: int) -> float:
    """For how many seconds a process wanted to run since it began, and had no core; 0 if this system does not tell."""
    try:
        _, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    except (OSError, ValueError):
        return 0.0
    return int(waited) / 1e9


def worker_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker: variables that libraries and Python itself go by. Settings of the gateway and of
    anything else that runs in it, which may be secret, are not among them."""
    return {name: value for name, value in ours.items() if name in _INHERITED or name.startswith(_INHERITED_KINDS)}
