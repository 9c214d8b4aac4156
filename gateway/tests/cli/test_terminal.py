"""What a person at a terminal sees, and what a pipe gets."""

import json
import subprocess
from pathlib import Path

import pytest
from gateway.tests.cli.command import ESCAPES, SIGNALPOST, Run, at_terminal, create, environment, json_of
from gateway.tests.patience import PATIENCE

from signalpost.cli.terminal.parts import Layout, fitted

slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (None, {0: 36, 1: 8, 2: 40, 3: 20}),
        (110, {0: 36, 1: 8, 2: 40, 3: 20}),
        (90, {0: 36, 1: 8, 2: 20, 3: 20}),  # the title is cut
        (66, {0: 36, 1: 8, 2: 18}),  # nothing is left for the last
        (48, {0: 36, 1: 8}),
        (20, {0: 36}),  # an id is whole, or it is no use
    ],
)
def test_a_table_is_cut_and_left_out_as_far_as_a_terminal_needs(room: int | None, shown: dict[int, int]) -> None:
    assert fitted(("id", "status", "title", "created"), (36, 8, 40, 20), ("title",), room) == shown


def test_a_narrow_column_takes_the_place_that_a_wide_one_could_not() -> None:
    assert fitted(("id", "other id", "status"), (36, 36, 8), (), 60) == {0: 36, 2: 8}


def test_what_the_next_command_needs_goes_onto_a_second_line_of_a_narrow_terminal() -> None:
    columns, widths = ("status", "event", "subscription", "created", "document"), (9, 36, 36, 20, 36)
    assert Layout(columns, widths, (), ("subscription",), 200).left_out == []
    assert Layout(columns, widths, (), ("subscription",), 80).left_out == ["document"]
    assert Layout(columns, widths, (), (), 80).left_out == ["subscription", "document"]


@slow
def test_a_list_of_deliveries_shows_whole_ids_of_event_and_subscription_at_80_columns(
    run: Run, subscription: str, document: str, data_dir: Path
) -> None:
    [delivery] = json_of(run("deliveries", "list", "--document", document, "--json"))
    shown = at_terminal(80, "deliveries", "list", "--document", document, SIGNALPOST_DATA_DIR=str(data_dir))
    lines = [ESCAPES.sub("", line) for line in shown.splitlines()]
    assert lines[2].split()[1] == delivery["eventId"]
    assert lines[3].split()[0] == delivery["subscriptionId"] == subscription
    assert not [line for line in lines if len(line) > 80 and not line.startswith("(")], shown


@slow
def test_a_terminal_gets_colours_and_lines_that_fit(run: Run, data_dir: Path) -> None:
    create(run, "A title that goes on and on until it is far too long for a line of this terminal, and then some more")
    for columns in (60, 80, 120):
        shown = at_terminal(columns, "documents", "list", SIGNALPOST_DATA_DIR=str(data_dir))
        assert "\x1b[32m" in shown or "\x1b[1m" in shown
        lines = [ESCAPES.sub("", line) for line in shown.splitlines()]
        # What is said beside the table, in brackets, is wrapped by the terminal itself.
        wide = [line for line in lines if len(line) > columns and not line.startswith("(")]
        assert not wide, shown
        assert ("A title that go" in shown and "…" in shown) == (columns == 120)
        assert ("a wider terminal or --json" in shown) == (columns < 120)


@slow
def test_a_pipe_gets_everything_and_no_colours(run: Run) -> None:
    title = "A title that goes on and on until it is far too long for a line of this terminal, and then some more"
    create(run, title)
    shown = run("documents", "list").stdout
    assert title in shown
    assert "\x1b" not in shown


@slow
def test_no_colour_is_shown_where_none_is_wanted(data_dir: Path) -> None:
    shown = at_terminal(80, "events", "list", SIGNALPOST_DATA_DIR=str(data_dir), NO_COLOR="1")
    assert "\x1b[3" not in shown


@slow
def test_an_import_shows_how_far_it_is_at_a_terminal_only(run: Run, data_dir: Path, tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "examples" / "page" / "documentCreated.json"
    one = json.dumps(json.loads(example.read_text())["data"]["document"])
    file = tmp_path / "many.ndjson"
    file.write_text(f"{one}\n" * 2000)
    assert "━" in at_terminal(100, "documents", "import", str(file), SIGNALPOST_DATA_DIR=str(data_dir))
    assert run("documents", "import", str(file)).stderr == ""


@slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_has_seen_enough_ends_a_command_in_peace(run: Run, data_dir: Path, options: tuple[str]) -> None:
    for _ in range(3):
        create(run, "x" * 500)
    command = subprocess.Popen(
        [SIGNALPOST, "events", "list", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(SIGNALPOST_DATA_DIR=str(data_dir)),
    )  # fmt: skip
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait(PATIENCE) == 0
    command.stderr.close()
