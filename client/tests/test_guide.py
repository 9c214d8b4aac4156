"""The programs of the guide and of the READMEs do what is said of them."""

import json
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from client.tests.test_cases import snapshot
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import PATIENCE

from signalpost_client import errors

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "call-the-api.md").read_text(encoding="utf-8")


def program(language: str) -> str:
    """The guide's first program in a language, of some thirty lines."""
    text: str = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[0]
    assert len([line for line in text.splitlines() if line]) <= 30
    return text


def goes_on_where_it_was(command: list[str | Path], folder: Path, gateway: GatewayProcess) -> None:
    """Run a program of the guide twice, and stop it in between."""
    executed = [{**snapshot("guide", number, str(uuid.uuid4())), "status": "executed"} for number in (1, 2)]
    wrong = {**snapshot("guide", 3), "ownerEmail": "nobody"}
    url = "http://{}:{}".format(*gateway.address)
    settings = os.environ | {"SIGNALPOST_URL": url, "SIGNALPOST_KEY": gateway.operator_key}
    kept: list[set[str]] = []
    for lines, new in (([executed[0], wrong], executed[0]), (executed, executed[1])):
        (folder / "contracts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        with (folder / "printed").open("wb") as printed:
            running = subprocess.Popen([*command, folder], env=settings, stdout=printed, stderr=printed)
            try:
                until((folder / str(new["externalId"])).exists, lambda: (folder / "printed").read_text())
                until(lambda: "cannot be signed" in (folder / "printed").read_text())
            finally:
                running.send_signal(signal.SIGINT)
                running.wait(PATIENCE)
        kept.append(names(folder))
    said = (folder / "printed").read_text()
    assert "It cannot be signed yet. Allowed: requestReview" in said
    assert kept[1] - kept[0] == {executed[1]["externalId"]}


def names(folder: Path) -> set[Any]:
    return {file.name for file in folder.iterdir()} - {"contracts.jsonl", "printed", "seen"}


def test_the_program_in_python_keeps_a_folder_and_goes_on_where_it_was(tmp_path: Path, gateway: GatewayProcess) -> None:
    file, folder = tmp_path / "program.py", tmp_path / "folder"
    folder.mkdir()
    file.write_text(program("python"))
    goes_on_where_it_was([sys.executable, file], folder, gateway)


def test_the_guide_names_every_error() -> None:
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.SignalpostError):
            assert f"`{name}`" in GUIDE, name
