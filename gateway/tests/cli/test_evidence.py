"""`signalpost deliveries evidence` and `signalpost verify FILE`, by the commands of the guide."""

import json
import re
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.cli import command
from gateway.tests.cli.command import Endpoint, Run, create, json_of

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "evidence.md"


def alone(*arguments: str, code: int = 0) -> command.Done:
    """A command that has no gateway and no database."""
    return command.run(*arguments, code=code, SIGNALPOST_URL=command.NOWHERE, SIGNALPOST_DATA_DIR="/nowhere")


def test_the_commands_of_the_guide_write_evidence_and_prove_it(
    run: Run, subscription: str, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.status = 200
    create(run, title="Rental \x1b[31m\x9b31magreement")
    [delivery] = until(lambda: json_of(run("deliveries", "list", subscription, "--status", "delivered", "--json")))
    [block] = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    made, published, checked = (line.split()[1:] for line in block.splitlines())
    assert made[:2] == ["deliveries", "evidence"]
    assert published[:2] == ["deliveries", "evidence-keys"]
    written = run(*made[:2], subscription, delivery["eventId"]).stdout
    assert not {"\x1b", "\x9b"} & {*written}
    (tmp_path / made[-1]).write_text(written)
    (tmp_path / published[-1]).write_text(run(*published[:2]).stdout)
    files = [str(tmp_path / each) if each.endswith(".json") else each for each in checked]
    told = alone(*files).stdout
    assert "is among the gateway's." in told
    assert delivery["eventId"] in told
    assert re.search(r"^the event itself +in the file, and it is that one$", told, re.MULTILINE)
    assert "\x1b" not in told
    shown = json_of(alone(*files, "--json"))
    assert (shown["isKnownKey"], shown["statement"]["status"]) == (True, "delivered")
    assert "was not checked" in alone(*files[:2]).stdout

    evidence = tmp_path / "evidence.json"
    evidence.write_text(evidence.read_text().replace("Rental", "Renter"))
    assert "This proves nothing. The file was changed" in alone(*files, code=1).stderr
    evidence.write_text("no evidence")
    assert "This proves nothing. The file is no evidence" in alone(*files, code=1).stderr


def test_what_does_not_go_together_is_said(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps({}))
    assert "cannot be read" in alone("verify", str(tmp_path / "none.json"), code=2).stderr
    assert "cannot be read" in alone("verify", str(tmp_path), code=2).stderr
    assert "Leave out --secret" in alone("verify", str(file), "--secret", "a secret of mine", code=2).stderr
    assert "--keys goes with a file" in alone("verify", "--keys", str(file), code=2).stderr
