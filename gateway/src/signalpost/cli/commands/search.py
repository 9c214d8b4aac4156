"""`signalpost search`: what a text leads to."""

from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Sets
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.tables import Table


def search(
    text: Annotated[
        str,
        Parameter(name="TEXT", help="An id, the beginning of a title, an e-mail address, a reference, a name or host."),
        Sets("?q"),
    ],
    /,
    *,
    out: Output = TEXT,
) -> None:
    """Find events, documents and subscriptions by an id, a title, an address or a name."""
    found = connect().call("GET", path("search"), {"q": text}).content["data"]
    rows = [(each["kind"], each["id"], each["title"], each["detail"]) for each in found]
    out.show(found, Table(("kind", "id", "title", "detail"), rows, "Nothing was found.", cut=("title", "detail")))
