"""A process's birth, by which others of its machine find out that it has ended.

The kernel alone decides: no process has that number, or one that began at another time has it by now. A number means
something only within one boot and one PID namespace, and the time of a start only within one time namespace, so all
three belong to a birth. Of a process of another machine or namespace nothing is known, however long it has been silent.
Nor is anything known on a system without Linux's /proc.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

UNKNOWN: Final = ""
"""Stands for the birth of a process of which no other process can tell whether it has ended."""
_PROC: Final = Path("/proc")
_NAMESPACES: Final = ("pid", "time")
_STARTED_AT: Final = 19
"""Which of the words after the name it is that tells when a process started; see proc(5)."""


def own_birth(proc: Path = _PROC) -> str:
    """The birth of this process."""
    try:
        return " ".join((*_realm(proc), str(os.getpid()), _started_at(proc, os.getpid())))
    except (OSError, IndexError):
        return UNKNOWN


def has_ended(birth: str, ask: Callable[[int, int], None] = os.kill, proc: Path = _PROC) -> bool:
    """Whether the process of this birth is known to have ended. `ask` is given its number and the signal 0."""
    *realm, process, started_at = ["", *birth.split(" ")]
    with suppress(OSError, IndexError):
        if realm[1:] != _realm(proc):
            return False
        try:
            ask(int(process), 0)  # /proc may hide a process of another user
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # there is one
        return _started_at(proc, int(process)) != started_at
    return False


def _realm(proc: Path) -> list[str]:
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    namespaces = (proc / "self/ns" / name for name in _NAMESPACES)
    return [boot, *(str(each.readlink()) for each in namespaces if each.is_symlink())]


def _started_at(proc: Path, process: int) -> str:
    return (proc / str(process) / "stat").read_text().rpartition(")")[2].split()[_STARTED_AT]
