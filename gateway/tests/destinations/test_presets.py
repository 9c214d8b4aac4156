"""Presets: what a person fills in makes a subscription that is taken."""

from typing import Any

import pytest
from gateway.tests.domain.language.subjects import notice, subject
from msgspec import UNSET

from signalpost.destinations.fields import filled
from signalpost.destinations.presets import Input, Preset, body_of
from signalpost.destinations.registry import Destinations
from signalpost.domain.body import read
from signalpost.domain.checks import Several
from signalpost.domain.event import OF_DOCUMENTS, OF_OPERATIONS
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.language.names import Subject

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
        is_of_operations = body["eventTypes"] == [*OF_OPERATIONS]
        assert is_of_operations or OF_DOCUMENTS.keys() >= {*body["eventTypes"]}, "no tenant has all of these"
        for condition in (body.get("when"), body.get("after", {}).get("if")):
            if condition is not None:
                read_condition(condition)
        filled(read(kind.config, body["config"]), notice() if is_of_operations else subject(), kind.escape)


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


# --- What each recipe does --------------------------------------------------------------------------------------------

SIGNED = subject(status="executed", before={"status": "awaitingSignature"}, reference_id="00Q5")
RENAMED = subject(status="executed", before={"title": "Draft"}, reference_id="00Q5")
IMPORTED = subject("documentCreated", status="executed", reference_id="00Q5")
REJECTED = subject(status="approvalRejected", before={"status": "awaitingApproval"})
EXPIRED = subject(status="signatureRequestExpired", before={"status": "awaitingSignature"})
ASKED = subject(status="awaitingApproval", before={"status": "created"})
DELETED = subject("documentDeleted", status="other", before={"status": "paused"})
UNKNOWN = subject(status="executed", before={"status": "awaitingSignature"})
DISABLED = notice()
ENABLED = notice(what="closed", action="resolve")
FAILING = notice(kind="subscriptionFailing", severity="warning")
WORTHLESS = subject(status="executed", before={"status": "awaitingSignature"}, contract_value=0.0)


def wants(name: str, to: Subject) -> bool:
    body = body_of_named(name)
    when = body.get("when")
    return to.event["type"] in body["eventTypes"] and (when is None or read_condition(when).why_not(to) is None)


def body_of_named(name: str) -> dict[str, Any]:
    preset = next(preset for kind in KINDS for preset in kind.presets if preset.name == name)
    return body_of(preset, {each.name: each.example for each in preset.inputs if each.default is UNSET})


def config_of(name: str, to: Subject) -> Any:
    kind = next(kind for kind in KINDS if name in [preset.name for preset in kind.presets])
    return filled(read(kind.config, body_of_named(name)["config"]), to, kind.escape)


@pytest.mark.parametrize(
    ("name", "wanted", "unwanted"),
    [
        ("slack-executed", [SIGNED, WORTHLESS], [RENAMED, IMPORTED, REJECTED, DELETED]),
        ("slack-refused", [REJECTED, EXPIRED], [SIGNED, RENAMED, ASKED, DELETED]),
        ("slack-approval-waits", [ASKED], [REJECTED, SIGNED]),
        ("slack-deleted", [DELETED], [SIGNED, IMPORTED]),
        ("slack-thread", [IMPORTED, SIGNED, RENAMED, DELETED], []),
        ("salesforce-executed-lead", [SIGNED], [RENAMED, IMPORTED, UNKNOWN]),
        ("salesforce-executed-opportunity", [SIGNED], [RENAMED, UNKNOWN]),
        ("google-calendar-expiry", [IMPORTED, RENAMED, DELETED], []),
        ("xero-bill-executed", [SIGNED, UNKNOWN], [RENAMED, WORTHLESS, IMPORTED]),
        ("slack-notices", [DISABLED, ENABLED, FAILING], [SIGNED]),
        ("mail-notices", [DISABLED, ENABLED, FAILING], [SIGNED]),
        ("http-pagerduty", [DISABLED, ENABLED], [FAILING, SIGNED]),
    ],
)
def test_a_recipe_wants_what_it_is_for(name: str, wanted: list[Subject], unwanted: list[Subject]) -> None:
    assert [wants(name, to) for to in wanted] == [True] * len(wanted)
    assert [wants(name, to) for to in unwanted] == [False] * len(unwanted)


def test_a_nudge_is_sent_only_if_the_document_still_waits() -> None:
    still = read_condition(body_of_named("slack-approval-waits")["after"]["if"])
    assert still.why_not(subject(status="awaitingApproval", before={"title": "Draft"})) is None
    assert still.why_not(subject(status="approved")) == "document.status is 'approved', not 'awaitingApproval'."


def test_recipes_say_what_people_want_to_read() -> None:
    assert config_of("slack-deleted", DELETED).text.endswith("it was paused.")
    assert "Company &lt;A&gt; &amp; Sons" in config_of("slack-executed", SIGNED).text
    assert config_of("google-calendar-expiry", RENAMED).start == "2027-01-01"
    assert config_of("salesforce-executed-lead", SIGNED).match_value == "00Q5"
    assert config_of("xero-bill-executed", SIGNED).lines[0].unit_amount == 12500.5
