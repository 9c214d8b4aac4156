"""A copy of this tree in which something is changed and tried, while others work with the tree itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class CopiedTree:
    """This tree as it is now, without what is not in its repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(ROOT / ".venv")

    def run(
        self, program: str, *arguments: str, patience: float, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, which finds the copy and not this tree. Raises TimeoutExpired after
        `patience` seconds."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SIGNALPOST_"))}
        path = os.pathsep.join(map(str, (*sorted(self.folder.glob("*/src")), self.folder)))
        return subprocess.run(
            [Path(sys.executable).parent / program, *arguments],
            cwd=self.folder, env=kept | {"PYTHONPATH": path} | (environment or {}), capture_output=True, text=True,
            check=False, timeout=patience,
        )  # fmt: skip
