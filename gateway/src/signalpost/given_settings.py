"""What the environment and the flags give: the settings read from them, and each shown with where it comes from.

A setting is `SIGNALPOST_<NAME>` in the environment and `--<name>` of `signalpost serve`; the flag wins. Those that
begin with `OTEL_` have the names that OpenTelemetry gives them, without the prefix.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from signalpost.domain.access.tenant_limits import NO_LIMITS
from signalpost.domain.errors import WrongSetting
from signalpost.domain.language.names import nearest
from signalpost.runtime import key_file
from signalpost.settings import SETTINGS, Settings, Source, secret_file

PREFIX = "SIGNALPOST_"
OPENTELEMETRY: Final = "otel_"
"""What those settings begin with that have the names of OpenTelemetry."""
_OF_COMMANDS: Final = ("url", "key", "tenant", "secret", "next_secret")
"""Variables that tell commands how to reach a gateway, and what they or a receiver sign with. They are not settings of
the gateway."""
_GENERATED: Final = ("master_key", "operator_key")
"""Settings that the first start makes up and keeps in a file, if they are not given."""
_IN_FILES: Final = ("database_url", "operator_key", "egress_proxy")
"""Secret settings that a variable may name a file for: SIGNALPOST_DATABASE_URL_FILE. The master key has a setting for
that, because its file is read again while the gateway runs."""


class SettingInForce(Struct, frozen=True):
    """A setting, the value that `serve` would use, and where that value comes from."""

    name: str
    value: str | None
    """None if the setting has no value; for a secret, whether it is set."""
    source: Source
    help: str


def read_settings(environment: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """The settings that environment variables and flags (by setting name) give; a flag wins over a variable. What a
    variable ending in _FILE names holds the value of a secret.

    Raises WrongSetting, with one line for each invalid value, and for each variable that no setting has."""
    given: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    wrong = unknown_variables(environment)
    for name, setting in SETTINGS.items():
        try:
            text = _given(name, environment, flags)
            if text is not None:
                given[name] = setting.read(text)
                sources[name] = "flag" if name in flags else "environment"
        except ValueError as error:
            source = f"--{name.replace('_', '-')}" if name in flags else variable_of(name)
            wrong.append(f"{source} {str(error).rstrip('.')}.")
    if wrong:
        raise WrongSetting("\n".join(wrong))
    return Settings(**given, sources=sources)


def given_database_url(environment: Mapping[str, str]) -> str | None:
    """The database's URL that the environment gives, itself or in a file. Raises WrongSetting."""
    try:
        return _given("database_url", environment, {}) or None
    except ValueError as error:
        raise WrongSetting(f"{variable_of('database_url')} {str(error).rstrip('.')}.") from None


def _given(name: str, environment: Mapping[str, str], flags: Mapping[str, str]) -> str | None:
    """The text of a setting. Raises ValueError."""
    text = flags.get(name, environment.get(variable_of(name)))
    if not text and name.startswith(OPENTELEMETRY):
        return None  # as everywhere, an empty variable is one that is not set
    file = environment.get(_file_variable(name)) if name in _IN_FILES else None
    if file is None:
        return text
    if text is not None:
        raise ValueError(f"and {_file_variable(name)} are both set; set only one")
    try:
        return key_file.read_elsewhere(Path(file))
    except key_file.NotPrivate as error:
        raise ValueError(f"cannot come from a file that is not private: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read from {file}, which {_file_variable(name)} names: {error}") from None


def show_settings(environment: Mapping[str, str], flags: Mapping[str, str]) -> list[SettingInForce]:
    """Every setting as a start would use it, and where it comes from. Raises WrongSetting."""
    settings = read_settings(environment, flags)
    shown = []
    for name, setting in SETTINGS.items():
        text = _given(name, environment, flags)
        value: str | None
        if text is not None:
            value = "set" if setting.secret else text
        elif name in _GENERATED:
            made = "read from" if name == "master_key" and settings.master_key_file else "made in"
            value = f"{made} {secret_file(settings, name)}"
        else:
            value = _written(getattr(settings, name))
        source: Source = "default" if text is None else settings.sources[name]
        shown.append(SettingInForce(name, value, source, setting.help))
    return shown


def settings_in_force(settings: Settings) -> list[SettingInForce]:
    """Every setting of a gateway that runs, of secrets only whether they are set."""
    shown, defaults = [], Settings()
    for name, setting in SETTINGS.items():
        value = getattr(settings, name)
        is_default = value == getattr(defaults, name)
        if setting.secret and not is_default:
            written: str | None = "set"
        elif name in _GENERATED:
            written = "made at the first start"
        else:
            written = _written(value)
        source: Source = "default" if is_default else settings.sources.get(name, "program")
        shown.append(SettingInForce(name, written, source, setting.help))
    return shown


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each SIGNALPOST_… variable that is no setting. A misspelt one would be ignored without a word."""
    known = [*map(variable_of, (*SETTINGS, *_OF_COMMANDS)), *map(_file_variable, _IN_FILES)]
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name not in known)
    return [f"{name} is not a setting{_meant(name, known)}" for name in unknown]


def _meant(variable: str, known: Iterable[str]) -> str:
    """How the sentence about an unknown variable ends. All begin with the prefix, so the rest must be alike."""
    by_rest = {each.removeprefix(PREFIX): each for each in known}
    meant = nearest(variable[len(PREFIX) :], by_rest)
    return (
        ". Remove it, or correct its name (signalpost serve --help)."
        if meant is None
        else f"; did you mean {by_rest[meant]}?"
    )


def variable_of(name: str) -> str:
    """The variable of a setting. Those of OpenTelemetry are called as everywhere."""
    return name.upper() if name.startswith(OPENTELEMETRY) else PREFIX + name.upper()


def _file_variable(name: str) -> str:
    return f"{variable_of(name)}_FILE"


def _written(value: Any) -> str | None:
    """A value as a user would write it in a flag or variable."""
    if value in (None, (), NO_LIMITS):
        return None
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
