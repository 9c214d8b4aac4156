"""What this process has of the machine's cores."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_CGROUPS: Final = Path("/sys/fs/cgroup")
_LAST: Final = 19
"""The nice value of those who come after everybody else."""


def cores(own_cgroup: Path = Path("/proc/self/cgroup"), cgroups: Path = _CGROUPS) -> float:
    """How many cores this process may use, together with all that share its container or its service: a part of one,
    too."""
    available = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    with suppress(OSError, ValueError):  # there is no limit, or this system tells none
        path = own_cgroup.read_text().strip().removeprefix("0::/")
        most, period = (cgroups / path / "cpu.max").read_text().split()
        return min(available, int(most) / int(period))
    return available


def leave_cores_to_others() -> None:
    """Have this process work only while no other process wants the core."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError):  # another system, or one that does not let it
        os.nice(_LAST)
