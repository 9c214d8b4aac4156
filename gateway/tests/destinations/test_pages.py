"""The pages about kinds tell the truth: their examples are taken, and name what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.destinations.kinds import KINDS, PEM, members
from msgspec import UNSET

from signalpost.domain.language.condition_reader import read_condition

PAGES = Path(__file__).parents[3] / "docs" / "destinations"


def page(kind: str) -> str:
    return (PAGES / f"{kind}.md").read_text(encoding="utf-8")


def examples(kind: str) -> list[dict[str, Any]]:
    """The JSON of a page, with a real key where the page only shows how one looks."""
    blocks = re.findall(r"```json\n(.*?)```", page(kind), re.DOTALL)
    return [json.loads(re.sub(r'"-----BEGIN [^"]*"', json.dumps(PEM).replace("\\", r"\\"), block)) for block in blocks]


@pytest.mark.parametrize("kind", KINDS.kinds)
def test_the_connection_and_the_subscription_of_a_page_are_taken(kind: str) -> None:
    connection, subscription = examples(kind)
    assert connection.keys() == {"kind", "name", "config"}
    on = KINDS.read_connection(connection["kind"], connection["config"])
    KINDS.read_config(subscription["kind"], subscription["config"], on)
    if "when" in subscription:
        read_condition(subscription["when"])


@pytest.mark.parametrize("kind", KINDS.kinds.values(), ids=KINDS.kinds)
def test_a_page_has_every_way_to_sign_in_and_every_member_of_it(kind: Any) -> None:
    text = page(kind.kind)
    named = {place.partition(".")[2] for place, _ in members(kind.connection)} - {"standIn"}
    missing = sorted(name for name in named if name not in text)
    assert not missing


@pytest.mark.parametrize("kind", KINDS.kinds.values(), ids=KINDS.kinds)
def test_the_commands_of_a_page_name_what_there_is(kind: Any) -> None:
    [commands] = re.findall(r"```console\n(\$ .*?signalpost.*?)```", page(kind.kind), re.DOTALL)
    connect, subscribe = commands.partition("subscriptions create")[::2]
    assert re.findall(r"--kind (\S+)", connect) == [kind.kind]
    named = {place.partition(".")[2] for place, _ in members(kind.connection)} | {"with"}
    assert {name.split(".")[-1] for name in re.findall(r"--(?:set|secret|secret-file) ([\w.]+)", connect)} <= named
    [preset] = [each for each in kind.presets if f"--preset {each.name} " in subscribe]
    needed = {blank.name for blank in preset.inputs if blank.default is UNSET}
    assert set(re.findall(r"--set (\w+)", subscribe)) == needed


def test_the_overview_lists_every_kind() -> None:
    built_in, _, further = (PAGES / "README.md").read_text(encoding="utf-8").partition("The distribution `")
    assert _rows(built_in) == list(KINDS.kinds)
    assert _rows(further) == ["teams", "hubspot", "sqs", "sns", "eventbridge", "s3", "pubsub"]


def _rows(text: str) -> list[str]:
    return re.findall(r"^\| \[`(\w+)`\]", text, re.MULTILINE)
