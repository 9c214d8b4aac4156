"""The client for Node, built."""

import os
import subprocess
from functools import cache
from pathlib import Path

from gateway.tests.npm import install
from gateway.tests.patience import LONG_PATIENCE

FOLDER = Path(__file__).parents[2] / "client-node"


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints, which has to go well."""
    done = subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True, timeout=LONG_PATIENCE)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-8000:]
    return done.stdout


@cache
def built() -> Path:
    """The folder of the client, once it was compiled. Skips the test if there is no Node here."""
    install(FOLDER)
    run("npm", "run", "--silent", "build", cwd=FOLDER)
    return FOLDER
