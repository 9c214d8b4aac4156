"""Every block of commands in the documentation is run by a test, or has only commands that the program understands, or
says above it why it is not run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import pytest
from cyclopts import CycloptsError

from signalpost.api.routes import HEALTH_ROUTES, METRICS_ROUTES, ROUTES
from signalpost.api.routing.route import OpenRoute, Route
from signalpost.cli.app import app

ROOT: Final = Path(__file__).parents[2]
RUN: Final = {
    "docs/first-minute.md": "test_the_first_minute_goes_as_its_page_says",
    "docs/first-ten-minutes.md": "test_the_first_ten_minutes_go_as_their_page_says",
    "docs/guides/one-machine.md": "test_a_new_user_sets_a_machine_up_by_the_guide_alone",
    "docs/guides/verify-in-your-language.md": "test_the_guide_and_the_console_show_the_verifiers_that_the_tests_run",
    "docs/guides/write-a-destination.md": "test_the_commands_of_the_guide_send_an_event_to_the_vendor",
}
"""Pages all of whose blocks are run, by the test or drill that does it."""
SHELLS: Final = ("sh", "bash", "console", "shell")
MARK: Final = re.compile(r"<!-- (?:not run: \S.*|run by: (test_\w+)) -->")
"""Stands above a block that no one runs, or that a test of its own runs."""
ENDS: Final = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>&1"})


TARGETS: Final = set(re.findall(r"^(\S+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


class Block(NamedTuple):
    page: str
    line: int
    mark: re.Match[str] | None
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for file in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        page = str(file.relative_to(ROOT))
        text = file.read_text(encoding="utf-8").partition("<!-- What follows is made by")[0]
        for fence in re.finditer(r"^( *)```(\w+)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
            commands = tuple(_commands(fence[2], fence[3]))
            if commands:
                above = text[: fence.start()].rstrip().rpartition("\n")[2].strip()
                yield Block(page, text[: fence.start()].count("\n") + 1, MARK.fullmatch(above), commands)


def _commands(language: str, content: str) -> Iterator[str]:
    """The commands of a block; in one that shows a session, those that are typed."""
    if language not in SHELLS:
        return
    for line in _whole_lines(content):
        typed = line.strip()
        if language == "console":
            if typed.startswith("$ "):
                yield typed.removeprefix("$ ")
        elif typed and not typed.startswith("#"):
            yield typed


def _whole_lines(content: str) -> Iterator[str]:
    """The lines, with those joined that a backslash or an open quote joins."""
    joined = ""
    for line in re.sub(r"\\\n\s*", " ", content).splitlines():
        joined += f"{line}\n"
        try:
            shlex.split(joined, comments=True)
        except ValueError:
            continue
        yield joined
        joined = ""
    if joined:
        yield from joined.splitlines()  # an apostrophe in what was printed


def is_understood(command: str) -> bool:
    """Whether the program understands a command, the API a call, or make a target. A variable stands for a 1."""
    words = shlex.split(re.sub(r"\$\(.*?\)|\$\{?\w+\}?", "1", command), comments=True)
    while words and re.fullmatch(r"\w+=.*|export", words[0]):
        words.pop(0)
    own = words[: next((place for place, word in enumerate(words) if word in ENDS), len(words))]
    match own:
        case ["signalpost", *arguments]:
            return _is_command(arguments)
        case ["curl", *arguments]:
            return _is_call(arguments)
        case ["make", *arguments]:
            return {each for each in arguments if "=" not in each} <= TARGETS
    return not own  # nothing but variables


def _is_command(arguments: list[str]) -> bool:
    try:
        app.parse_args(arguments, print_error=False, exit_on_error=False)
    except CycloptsError:
        return False
    return True


def _is_call(arguments: list[str]) -> bool:
    sends = any(each in ("-d", "-F", "--data-binary") for each in arguments)
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "POST" if sends else "GET"
    [path] = [urlsplit(each).path for each in arguments if each.startswith(("http://", "https://"))]
    routes: list[Route | OpenRoute] = [*ROUTES, *HEALTH_ROUTES, *METRICS_ROUTES]
    return any(
        method == route.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path) for route in routes
    )


@pytest.mark.parametrize("block", [*blocks()], ids=str)
def test_a_block_of_commands_is_run_or_understood_or_says_why_not(block: Block) -> None:
    if block.page not in RUN and block.mark is None:
        assert [command for command in block.commands if not is_understood(command)] == [], (
            "have a test run it, or put <!-- not run: why --> above it"
        )


def test_the_tests_that_run_pages_are_there() -> None:
    folders = (ROOT / distribution / "tests" for distribution in ("gateway", "connect"))
    tests = "".join(file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py"))
    named = [*RUN.values(), *(block.mark[1] for block in blocks() if block.mark and block.mark[1])]
    assert [name for name in named if f"def {name}(" not in tests] == []
