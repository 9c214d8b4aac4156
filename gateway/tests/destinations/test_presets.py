"""Presets: what a person fills in makes a subscription that is taken."""

from typing import Any

import pytest
from gateway.tests.domain.subjects import subject
from msgspec import UNSET

from signalpost.destinations.destination import Input, Preset
from signalpost.destinations.fields import filled
from signalpost.destinations.presets import body_of
from signalpost.destinations.registry import Destinations
from signalpost.domain.body import read
from signalpost.domain.checks import Several
from signalpost.domain.condition_reader import read_condition
from signalpost.domain.event import BY_WIRE

KINDS = Destinations.installed([]).kinds.values()
PRESETS = [pytest.param(kind, preset, id=preset.name) for kind in KINDS for preset in kind.presets]


def an_input(name: str, pointer: str, default: Any = UNSET) -> Input:
    return Input(
        name=name, title=name.title(), description=f"What {name} is.", pointer=pointer, example="x", default=default
    )


PRESET = Preset(
    name="any",
    title="Any",
    about="Anything.",
    body={"eventTypes": ["documentUpdated"], "when": {"all": [{"field": "document.type", "is": "NDA"}]}, "config": {}},
    inputs=(
        an_input("channel", "/config/channel"),
        an_input("type", "/when/all/0/is", "MSA"),
        an_input("odd", "/config/a~1b~0c", None),
    ),
)


def test_what_is_filled_in_goes_where_its_pointer_says() -> None:
    assert body_of(PRESET, {"channel": "#legal", "odd": 1}) == {
        "eventTypes": ["documentUpdated"],
        "when": {"all": [{"field": "document.type", "is": "MSA"}]},
        "config": {"channel": "#legal", "a/b~c": 1},
    }


def test_a_preset_stays_as_it_is() -> None:
    body_of(PRESET, {"channel": "#legal", "type": "SOW"})
    assert PRESET.body["config"] == {}
    assert PRESET.body["when"] == {"all": [{"field": "document.type", "is": "NDA"}]}


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(Several) as caught:
        body_of(PRESET, {"chanel": "#legal"})
    assert [(bad.below, bad.code, bad.detail) for bad in caught.value.bads] == [
        (("chanel",), "unknown_field", "any has no input chanel; did you mean channel? It has channel, type, odd."),
        (("channel",), "required", "Channel: What channel is."),
    ]


@pytest.mark.parametrize(("kind", "preset"), PRESETS)
def test_every_preset_makes_a_subscription_that_is_taken(kind: Any, preset: Preset) -> None:
    """With its examples, and with its defaults where it has some."""
    examples = {each.name: each.example for each in preset.inputs}
    needed = {each.name: each.example for each in preset.inputs if each.default is UNSET}
    for inputs in (examples, needed):
        body = body_of(preset, inputs)
        assert body.keys() <= {"eventTypes", "when", "after", "config"}
        assert set(body["eventTypes"]) <= set(BY_WIRE)
        for condition in (body.get("when"), body.get("after", {}).get("if")):
            if condition is not None:
                read_condition(condition)
        filled(read(kind.config, body["config"]), subject(), kind.escape)


@pytest.mark.parametrize(("kind", "preset"), PRESETS)
def test_every_preset_asks_for_few_things_and_says_what(kind: Any, preset: Preset) -> None:
    assert preset.name.startswith(kind.kind.split("_")[0])
    assert 1 <= len(preset.inputs) <= 4
    for text in (preset.about, *(each.description for each in preset.inputs)):
        assert text.endswith(".")
    assert preset.about != preset.title


def test_no_two_presets_have_one_name() -> None:
    found = [preset.name for kind in KINDS for preset in kind.presets]
    assert len(found) == len(set(found))
