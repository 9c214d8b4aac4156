"""The documentation tells the truth: pages made from tables are current, and the README's commands work as pasted."""

import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from gateway.tests.patience import LONG_PATIENCE, PATIENCE

from signalpost.cli.app import app
from signalpost.domain.errors import DiskNearlyFull, OutcomeUnknown, Stopping, TooManyConnections, Unavailable
from signalpost.domain.operations.kinds import KINDS
from signalpost.given_settings import variable_of
from signalpost.settings import SETTINGS
from signalpost_bench.free_port import free_port

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv" / "bin"
README = ROOT / "README.md"


def test_the_page_of_states_is_what_the_tables_say() -> None:
    page = _maker("make_states").page()
    assert (ROOT / "docs" / "states.md").read_text(encoding="utf-8") == page, (
        "run: .venv/bin/python docs/make_states.py"
    )


def test_the_page_of_the_api_has_every_call() -> None:
    maker = _maker("make_api")
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run: .venv/bin/python docs/make_api.py"


@pytest.mark.parametrize("name", ["make_settings", "make_notice_kinds", "make_problem_codes", "make_command_line"])
def test_a_page_of_reference_is_what_the_code_says(name: str) -> None:
    maker = _maker(name)
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), f"run: .venv/bin/python docs/{name}.py"


def test_the_page_of_commands_does_not_tell_how_it_was_made() -> None:
    without_module = _maker("make_command_line").without_module
    usage = "```console\nsignalpost db restore {}[OPTIONS] COPY\n```\n\nExample: signalpost db restore -m copy\n"
    assert without_module(usage.format("-m pytest ")) == without_module(usage.format("")) == usage.format("")


def test_the_page_of_settings_has_each_once() -> None:
    assert sorted(_maker("make_settings").named()) == sorted(SETTINGS)
    rows = re.findall(r"^\| `(\w+)` \|", _page("settings"), re.MULTILINE)
    assert sorted(rows) == sorted(map(variable_of, SETTINGS))


def test_the_page_of_notices_has_each_kind_once() -> None:
    assert re.findall(r"^\| \[`(\w+)`\]", _page("notice-kinds"), re.MULTILINE) == [*KINDS]
    assert re.findall(r"^## (\w+)", _page("notice-kinds"), re.MULTILINE) == [*KINDS]


def test_the_page_of_problem_codes_has_each_once_with_what_is_said() -> None:
    maker = _maker("make_problem_codes")
    codes, fields = maker.codes(), maker.field_codes()
    assert [each.code for each in codes if not each.said] == []
    assert [code for code, said in fields.items() if not said] == []
    assert {*maker.SAID} <= {each.code for each in codes}
    assert {*maker.FIELDS_SAY} <= {*fields}
    rows = re.findall(r"^\| `(\w+)` \|", _page("problem-codes"), re.MULTILINE)
    assert sorted(rows) == sorted([*(each.code for each in codes), *fields])


def test_the_page_of_problem_codes_has_what_the_api_answers() -> None:
    """The classes of errors have codes of their own, or are given one where they are raised."""
    known = {each.code for each in _maker("make_problem_codes").codes()}
    assert {each.code for each in (Stopping, TooManyConnections, DiskNearlyFull, OutcomeUnknown, Unavailable)} <= known
    assert {"invalid_fields", "unknown_key", "not_a_participant", "document_limit", "change_rate"} <= known


def test_the_page_of_the_command_line_has_each_command_once() -> None:
    found = re.findall(r"^#{3,5} signalpost (.+)$", _page("command-line"), re.MULTILINE)
    assert sorted(found) == sorted(_commands(app))


def _commands(group: App, *before: str) -> Iterator[str]:
    for name in group:
        if not name.startswith("-"):
            yield " ".join([*before, name])
            yield from _commands(group[name], *before, name)


def _page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("file", "made"), [("PAGE", "page"), ("SHOWN", "shown")])
def test_the_guide_and_the_console_show_the_verifiers_that_the_tests_run(file: str, made: str) -> None:
    maker = _maker("make_verify_in_your_language")
    assert getattr(maker, file).read_text(encoding="utf-8") == getattr(maker, made)(), (
        "run: .venv/bin/python docs/make_verify_in_your_language.py"
    )


@pytest.mark.slow
def test_the_first_ten_minutes_go_as_their_page_says(tmp_path: Path) -> None:
    """Every command of the session ends as it did, and the page has the same steps."""
    played = _maker("make_first_ten_minutes").play(tmp_path, free_port(), free_port())
    written = (ROOT / "docs" / "first-ten-minutes.md").read_text(encoding="utf-8")
    steps = re.compile(r"^\$ (\w+ ?\w*)", re.MULTILINE)
    assert steps.findall(played) == steps.findall(written), "run: .venv/bin/python docs/make_first_ten_minutes.py"


@pytest.mark.slow
def test_the_first_minute_goes_as_its_page_says(tmp_path: Path) -> None:
    """Every command of the session ends as it did, and the page has the same steps."""
    played = _maker("make_first_minute").play(tmp_path, free_port(), free_port())
    written = (ROOT / "docs" / "first-minute.md").read_text(encoding="utf-8")
    steps = re.compile(r"^\$ (\w+ ?\w*)|^(✔ \S+)", re.MULTILINE)
    assert steps.findall(played) == steps.findall(written), "run: .venv/bin/python docs/make_first_minute.py"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("jq") is None, reason="the script of the guide needs jq, which is not installed here")
