"""The program of a process that walks a log for a rehearsal: `python -m signalpost.engine.rehearsing DESCRIPTOR`, with
the descriptor of its socket to the gateway. From before it loads most modules, it works only while no other process
wants the core."""

import sys

from signalpost.runtime.child_process import live_with_parent
from signalpost.runtime.cores import leave_cores_to_others
from signalpost.runtime.garbage_collector import collect_nothing, collect_rarely


def main() -> None:
    live_with_parent()
    leave_cores_to_others()
    collect_nothing()
    from signalpost.engine.rehearsing.walking_process import walk  # only now: it loads most modules

    collect_rarely()
    walk(int(sys.argv[1]))


if __name__ == "__main__":
    main()
