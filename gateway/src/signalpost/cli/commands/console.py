"""`signalpost console`: a link that signs you in to the console."""

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import TEXT, Output


def console(*, out: Output = TEXT) -> None:
    link = connect().call("POST", path("console-links")).content
    out.show(link, link["url"])
