"""Runs commands in a terminal session, and records what each prints, for pages that only say what really ran."""

import contextlib
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

BIN = Path(sys.executable).parent
SECONDS = 300
"""Seconds that one step may take, on a machine that has much else to do."""


class Session:
    """Runs commands in a folder, and keeps the page: explanations, commands and their output."""

    def __init__(self, head: str, folder: Path, environment: Mapping[str, str]) -> None:
        """`head` is what the page begins with."""
        self.parts = [head]
        self._folder = folder
        self._environment = {**environment, "PATH": f"{BIN}:{environment['PATH']}", "COLUMNS": "110"}

    def say(self, text: str) -> None:
        """Explain what follows."""
        self.parts.append(f"\n{textwrap.fill(text, 120)}\n")

    def run(self, command: str, status: int = 0) -> str:
        """Run a command, and return what it printed. Raises AssertionError if it ends with another status."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        printed = done.stdout + done.stderr
        assert done.returncode == status, f"{command} ended with {done.returncode}:\n{printed}"
        self._show(command, printed)
        return done.stdout

    def run_until(self, command: str, wanted: Callable[[str], bool]) -> None:
        """Repeat a command until it prints what is wanted, and show only its last run."""
        until = time.monotonic() + SECONDS
        while not wanted(printed := self.run(command)):
            assert time.monotonic() < until, printed
            self.parts.pop()
            time.sleep(0.2)

    @contextlib.contextmanager
    def background(self, command: str, ready: str) -> Iterator[Path]:
        """Run a command in the background. The page shows what it printed until it was ready."""
        output = self._folder / f"{re.sub(r'[^a-z]', '', command)[:20]}.out"
        with output.open("w") as writing:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self._folder, env=self._environment, stdout=writing, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            self.wait_for(output, ready, 1)
            self._show(f"{command} &", output.read_text())
            yield output
        finally:
            process.terminate()
            process.wait(SECONDS)

    def wait_for(self, output: Path, text: str, times: int) -> None:
        """Wait until a background command has printed `text` so many times."""
        until = time.monotonic() + SECONDS
        while output.read_text().count(text) < times:
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.05)

    def show(self, printed: str) -> None:
        """Show what something printed, without a command."""
        self.parts.append(f"\n```console\n{printed.rstrip()}\n```\n")

    def _show(self, command: str, printed: str) -> None:
        self.show("\n".join(line.rstrip() for line in f"$ {command}\n{printed}".splitlines()))