def test_the_script_for_any_language_works_as_its_guide_shows_it(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guides" / "test-a-receiver.md").read_text(encoding="utf-8")
    [script] = re.findall(r"```bash\n(.*?)```", guide, re.DOTALL)
    port = free_port()
    receive = f"exec {sys.executable} {ROOT}/examples/receiver.py 'a secret of mine' {port}"
    with _shell(receive, tmp_path / "received") as received:
        _wait_for(received, "listening")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("9000", str(port))],
            capture_output=True, text=True, timeout=LONG_PATIENCE, cwd=tmp_path,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"status": "delivered"' in done.stdout
        assert "verified: documentUpdated" in received.read_text()


def _maker(name: str) -> Any:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.pop(0)


def test_every_relative_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("receiver*/README.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"


def test_every_test_that_the_threat_model_names_is_there() -> None:
    files = {
        file.stem for folder in ("bench", "checks", "gateway") for file in ROOT.glob(f"{folder}/tests/**/test_*.py")
    }
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")))
    assert named
    assert named <= files, "docs/threat-model.md names tests that are not there"


def test_every_decision_has_a_number_of_its_own_and_says_when_it_was_made_and_whether_it_holds() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(page.name.split("-")[0]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        title, line = page.read_text(encoding="utf-8").split("\n\n")[:2]
        number = int(page.name.split("-")[0])
        assert title.startswith(f"# {number}. "), page.name
        status = re.fullmatch(
            r"Date: 20\d\d-\d\d-\d\d · Status: (?:accepted|(?:accepted, in part )?superseded by ([\d, and]+))", line
        )
        assert status, page.name
        later = [int(each) for each in re.findall(r"\d+", status[1] or "")]
        assert all(number < each <= len(pages) for each in later), page.name


def test_the_table_of_rules_has_every_decision_once() -> None:
    folder = ROOT / "docs" / "decisions"
    named = re.findall(r"\| \[(\d+)\]\((\S+)\) \|$", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(page for _, page in named) == sorted(page.name for page in folder.glob("[0-9]*.md"))
    assert all(int(number) == int(page.split("-")[0]) for number, page in named)


def test_every_setting_is_named_on_a_page_that_says_when_one_needs_it() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("**/*.md"))
    assert [name for name in SETTINGS if name.upper() not in pages] == []


@pytest.mark.slow
def test_the_readme_leads_to_a_first_verified_event(tmp_path: Path) -> None:
    """The README's commands run as they are pasted, but for the ports and the data directory."""
    serve, receive, subscribe_and_create = _readme_commands(
        tmp_path, gateway_port=free_port(), receiver_port=free_port()
    )
    serve = serve.replace("signalpost serve", f"{BIN}/signalpost serve --data-dir {tmp_path}/data --port $PORT")
    with _shell(serve, tmp_path / "serve.out") as gateway_output, _shell(receive, tmp_path / "receive.out") as received:
        _wait_for(gateway_output, "Try next")
        _wait_for(received, "listening on")
        answer = subprocess.run(
            ["bash", "-ec", subscribe_and_create], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert '"secret":"a secret of mine"' in answer.stdout
        _wait_for(received, "verified: documentCreated 'My first'")


@pytest.mark.slow
def test_the_three_commands_that_serve_suggests_work_when_pasted(tmp_path: Path) -> None:
    with _shell(f"{BIN}/signalpost serve --data-dir {tmp_path}/data --port 0", tmp_path / "serve.out") as output:
        _wait_for(output, "/v1/events")
        commands = [line.strip() for line in output.read_text().splitlines() if line.startswith("  curl ")]
        answers = [
            subprocess.run(["bash", "-ec", each], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
            for each in commands
        ]
    assert len(answers) == 3
    assert '"status":"ready"' in answers[0]
    assert '"title":"My first"' in answers[1]
    assert '"type":"documentCreated"' in answers[2]


def _readme_commands(tmp_path: Path, gateway_port: int, receiver_port: int) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    commands = []
    for block in blocks:
        command = block.replace("8080", str(gateway_port)).replace("9000", str(receiver_port))
        command = command.replace('python "$VIRTUAL_ENV/share/signalpost/', f'{BIN}/python "{ROOT}/')
        command = command.replace("signalpost-data/", f"{tmp_path}/data/").replace("$PORT", str(gateway_port))
        command = re.sub(r'("a secret of mine")\n', rf"\1 {receiver_port}\n", command)
        commands.append(f"PORT={gateway_port}\n{command}")
    return commands


@contextmanager
def _shell(command: str, output: Path) -> Iterator[Path]:
    with _pasting(output) as paste:
        paste(f"exec bash -c {shlex.quote(command)}\n")
        yield output


@contextmanager
def _pasting(output: Path, **more: str) -> Iterator[Callable[[str], None]]:
    """A shell at the root of the tree, into which commands can be pasted."""
    cleared = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")}
    with output.open("w") as writing:
        process = subprocess.Popen(
            ["bash"], stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, cwd=ROOT, env={**cleared, **more},
        )  # fmt: skip
        stdin = process.stdin
        assert stdin is not None

        def paste(commands: str) -> None:
            stdin.write(commands)
            stdin.flush()

        try:
            yield paste
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=PATIENCE)


def _wait_for(output: Path, text: str) -> None:
    deadline = time.monotonic() + LONG_PATIENCE
    while text not in output.read_text():
        assert time.monotonic() < deadline, f"{text!r} did not appear in:\n{output.read_text()}"
        time.sleep(0.05)
