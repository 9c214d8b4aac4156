"""The command `signalpost`."""

import os
import sys

from cyclopts import App

from signalpost import VERSION
from signalpost.cli import db, deliveries, documents, events, subscriptions
from signalpost.domain.errors import SignalpostError

app = App(
    name="signalpost",
    help="A webhook gateway for document events. Try: signalpost serve",
    version=VERSION,
)
app.command("signalpost.cli.serve:serve", help="Run a gateway on this machine until Ctrl-C or SIGTERM.")
app.command("signalpost.cli.bench:bench", help="Measure a gateway on this machine.")
for commands in (documents, subscriptions, deliveries, events, db):
    app.command(commands.app)
app.register_install_completion_command()


def main() -> None:
    try:
        app()
    except SignalpostError as error:
        print(f"signalpost: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`| head`). Nothing may be flushed to it on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
