"""Runs the command that the process was called with."""

import sys
from collections.abc import Mapping

from signalpost.cli.serving.given_flags import flags_of_serve
from signalpost.domain.errors import SignalpostError, WrongSetting
from signalpost.runtime.garbage_collector import collect_rarely


def run() -> int:
    """Run the command of this process. Returns its exit code: 1 if the command failed, 2 if it or a setting was not
    understood."""
    flags = flags_of_serve(sys.argv[1:])
    if flags is not None:
        return _serve(flags)
    from signalpost.cli import app  # a gateway needs neither the other commands nor their library

    return app.run()


def _serve(flags: Mapping[str, str]) -> int:
    from signalpost.cli.serving.gateway_process import serve

    collect_rarely()  # the modules of a gateway are loaded
    try:
        serve(flags)
    except SignalpostError as error:
        from signalpost.cli.terminal.text import complain  # imports Rich, which a gateway never needs

        complain(str(error))
        return 2 if isinstance(error, WrongSetting) else 1
    return 0
