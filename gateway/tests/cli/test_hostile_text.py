"""What others wrote never reaches the terminal as a command: no C0 or C1 control, in text, in JSON and in log lines."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.text import Text

from signalpost.cli.serving.logs import Layout, coloured_line, json_line, text_line
from signalpost.cli.terminal import text
from signalpost.cli.terminal.output import Output, Printable
from signalpost.cli.terminal.parts import Facts, Line, Remark, ShownTable, Warn
from signalpost.cli.terminal.plain import print_json, say

CONTROLS = "".join(map(chr, [*range(32), *range(127, 160)])) + "\u202e\u2066"
HOSTILE = f"title{CONTROLS}\x1b]0;owned\x07\x9b2J"
SOURCES = Path(__file__).parents[2] / "src" / "signalpost"
PARTS: tuple[Printable, ...] = (
    Facts({HOSTILE: HOSTILE, "below": {HOSTILE: [HOSTILE]}}), Line(HOSTILE, Text(HOSTILE)), Warn(HOSTILE),
    Remark(HOSTILE), Remark(Text(HOSTILE, style="red")), ShownTable((HOSTILE,), [[HOSTILE], [Text(HOSTILE)]], HOSTILE),
    ShownTable((HOSTILE,), [], HOSTILE),
)  # fmt: skip


def controls_in(printed: str) -> str:
    return "".join(each for each in printed if each in CONTROLS and each != "\n")


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_no_part_prints_a_control(part: Printable, capsys: pytest.CaptureFixture[str]) -> None:
    Output().show(None, part)
    printed = "".join(capsys.readouterr())
    assert "title" in printed
    assert controls_in(printed) == ""


def test_neither_sentences_nor_complaints_nor_hints_print_a_control(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    text.complain(HOSTILE)
    text.warn(HOSTILE)
    text.remarks.print(HOSTILE, markup=False)
    text.console.print(HOSTILE)
    printed = "".join(capsys.readouterr())
    assert printed.count("title") == 5
    assert controls_in(printed) == ""


def test_a_terminal_gets_the_colours_of_ours_and_no_control_of_others() -> None:
    console = text._Console(file=StringIO(), force_terminal=True, color_system="standard")
    console.print(Text(HOSTILE, style="red"))
    assert isinstance(console.file, StringIO)
    printed = console.file.getvalue()
    assert printed.startswith("\x1b[31m")
    assert controls_in(re.sub("\x1b\\[[0-9;]*m", "", printed)) == ""


def test_json_says_the_same_with_every_control_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({HOSTILE: [HOSTILE]})
    printed = capsys.readouterr().out
    assert controls_in(printed) == ""
    assert json.loads(printed) == {HOSTILE: [HOSTILE]}


@pytest.mark.parametrize("layout", [text_line, json_line])
def test_no_log_line_has_a_control(layout: Layout) -> None:
    written = layout("now", "error", HOSTILE, {"error": HOSTILE, "exception": f"Traceback\n  {HOSTILE}"}).decode()
    assert controls_in(written) == ""
    coloured = coloured_line("now", "error", HOSTILE, {"error": HOSTILE, "exception": HOSTILE}).decode()
    assert controls_in(re.sub("\x1b\\[[0-9;]*m", "", coloured)) == ""


def test_nothing_is_printed_in_another_way() -> None:
    """Code that prints in another way passes these by."""
    rich = r"rich\.(console import .*\bConsole|progress import Progress)\b"
    ways = re.compile(rf"(?<![.\w])print\(|{rich}|sys\.(stdout|stderr)\.(write|buffer)|os\.write\((1|2|sys)")
    terminal = {f"cli/terminal/{each}.py" for each in ("plain", "progress", "text")}
    known = {*terminal, "cli/serving/gateway_process.py"}
    found = {
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        if ways.search(file.read_text(encoding="utf-8").replace("def print(", ""))
    }
    assert found == known
