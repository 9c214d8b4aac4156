import json
import urllib.request
from pathlib import Path

import pytest
from gateway.tests.cli.command import Run, json_of

pytestmark = pytest.mark.slow


def report(data_dir: Path, name: str, **said: int) -> None:
    """Say how a source does, as the source itself would."""
    request = urllib.request.Request(
        f"{(data_dir / 'address').read_text().strip()}/v1/sources/{name}",
        json.dumps(said).encode(),
        {
            "authorization": f"Bearer {(data_dir / 'operator-key').read_text().strip()}",
            "content-type": "application/json",
        },
        method="PUT",
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 204


def test_sources_are_listed_until_they_are_removed(run: Run, data_dir: Path) -> None:
    assert "No source says how it does." in run("sources", "list").stdout
    report(data_dir, "outbox", oldestSeconds=400, dead=3)
    [listed] = json_of(run("sources", "list", "--json"))
    assert (listed["name"], listed["state"], listed["dead"]) == ("outbox", "behind", 3)
    assert "outbox" in run("sources", "list").stdout
    assert "its oldest change waited for 400 s; 3 given up" in run("overview").stdout
    assert run("sources", "remove", "outbox").stdout == "Removed outbox.\n"
    assert "List them: signalpost sources list" in run("sources", "remove", "outbox", code=1).stderr
