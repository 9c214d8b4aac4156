"""The client for Node, built."""

import fcntl
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
    """The folder of the client, once it was compiled. Skips the test if there is no Node here.

    Several processes of tests ask for it, and while one compiles, the others wait: none loads what is half written.
    """
    with (FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install(FOLDER)
        mark = FOLDER / "node_modules" / ".compiled"
        if not mark.exists() or mark.stat().st_mtime <= max(each.stat().st_mtime for each in FOLDER.glob("src/*.ts")):
            run("npm", "run", "--silent", "build", cwd=FOLDER)
            mark.touch()
    return FOLDER
