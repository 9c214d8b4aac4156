"""The command in a process that was forked from one that has loaded the libraries and the gateway: so a test of many
commands does not wait for each to load them. The commands are loaded anew, by `main`, as the installed command does."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = ["cyclopts", "cyclopts.bind", "cyclopts.completion.install", "cyclopts.help", "cyclopts.validators",
             "rich.console", "rich.live", "rich.progress", "http.client", "msgspec", "apsw", "structlog",
             "starlette.applications", "uvicorn", "uvloop", "zoneinfo", "importlib.metadata",
             "signalpost.gateway", "signalpost_bench"]  # fmt: skip


def command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """Runs to its end, with the folder's files `stdin`, `stdout` and `stderr` for what these are."""
    os.environ.clear()
    os.environ.update(environment)
    for number, (name, flags) in enumerate((("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))):
        os.dup2(os.open(folder / name, flags), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = ["signalpost", *arguments]
    from signalpost.cli.main import main

    main()
