"""The command `signalpost`."""

import os
import sys

from cyclopts import App, Group

from signalpost import VERSION
from signalpost.cli import db, deliveries, documents, events, keys, replay, subscriptions
from signalpost.cli.output import complain
from signalpost.domain.errors import SignalpostError

HELP = """A webhook gateway for document events.

First steps, the first of them in a terminal of its own:

    signalpost serve
    signalpost subscriptions create https://example.com/hooks
    signalpost documents create --type NDA --title "My first" --owner me@example.com
    signalpost deliveries list

Where the gateway is: SIGNALPOST_URL, SIGNALPOST_KEY and, unless it is `default`, SIGNALPOST_TENANT.
On its own machine they are found in its folder: SIGNALPOST_DATA_DIR, or ./signalpost-data.
Every command has --help with an example.
"""

_HERE = Group.create_ordered("On the gateway's machine")
_ANYWHERE = Group.create_ordered("With a running gateway")
_MORE = Group.create_ordered("More")

app = App(name="signalpost", help=HELP, help_format="plaintext", version=VERSION)
app.command("signalpost.cli.serve:serve", help="Run a gateway on this machine until Ctrl-C or SIGTERM.", group=_HERE)
app.command("signalpost.cli.bench:bench", help="Measure a gateway on this machine.", group=_HERE)
for group, modules in ((_HERE, (db,)), (_ANYWHERE, (documents, subscriptions, deliveries, replay, events, keys))):
    for module in modules:
        module.app.group = group
        module.app.help_format = "markdown"
        app.command(module.app)
app.register_install_completion_command()
for option in ("--help", "--version", "--install-completion"):
    app[option].group = _MORE


def main() -> None:
    try:
        app()
    except SignalpostError as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`| head`). Nothing may be flushed to it on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
