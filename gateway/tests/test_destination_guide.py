"""The guide to a kind of one's own leads to one that a gateway runs: its code is the template's, its commands work."""

import json
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.cli.command import SIGNALPOST, environment
from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest
from gateway.tests.patience import PATIENCE

from signalpost import destinations, testing
from signalpost.destinations.presets import body_of
from signalpost.domain.language.condition_reader import read_condition

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "examples" / "destination"
GUIDE = (ROOT / "docs" / "guides" / "write-a-destination.md").read_text(encoding="utf-8")
TOKEN = "tk_canary_of_the_guide"


def blocks(language: str) -> list[str]:
    """The code of the guide in a language, each block without what the list it stands in indents it by."""
    return [textwrap.dedent(each) for each in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize("file", ["pyproject.toml", "signalpost_ntfy.py", "test_signalpost_ntfy.py"])
def test_the_guide_shows_the_templates_files_as_they_are(file: str) -> None:
    shown = [block for block in blocks("toml") + blocks("python") if block.startswith(f"# {file}\n")]
    assert shown == [f"# {file}\n{(TEMPLATE / file).read_text(encoding='utf-8')}"]


def test_the_guides_other_code_does_what_it_says() -> None:
    classify, rehearsed, kept, presets = (block for block in blocks("python") if not block.startswith("# "))
    names: dict[str, Any] = {**vars(destinations)}
    exec((TEMPLATE / "signalpost_ntfy.py").read_text(encoding="utf-8"), names)
    exec(f"class Ruling_(Ntfy):\n{textwrap.indent(classify, '    ')}", names)
    kind = names["Ruling_"]()
    for status, body, ruling in (
        (200, {"error": {"code": "duplicate"}}, destinations.Done(detail="It was there already.")),
        (422, {"error": {"code": "no_topic", "message": "a\n b"}}, destinations.Reject("no_topic", "a b")),
        (503, b"", destinations.Retry("The vendor answered 503.")),
    ):
        assert kind.classify(None, None, None, None, testing.reply(status, body)) == ruling
    exec(rehearsed.replace("from signalpost_ntfy import Ntfy\n", ""), names)
    names["API"] = "https://cards.example"
    exec("class Config(Body, frozen=True, kw_only=True):\n    name: Template", names)
    own = "    config = Config\n    def origins(self, connection):\n        return (API,)\n"
    exec(f"class Cards(Ntfy):\n{own}{textwrap.indent(kept, '    ')}", names)
    cards = testing.Rehearsal(names["Cards"], {"server": "https://ntfy.sh", "token": "t"}, {"name": "A card"})
    gone, made = testing.reply(404), testing.reply(200, {"id": "c2"})
    assert cards.play(testing.context(), made).end == destinations.Done(made={"id": "c2"})
    assert cards.play(testing.context(made={"id": "c1"}), gone, made).end == destinations.Done(made={"id": "c2"})
    wanted = read_condition(json.loads(blocks("json")[0]))
    deleted = testing.context("documentDeleted", status="other", before={"status": "executed"})
    assert wanted.why_not(deleted) is None
    assert wanted.why_not(testing.context(status="paused", before={"title": "A"})) is not None
    exec(f"class Prepared(Ntfy):\n{textwrap.indent(presets, '    ')}", names)
    [preset] = names["Prepared"].presets
    said = body_of(preset, {"topic": "contracts"})["config"]
    sent = testing.Rehearsal(names["Prepared"], {"server": "https://ntfy.sh", "token": "t"}, said)
    message = {"topic": "contracts", "message": "NDA is signed"}
    assert sent.prepare(testing.context(title="NDA")) == destinations.Call(url="https://ntfy.sh", json=message)


def test_the_guide_names_only_what_there_is() -> None:
    known = {*destinations.__all__, *testing.__all__, *vars(destinations.Destination), *vars(destinations.Context)}
    known |= {"Annotated", "Literal", "Meta", "Line", "Bot", "Connection", "Config", "None", "True", "Ntfy"}
    words = set(re.findall(r"`([A-Z][A-Za-z]+)[`(]", GUIDE))
    assert words <= known, words - known


# --- From nothing to a kind that a gateway runs -----------------------------------------------------------------------


class Ntfy(Vendor):
    """A server of ntfy with one account."""

    def act(self, asked: VendorRequest) -> Answer:
        if asked.bearer != TOKEN:
            return Answer(401, {"code": 40101, "error": "unauthorized"})
        return Answer(200, {"id": "sPs71M8A2T", "event": "message", **asked.json})


COPY, TRY, USE = (block.strip().splitlines() for block in blocks("sh"))
"""The commands of the guide, as they stand there: from a copy of the template to a message at the vendor."""


def pasted(command: str, folder: Path, **more: str) -> str:
    """What a command of the guide prints, in the gateway's environment. Raises AssertionError if it fails."""
    path = f"{SIGNALPOST.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder, env=environment(PATH=path, **more), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template, outside the tree, so that no configuration of the tree applies."""
    folder = tmp_path_factory.mktemp("author")
    (folder / "examples").mkdir()
    shutil.copytree(TEMPLATE, folder / "examples" / "destination", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    [copy] = COPY
    pasted(copy, folder)
    return folder / "my-destination"


@pytest.fixture(scope="module")
def installed(project: Path) -> Path:
    """The folder into which the copy was installed, beside the gateway's own environment."""
    site = project.parent / "site"
    pasted(USE[0], project, PIP_TARGET=str(site), PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return site


@pytest.mark.slow
def test_the_templates_tests_pass_before_it_is_installed(project: Path) -> None:
    [run] = TRY
    assert re.search(r"\b1\d passed", pasted(run, project))


@pytest.mark.slow
def test_the_commands_of_the_guide_send_an_event_to_the_vendor(installed: Path, tmp_path: Path) -> None:
    vendor = Ntfy()
    with vendor.served(), _gateway(installed, tmp_path, vendor.origin):
        (tmp_path / "token").write_text(TOKEN)
        run = _runner(installed, tmp_path)
        _, listed, connect, config, subscribe, test = USE
        assert "ntfy" in run(listed)
        connect = connect.replace("https://ntfy.sh", vendor.origin).replace(
            "--secret token", "--secret-file token=token"
        )
        shown = run(f"{connect} --json")
        connection = json.loads(shown)["id"]
        run(config)
        subscription = json.loads(run(f"{subscribe} --json".replace("CONNECTION", connection)))["id"]
        assert TOKEN not in shown + run(test.replace("SUBSCRIPTION", subscription))
    assert [asked.json["topic"] for asked in vendor.asked] == ["contracts"]
    assert vendor.asked[0].json["message"].endswith(" is signed")
    assert TOKEN not in (tmp_path / "log").read_text()


def _runner(site: Path, folder: Path) -> Callable[[str], str]:
    return lambda command: pasted(command, folder, PYTHONPATH=str(site), SIGNALPOST_DATA_DIR=str(folder / "data"))


@contextmanager
def _gateway(site: Path, folder: Path, target: str) -> Iterator[None]:
    """A gateway in whose environment a kind is installed."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [SIGNALPOST, "serve", "--data-dir", folder / "data", "--port", "0", "--allow-targets", target],
            stdout=subprocess.PIPE, stderr=log, text=True, env=environment(PYTHONPATH=str(site)),
        )  # fmt: skip
    assert process.stdout is not None
    try:
        assert "listens on" in process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
