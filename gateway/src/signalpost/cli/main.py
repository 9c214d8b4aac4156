"""The command `signalpost`."""

import sys

from cyclopts import App

from signalpost import VERSION
from signalpost.cli.serve import serve
from signalpost.domain.errors import StartError

app = App(
    name="signalpost",
    help="A webhook gateway for document events. Try: signalpost serve",
    version=VERSION,
)
app.command(serve)


def main() -> None:
    try:
        app()
    except StartError as error:
        print(f"signalpost: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
