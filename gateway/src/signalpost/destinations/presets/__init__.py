"""Presets: subscriptions with two or three blanks, and what they become once a person has filled those in."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from signalpost.domain.checks import Bad, Several
from signalpost.domain.language.names import did_you_mean, shortened


class Input(Struct, frozen=True, kw_only=True, rename="camel"):
    """A blank of a preset that a person fills in."""

    name: str
    title: str
    description: str
    pointer: str
    """Where in the preset's body its value goes, as a JSON pointer."""
    example: Any
    default: Any | UnsetType = UNSET


class Preset(Struct, frozen=True, kw_only=True, rename="camel"):
    """A recipe: a subscription in which two or three blanks are left to fill in."""

    name: str
    """Unique among all kinds; such as `slack-executed`."""
    title: str
    about: str
    body: Mapping[str, Any]
    """`eventTypes`, `when`, `after` and `config` of the subscription."""
    inputs: Sequence[Input]


def body_of(preset: Preset, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the subscription that a preset makes: `eventTypes`, `config`, and what else it has.

    What the inputs may be is checked with the subscription. Raises Several if an input is missing or unknown; the paths
    of what is wrong begin at the inputs.
    """
    known = {each.name: each for each in preset.inputs}
    bads = [_unknown(preset, name) for name in inputs if name not in known]
    bads += [_missing(each) for each in preset.inputs if each.default is UNSET and each.name not in inputs]
    if bads:
        raise Several(bads)
    body = deepcopy(dict(preset.body))
    for name, each in known.items():
        _put(body, _steps(each.pointer), inputs.get(name, each.default))
    return body


def _unknown(preset: Preset, name: str) -> Bad:
    names = [each.name for each in preset.inputs]
    detail = f"{preset.name} has no input {shortened(name)}{did_you_mean(name, names)} It has {', '.join(names)}."
    return Bad("unknown_field", detail, (name,))


def _missing(each: Input) -> Bad:
    return Bad("required", f"{each.title}: {each.description}", (each.name,))


def _steps(pointer: str) -> list[str]:
    """The unescaped tokens of a JSON pointer (RFC 6901)."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _put(body: Any, steps: Sequence[str], value: Any) -> None:
    """Set the value at a path, of which only the last step may be new."""
    *way, last = steps
    place = body
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
