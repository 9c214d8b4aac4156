"""The flags of `signalpost serve`: read at once if they are plain, and then as the library of options reads them."""

import pytest

from signalpost.cli.app import app
from signalpost.cli.serving.given_flags import flags_of_serve
from signalpost.settings import SETTINGS


@pytest.mark.parametrize(
    "line",
    [
        "serve",
        "serve --port 0",
        "serve --data-dir ./data --port 8080 --log-format json",
        "serve --retry-delays 1,2,3 --public-url https://gateway.example.com",
    ],
)
def test_plain_flags_are_what_the_library_of_options_makes_of_them(line: str) -> None:
    _, arguments, _ = app.parse_args(line.split(), print_error=False, exit_on_error=False)
    given = arguments.kwargs.get("given")
    expected = {name: value for name, value in vars(given).items() if value is not None} if given else {}
    assert flags_of_serve(line.split()) == expected


def test_every_setting_has_a_flag() -> None:
    for name in SETTINGS:
        assert flags_of_serve(["serve", f"--{name.replace('_', '-')}", "x"]) == {name: "x"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "check",
        "--version",
        "check --data-dir ./data",
        "serve --help",
        "serve here",
        "serve here now",
        "serve --show-settings",
        "serve --port",
        "serve --port=8080",
        "serve --show-settings --json",
        "serve --no-such-setting 1",
        "serve --port 1 --port 2",
        "serve --port --data-dir",
    ],
)
def test_any_other_line_is_for_the_library(line: str) -> None:
    assert flags_of_serve(line.split()) is None


def test_an_empty_value_is_for_the_library() -> None:
    assert flags_of_serve(["serve", "--host", ""]) is None
