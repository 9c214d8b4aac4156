"""The entry point of the command `signalpost`.

Loading the libraries takes most of a second, so it happens inside `main`: Ctrl-C in that time ends the command as it
does later, with the exit code 130 and without a word. For the same reason this module imports next to nothing.
"""

import os
import sys

from signalpost.runtime.garbage_collector import collect_nothing


def main() -> None:
    collect_nothing()
    try:
        _open_missing_streams()
        from signalpost.cli.running import run

        code = run()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 0  # the reader of a pipe closed it, such as `| head`
    _end(code)


def _open_missing_streams() -> None:
    """Open /dev/null for each missing standard stream, or the next file that is opened would become that stream."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _end(code: int) -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try once more, and complain
    sys.exit(code)
