"""`signalpost console`: a link that signs you in to the console."""

from signalpost.cli.client import connect, path
from signalpost.cli.terminal.output import Json, print_json, say


def console(*, as_json: Json = False) -> None:
    """Create a link that signs you in to the console, once, within 15 minutes.

    Example: signalpost console
    """
    link = connect().call("POST", path("console-links")).content
    if as_json:
        print_json(link)
        return
    say(link["url"])
