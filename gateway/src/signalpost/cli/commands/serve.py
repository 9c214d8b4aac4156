"""`signalpost serve`: runs a gateway on this machine until it is told to stop."""

import os
from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from signalpost.cli.serving import gateway_process
from signalpost.cli.terminal.options import flag
from signalpost.cli.terminal.output import TEXT, Output, Parts
from signalpost.domain.errors import WrongSetting
from signalpost.given_settings import SettingInForce
from signalpost.given_settings import show_settings as settings_shown
from signalpost.settings import SETTINGS

if TYPE_CHECKING:
    Flags = object
else:
    Flags = make_dataclass(
        "Flags",
        [
            (name, Annotated[str | None, Parameter(help=setting.help, show_default=False)], None)
            for name, setting in SETTINGS.items()
        ],
        namespace={"__module__": __name__},  # cyclopts takes no options from a class of the library's
    )
    """An option for each setting."""


def serve(
    *,
    given: Annotated[Flags | None, Parameter(name="*")] = None,
    show_settings: Annotated[
        bool,
        flag("Print the settings that a gateway would start with here and where each comes from, then exit."),
    ] = False,
    out: Output = TEXT,
) -> None:
    flags = {name: value for name, value in vars(given).items() if value is not None} if given else {}
    if show_settings:
        settings_here = settings_shown(os.environ, flags)
        out.show(msgspec.to_builtins(settings_here), _told(settings_here))
        return
    if out.as_json:
        raise WrongSetting("--json works with --show-settings only; for log lines in JSON use --log-format json.")
    gateway_process.serve(flags)


def _told(settings: list[SettingInForce]) -> Parts:
    from signalpost.cli.terminal.parts import ShownTable  # imports Rich, which a gateway never needs

    rows = [(shown.name.upper(), shown.value, shown.source, shown.help) for shown in settings]
    yield ShownTable(("setting", "value", "from", "meaning"), rows, "")
    yield "These apply to the next start here. A running gateway keeps the settings that it was started with."
