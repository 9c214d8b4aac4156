"""The template for sources becomes a package that a connector finds, and that keeps its promises."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from connect.tests.conftest import FedGateway
from gateway.tests.patience import LONG_PATIENCE

from signalpost_connect.testing import Change

pytestmark = pytest.mark.slow
TEMPLATE = Path(__file__).parents[1] / "template"


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """What a command prints. Raises AssertionError if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the template, outside the tree, so that no configuration of the tree applies."""
    copy = tmp_path_factory.mktemp("author") / "my-source"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return copy


@pytest.mark.skipif(not os.environ.get("TEMPLATE"), reason="the template's own tests: make connect-template")
def test_the_tests_of_the_template_pass(project: Path) -> None:
    assert re.search(r"\b1\d passed", run(project, "pytest", "-q", "-p", "no:cacheprovider"))


def test_the_template_is_installed_and_a_connector_finds_it(project: Path, gateway: FedGateway, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run(project, "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", site, ".")
    for folder in ("spool", "dead"):
        (tmp_path / folder).mkdir()
    change = Change("0d1f2c3b-4a59-4687-9a0b-1c2d3e4f5a6b", 7, "Lease")
    (tmp_path / "spool" / "7.json").write_text(json.dumps(change.line))
    path = f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    shown = run(tmp_path, "signalpost_connect", "check", configured(tmp_path, gateway), PYTHONPATH=path)
    assert "7.json: " in shown
    assert json.loads(shown.partition("7.json: ")[2]) == change.line


def configured(folder: Path, gateway: FedGateway) -> Path:
    """The configuration of the template's README, with paths and a gateway of this test."""
    [config] = re.findall(r"```toml\n(.*?)```", (TEMPLATE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (folder / "key").write_text(gateway.key)
    for shown, given in (
        ("https://gateway.example.com", gateway.url),
        ("/etc/signalpost/connect.key", str(folder / "key")),
        ("/var/spool/contracts-dead", str(folder / "dead")),
        ("/var/spool/contracts", str(folder / "spool")),
    ):
        assert shown in config
        config = config.replace(shown, given)
    file = folder / "spool.toml"
    file.write_text(config)
    return file
