"""`signalpost sources`: what feeds a tenant, and how it does."""

from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Limit
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import table
from signalpost.cli.terminal.plain import say

app = App(name="sources", help_format="markdown")


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List the sources that feed the tenant, newest first: how far each is behind, what it gave up, when it was heard.

    Example: signalpost sources list
    """
    found = list(connect().pages(path("sources"), {}, limit))
    columns = {
        "name": "name", "state": "state", "oldest waits (s)": "oldestSeconds", "dead": "dead", "last heard": "heardAt",
    }  # fmt: skip
    out.show(found, table(found, columns, "No source says how it does."))


@app.command
def remove(name: Annotated[str, Parameter(help="The source's name, as listed.")], /) -> None:
    """Remove a source that feeds the tenant no more, so that no one is told of its silence.

    Example: signalpost sources remove outbox
    """
    connect().call("DELETE", path("sources", name))
    say(f"Removed {name}.")
