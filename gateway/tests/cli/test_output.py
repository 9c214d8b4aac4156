"""What a command hands over is printed as JSON or for people, and an error names the option that set what is wrong."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cyclopts import App

from signalpost.cli.app import app
from signalpost.cli.client import Misuse
from signalpost.cli.commands import members, subscriptions, tenants
from signalpost.cli.commands.subscription_options import SubscriptionOptions
from signalpost.cli.terminal.options import given, options_of, parts_of
from signalpost.cli.terminal.output import Output, Part
from signalpost.cli.terminal.parts import Columns, Facts, GrowingRows, Line, ShownTable, Warn, table

VALUE = {"id": 1, "may": ["see", "send"]}


def test_a_result_is_one_line_of_json_and_its_parts_are_not_even_made(capsys: pytest.CaptureFixture[str]) -> None:
    made: list[str] = []

    def parts() -> Iterator[Part]:
        made.append("a sentence")
        yield "a sentence"

    Output(as_json=True).show(VALUE, Facts(VALUE), parts())
    Output(as_json=True).tell("for people only")
    assert json.loads(capsys.readouterr().out) == VALUE
    assert made == []


def _two_parts() -> Iterator[Part]:
    yield "first"
    yield Line("a", True)


def test_people_get_the_parts_of_a_result_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    table = ShownTable(("id", "name"), [(1, "[b]"), (2, None)], "None yet.")
    none = ShownTable(("id",), [], "None yet.")
    Output().show(VALUE, Facts(VALUE), None, _two_parts(), table, none, Warn("careful"))
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "id   1", "may  see, send", "first", "a  yes", "id  name", "1   [b]", "2   –", "None yet.",
    ]  # fmt: skip
    assert said.err == "careful\n"


def test_a_table_of_entries_shows_members_at_any_depth_and_what_is_made_of_an_entry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [{"id": 1, "health": {"lag": 2_000}}, {"id": 2, "health": {}}]
    columns: Columns = {"id": "id", "lag": "health.lag", "twice": lambda entry: entry["id"] * 2}
    Output().show(entries, table(entries, columns, "None yet."))
    assert capsys.readouterr().out.splitlines() == ["id  lag   twice", "1   2000  2", "2   –     4"]


@pytest.mark.parametrize(("as_json", "said"), [(True, '{"id": 1}\n'), (False, "id\n1\n")])
def test_a_list_that_grows_prints_each_entry_at_once(
    capsys: pytest.CaptureFixture[str], as_json: bool, said: str
) -> None:
    GrowingRows(Output(as_json), {"id": 3}).show({"id": 1}, [1])
    assert capsys.readouterr().out == said


def test_an_option_sets_a_part_of_a_request_under_the_name_that_a_person_writes() -> None:
    assert options_of(members.invite)["/email"] == "EMAIL"
    assert options_of(members.change)["/email"] == "--email"
    assert options_of(subscriptions.create)["/eventTypes"] == "--event-type"
    assert options_of(tenants.limits)["/limits/inFlight"] == "--in-flight"


def test_a_group_of_options_makes_its_part_of_a_request_of_those_that_were_given() -> None:
    assert parts_of(tenants.LimitOptions(documents="100", file_bytes="none")) == {
        "limits": {"documents": 100, "fileBytes": None}
    }
    assert parts_of(tenants.UNCHANGED) == {}
    assert parts_of(SubscriptionOptions(header=["x-a: 1"], retry_delays="", when='{"any": []}')) == {
        "headers": {"x-a": "1"}, "retryDelays": [], "when": {"any": []},
    }  # fmt: skip
    assert given(name="", role=None) == {"name": ""}


def test_a_value_that_an_option_cannot_have_is_refused_under_the_name_of_the_option() -> None:
    with pytest.raises(Misuse, match=r"^--in-flight takes a whole number, or none\.$"):
        parts_of(tenants.LimitOptions(in_flight="many"))


def _commands(group: App, chain: tuple[str, ...] = ()) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in group:
        if not name.startswith("-"):
            below = group[name]
            if below.default_command is not None:
                yield " ".join((*chain, name)), below.default_command
            yield from _commands(below, (*chain, name))


@pytest.mark.parametrize("group", [group for group in app if not group.startswith("-")])
def test_no_two_options_of_a_command_have_the_same_name_for_a_part_of_a_request(group: str) -> None:
    for name, command in _commands(app[group], (group,)):
        options = options_of(command)
        assert len({*options.values()}) == len(options), name
