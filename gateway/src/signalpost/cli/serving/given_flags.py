"""The flags of `signalpost serve`, read without the library that reads all other command lines: to load that library,
and to have it look at every flag, takes a quarter of a start."""

from collections.abc import Mapping, Sequence

SERVE = "serve"


def flags_of_serve(arguments: Sequence[str]) -> Mapping[str, str] | None:
    """The values by the names of settings, if a command line is `serve` with flags that each have a value behind them,
    and no more; None for any other. What is wrong with one, and what asks for help, is told by the library."""
    if arguments[:1] != [SERVE] or len(arguments) % 2 == 0:
        return None
    from signalpost.settings import SETTINGS  # which other commands do not need

    names = {f"--{name.replace('_', '-')}": name for name in SETTINGS}
    flags: dict[str, str] = {}
    for option, value in zip(arguments[1::2], arguments[2::2], strict=True):
        name = names.get(option)
        if name is None or name in flags or not value or value.startswith("-"):
            return None
        flags[name] = value
    return flags
