"""The commands of `signalpost`, and the exit codes of their failures."""

from importlib import import_module

from cyclopts import App, CycloptsError, Group

from signalpost import VERSION
from signalpost.cli.client import CallRefused, Misuse
from signalpost.cli.command_table import CLIENT_COMMANDS, GATEWAY_COMMANDS, RECEIVER_COMMANDS, Commands
from signalpost.cli.terminal.options import options_of
from signalpost.domain.errors import SignalpostError, WrongSetting
from signalpost.runtime.garbage_collector import collect_rarely
from signalpost.runtime.installed import entries_of

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

_HERE = Group.create_ordered("On the gateway's machine")
_ANYWHERE = Group.create_ordered("With a running gateway")
_RECEIVERS = Group.create_ordered("For developers of receivers")
_MORE = Group.create_ordered("More")

app = App(
    name="signalpost",
    help=HELP,
    help_format="plaintext",
    version=VERSION,
)


def _add(commands: Commands, group: Group) -> None:
    for position, (target, shown) in enumerate(commands.items()):
        module, _, name = target.partition(":")
        if name == "app":  # several commands, under the name of their module
            app.command(
                target, name=module.rpartition(".")[2].replace("_", "-"), help=shown, group=group, sort_key=position
            )
        else:
            app.command(target, help=shown, group=group, sort_key=position, help_format="markdown")


_add(GATEWAY_COMMANDS, _HERE)
_add(CLIENT_COMMANDS, _ANYWHERE)
_add(RECEIVER_COMMANDS, _RECEIVERS)
for installed in entries_of("signalpost.commands"):
    # A command of another distribution. Only its package is imported here, whose docstring is the help.
    package = import_module(installed.module.partition(".")[0])
    app.command(installed.value, name=installed.name, help=package.__doc__, group=_HERE)
app.command(
    "signalpost.cli.completion:install",
    name="--install-completion",
    help="Install shell completion for this application.",
    group=_MORE,
)
for option in ("--help", "--version"):
    app[option].group = _MORE


def run() -> int:
    """Run the command that the process was called with. Returns its exit code: 1 if the command failed, 2 if it or a
    setting was not understood."""
    try:
        command, arguments, _ = app.parse_args(print_error=False, exit_on_error=False)
        collect_rarely()  # the modules of the command are loaded
        try:
            command(*arguments.args, **arguments.kwargs)
        except CallRefused as refused:
            raise refused.naming(options_of(command)) from None
    except CycloptsError as error:
        from signalpost.cli.terminal.text import complain_of_misuse  # imports Rich, which a gateway never needs

        complain_of_misuse(error)
        return 2
    except SignalpostError as error:
        from signalpost.cli.terminal.text import complain

        complain(str(error))
        return 2 if isinstance(error, Misuse | WrongSetting) else 1
    return 0
