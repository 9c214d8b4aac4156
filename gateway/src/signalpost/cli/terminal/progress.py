"""Progress bars. They have a module of their own because few commands show one, and importing their library is slow."""

import sys

from rich.progress import Progress, ProgressColumn

from signalpost.cli.terminal.text import remarks


def progress(*columns: ProgressColumn) -> Progress:
    """A progress bar on standard error, if that is a terminal. It disappears at the end."""
    return Progress(
        *columns,
        console=remarks,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not sys.stderr.isatty(),
    )
