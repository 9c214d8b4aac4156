"""`signalpost search`: what a text leads to."""

from typing import Annotated

from cyclopts import Parameter

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, print_json, print_table

OPTIONS = {"?q": "TEXT"}


def search(
    text: Annotated[
        str,
        Parameter(name="TEXT", help="An id, the beginning of a title, an e-mail address, a reference, a name or host."),
    ],
    /,
    *,
    as_json: Json = False,
) -> None:
    """Find events, documents and subscriptions by an id, a title, an address or a name."""
    found = connect(OPTIONS).call("GET", path("search"), {"q": text}).content["data"]
    if as_json:
        print_json(found)
        return
    rows = [(each["kind"], each["id"], each["title"], each["detail"]) for each in found]
    print_table(("kind", "id", "title", "detail"), rows, "Nothing was found.", cut=("title", "detail"))
