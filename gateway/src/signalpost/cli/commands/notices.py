"""`signalpost notices`: what is wrong now."""

from typing import Annotated

from cyclopts import App, Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Limit, Sets
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import table
from signalpost.cli.terminal.plain import say

app = App(name="notices", help_format="markdown")


@app.command(name="list")
def list_(*, limit: Limit = 50, out: Output = TEXT) -> None:
    """List what is wrong now, newest first.

    Example: signalpost notices list
    """
    found = list(connect().pages(path("notices"), {}, limit))
    columns = {
        "id": "id", "severity": "severity", "kind": "kind", "tenant": "subject.tenant", "since": "since",
        "told": "toldAt", "muted until": "mutedUntil", "what": "sentence",
    }  # fmt: skip
    out.show(found, table(found, columns, "Nothing is wrong.", cut=("what",)))


@app.command
def mute(
    notice: Annotated[str, Parameter(name="ID", help="The notice's id, as listed.")],
    /,
    *,
    hours: Annotated[int, Parameter(help="For how many hours; 0 ends it."), Sets("/hours")] = 24,
) -> None:
    """Mute a notice: no reminder is sent for a while.

    Example: signalpost notices mute 01a20e92-1d5f-76d4-985f-8a63b2c66f94 --hours 8
    """
    connect().call("POST", path("notices", notice, "mute"), body={"hours": hours})
    say(f"Muted {notice} for {hours} hours." if hours else f"{notice} is not muted any more.")
