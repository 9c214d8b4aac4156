"""The copy of the tree in which lines are planted and tests are run."""

from collections.abc import Iterable
from os import utime
from pathlib import Path

import pytest
from checks.copied_tree import CopiedTree
from checks.planted_lines.line import PlantedLine

PATIENCE = 600.0


class Field:
    def __init__(self, folder: Path) -> None:
        self._tree = CopiedTree(folder)

    def expect_to_pass(self, tests: Iterable[str]) -> None:
        """Raises AssertionError if one fails without a wrong line, or is not there."""
        code, said = self._run(sorted({each for selection in tests for each in selection.split()}))
        assert code == pytest.ExitCode.OK, said

    def finds(self, line: PlantedLine) -> bool:
        """Whether a test of this line fails with it. A tree that only breaks down, so that tests cannot even be
        collected, counts as not found."""
        file = self._tree.folder / line.file
        right, written = file.read_text(encoding="utf-8"), file.stat()
        file.write_text(line.planted_into(right), encoding="utf-8")
        try:
            code, _ = self._run(line.found_by.split())
        finally:
            file.write_text(right, encoding="utf-8")
            utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))
        return code == pytest.ExitCode.TESTS_FAILED

    def _run(self, tests: list[str]) -> tuple[int, str]:
        # Nothing compiled is kept: two wrong lines of one length within a second would be taken for the same.
        done = self._tree.run(
            "pytest", "-x", "-p", "no:cacheprovider", *tests,
            patience=PATIENCE, environment={"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr
