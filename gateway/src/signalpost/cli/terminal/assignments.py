"""What `--set name=value` says: members of a JSON object, by paths with points."""

import getpass
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import convert

from signalpost.cli.client import Misuse
from signalpost.cli.terminal.options import put
from signalpost.destinations.presets import Preset, body_of
from signalpost.domain.checks import Several


def read_json(file: Path) -> Any:
    """The JSON of a file; `-` is standard input. Raises Misuse."""
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misuse(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise Misuse(f"{file} is not JSON: {error}.") from None
    except RecursionError:
        raise Misuse(f"{file} is nested too deeply.") from None


def value_of(text: str) -> Any:
    """A value as it was written: JSON if it is any, otherwise a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def assignments(pairs: Iterable[str], option: str) -> dict[str, str]:
    """Names and values of `name=value`. Raises Misuse."""
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise Misuse(f"Write {option} name=value, not {pair}")
        found[name] = value
    return found


def ask_secret(name: str) -> str:
    """A secret that no other user of the machine sees: typed without an echo, or a line of standard input."""
    return getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def config_of(sets: Iterable[str], secrets: Iterable[str], files: Iterable[str]) -> dict[str, Any]:
    """A config from `--set name=value`, `--secret name` and `--secret-file name=FILE`. Raises Misuse."""
    config: dict[str, Any] = {}
    for name, text in assignments(sets, "--set").items():
        put(config, name.split("."), value_of(text))
    for name in secrets:
        put(config, name.split("."), ask_secret(name))
    for name, file in assignments(files, "--secret-file").items():
        put(config, name.split("."), _text_of(Path(file)))
    return config


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, ValueError) as error:
        raise Misuse(f"{file} cannot be read: {error}") from None


def filled(preset: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The body of a subscription: a preset with its blanks filled in. Raises Misuse."""
    recipe = convert(preset, Preset)
    examples = {each.name: each.example for each in recipe.inputs}
    inputs = {name: text if isinstance(examples.get(name), str) else value_of(text) for name, text in given.items()}
    try:
        return body_of(recipe, inputs)
    except Several as several:
        raise Misuse("\n".join(f"--set {bad.below[0]}: {bad.detail}" for bad in several.bads)) from None
