"""The catalogue of wrong calls: each is answered by what is wrong and by what to do."""

from collections.abc import Iterator
from functools import reduce

import pytest
from cyclopts import App, CycloptsError
from gateway.tests.cli.command import Run, json_of

from signalpost.cli.app import app
from signalpost.cli.terminal.text import complain_of_misuse

pytestmark = pytest.mark.slow
NO_ONE = "01a20e92-1d5f-76d4-985f-8a63b2c66f94"


def commands(below: App = app, chain: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, by the words that call it."""
    for name in below:
        if not name.startswith("-"):
            found, words = below[name], (*chain, name)
            names = [each for each in found if not each.startswith("-")]
            if found.default_command is not None:
                yield words
            if names:
                yield from commands(found, words)


ALL = [*commands()]


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of a call that is not understood."""
    with pytest.raises(CycloptsError) as refused:
        app.parse_args(words, print_error=False, exit_on_error=False)
    complain_of_misuse(refused.value)
    return " ".join(capsys.readouterr().err.split())


def test_every_command_is_in_the_catalogue() -> None:
    assert len(ALL) > 60
    assert {("why",), ("search",), ("subscriptions", "create"), ("portal-links", "create")} <= {*ALL}


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_an_option_that_is_not_known_is_named_with_where_to_look(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    file = ("-",) if words == ("documents", "import") else ()  # a file's name may begin with a hyphen
    said = answer(capsys, *words, *file, "--no-such-option")
    assert "--no-such-option" in said or "requires an argument" in said, said
    assert f"See: signalpost {' '.join(words)} --help" in said


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_an_option_without_its_value_is_named(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    for argument in reduce(App.__getitem__, words, app).assemble_argument_collection():
        option = next((each for each in argument.names if each.startswith("--")), None)
        if option is not None and argument.hint not in (bool, bool | None):
            assert option in answer(capsys, *words, option), option


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("portal-links", "create", "Acme", "--minutes", "5000"), ("--minutes", "<= 720")),
        (("portal-links", "create", "Acme", "--minutes", "2h"), ("--minutes", "2h")),
        (("events", "list", "--limit", "many"), ("--limit", "many")),
        (("events", "list", "--limit", "0"), ("--limit", ">= 1")),
        (("documents", "list", "--updated-after", "2 hours"), ("--updated-after", "2h, 7d")),
        (("stats", "--step", "week"), ("--step", "hour")),
        (("stats", "--from", "2weeks"), ("--from", "2h, 7d")),
        (("subscriptions", "rotate", NO_ONE, "--overlap-hours", "1d"), ("--overlap-hours", "1d")),
        (("notices", "mute", NO_ONE, "--hours", "8h"), ("--hours", "8h")),
    ],
)
def test_a_wrong_unit_is_answered_in_the_unit_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: tuple[str, ...]
) -> None:
    said = answer(capsys, *words)
    assert all(each in said for each in says), said


@pytest.mark.parametrize(
    "words",
    [
        ("status",), ("overview",), ("nodes",), ("stats",), ("console",), ("search", "x"), ("why", NO_ONE),
        ("documents", "list"), ("events", "list"), ("subscriptions", "list"), ("deliveries", "list"), ("keys", "list"),
        ("members", "list"), ("tenants", "list"), ("connections", "list"), ("portal-links", "list"),
        ("audit", "list"), ("erasures", "list"), ("notices", "list"), ("sources", "list"), ("destinations", "list"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_gateway_that_is_away_and_a_key_that_ended_are_told_with_the_remedy(run: Run, words: tuple[str, ...]) -> None:
    away = run(*words, code=1, SIGNALPOST_URL="http://127.0.0.1:9", SIGNALPOST_KEY="sp_x").stderr
    assert "No gateway answers at http://127.0.0.1:9" in away
    assert "SIGNALPOST_URL" in away
    assert "Set SIGNALPOST_KEY" in run(*words, code=1, SIGNALPOST_KEY="sp_ended").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("documents", "get"), ("documents", "delete"), ("documents", "history"), ("subscriptions", "get"),
        ("subscriptions", "pause"), ("subscriptions", "delete"), ("events", "get"), ("why",), ("keys", "revoke"),
        ("portal-links", "revoke"), ("members", "remove"), ("connections", "get"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_id_that_nothing_has_is_answered_with_how_to_find_one(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, NO_ONE, code=1)
    said = done.stdout + done.stderr
    assert NO_ONE in said or "List them: signalpost" in said, said


def test_get_and_why_take_what_search_takes_and_list_what_it_may_mean(run: Run, document: str) -> None:
    made = json_of(run("subscriptions", "create", "https://quokka.example/in", "--name", "Quokka desk", "--json"))["id"]
    for text in ("quokka.exa", "kka DESK", made[:30]):
        assert json_of(run("subscriptions", "get", text, "--json"))["id"] == made
    titled = json_of(run("documents", "create", "--type", "NDA", "--title", "Of the quagga", "--owner", "a@b.example",
                         "--json"))["externalId"]  # fmt: skip
    assert json_of(run("documents", "get", "quagga", "--json"))["externalId"] == titled
    assert made in run("why", "the quagga", "kka desk", "--json").stdout
    event = json_of(run("events", "list", "--document", titled, "--json"))
    assert event
    run("documents", "create", "--type", "NDA", "--title", "Another quagga", "--owner", "a@b.example")
    several = run("documents", "get", "quagga", code=1).stderr
    assert "may mean several" in several
    assert titled in several
    assert "List them: signalpost documents list" in run("documents", "get", "nothing so called", code=1).stderr
    assert "deliveries list --subscription" in run("why", "quokka", code=1).stderr
