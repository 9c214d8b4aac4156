"""`signalpost search`: what a text leads to."""

from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.options import Sets
from signalpost.cli.terminal.output import TEXT, Output
from signalpost.cli.terminal.parts import table


def search(
    text: Annotated[
        str,
        Parameter(
            name="TEXT",
            help="A part of a title, an e-mail address, a reference, a name or a URL; or an id, or its beginning.",
        ),
        Sets("?q"),
    ],
    /,
    *,
    out: Output = TEXT,
) -> None:
    found = connect().call("GET", path("search"), {"q": text}).content["data"]
    columns = {"kind": "kind", "id": "id", "title": "title", "detail": "detail"}
    out.show(found, table(found, columns, "Nothing was found.", cut=("title", "detail")))
