"""The commands of `signalpost`, and the exit codes of their failures."""

from importlib import import_module
from importlib.metadata import entry_points

from cyclopts import App, Group

from signalpost import VERSION
from signalpost.cli import (
    audit,
    connections,
    deliveries,
    destinations,
    documents,
    erasures,
    events,
    members,
    nodes,
    overview,
    replay,
    search,
    stats,
    status,
    subscriptions,
    tenants,
    why,
)
from signalpost.cli.client import Misuse
from signalpost.cli.local_help import RECEIVER_COMMANDS
from signalpost.cli.output import complain, misuse, remarks
from signalpost.domain.errors import SignalpostError, WrongSetting

HELP = """A webhook gateway for document events.

First steps, the first of them in a terminal of its own:

    signalpost serve
    signalpost subscriptions create https://example.com/hooks
    signalpost documents create --type NDA --title Mine --owner me@example.com
    signalpost deliveries list

Commands find the gateway through SIGNALPOST_URL, SIGNALPOST_KEY and, for
another tenant than `default`, SIGNALPOST_TENANT; on its own machine, through
its folder: SIGNALPOST_DATA_DIR, or ./signalpost-data.
Every command has --help with an example.
"""

# Commands that need the engine or the store are imported only when they are called, because that takes as long as
# everything else together. Their help therefore stands here.
SERVE_HELP = """Run a gateway on this machine until Ctrl-C or SIGTERM.

Every option is also an environment variable: --data-dir is SIGNALPOST_DATA_DIR.

Example: signalpost serve --data-dir ./data --port 8080
"""
DB_HELP = "Check, back up, restore, prune and measure the database; check the files of versions."
KEYS_HELP = """Create, list and revoke API keys; recover when all are lost.

If every operator's key is lost, stop the gateway and create a new one on its machine with --recover.

Example: signalpost keys --recover --data-dir ./data
"""

_HERE = Group.create_ordered("On the gateway's machine")
_ANYWHERE = Group.create_ordered("With a running gateway")
_RECEIVERS = Group.create_ordered("For who receives events")
_MORE = Group.create_ordered("More")

app = App(
    name="signalpost",
    help=HELP,
    help_format="plaintext",
    version=VERSION,
    error_console=remarks,
    error_formatter=misuse,
)
app.command("signalpost.cli.serve:serve", help=SERVE_HELP, group=_HERE, sort_key=0)
app.command("signalpost.cli.db:app", name="db", help=DB_HELP, group=_HERE)
app.command("signalpost.cli.keys:app", name="keys", help=KEYS_HELP, group=_ANYWHERE)
for module in (
    documents,
    subscriptions,
    destinations,
    connections,
    deliveries,
    replay,
    events,
    tenants,
    members,
    erasures,
    audit,
):
    module.app.group = _ANYWHERE
    app.command(module.app)
app.command(why.why, group=_ANYWHERE)
app.command(overview.overview, group=_ANYWHERE)
app.command(stats.stats, group=_ANYWHERE)
app.command(search.search, group=_ANYWHERE)
app.command(status.status, group=_ANYWHERE)
app.command(nodes.nodes, group=_ANYWHERE)
for target, shown in RECEIVER_COMMANDS.items():
    app.command(target, help=shown, group=_RECEIVERS, help_format="markdown")
for installed in entry_points(group="signalpost.commands"):
    # A command of another distribution. Only its package is imported here, whose docstring is the help.
    package = import_module(installed.module.partition(".")[0])
    app.command(installed.value, name=installed.name, help=package.__doc__, group=_HERE)
app.register_install_completion_command()
for option in ("--help", "--version", "--install-completion"):
    app[option].group = _MORE


def run() -> int:
    """Run the command that the process was called with. Returns its exit code: 1 if the command failed, 2 if it or a
    setting was not understood."""
    try:
        app()
    except SignalpostError as error:
        complain(str(error))
        return 2 if isinstance(error, Misuse | WrongSetting) else 1
    return 0
