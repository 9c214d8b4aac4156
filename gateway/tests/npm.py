"""Packages of npm, which some tests need, are installed when the first such test runs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from gateway.tests.authorities import environment_of_machine
from gateway.tests.patience import LONG_PATIENCE


def install(folder: Path) -> None:
    """What the lock in the folder names is in its `node_modules` afterwards. Skips the test where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on this machine")
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=folder,
        env=environment_of_machine(),
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
    )
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {folder.name}: {done.stderr.strip().splitlines()[-1:]}")
