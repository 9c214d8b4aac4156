"""The price of a noun. `docs/guides/add-a-noun.patch` adds one, notes, to a copy of this tree, where it has to pass its
own tests and those that find what was forgotten.

`make test` applies the patch, counts, and runs the noun's tests on SQLite. `make noun` (`NOUN=all`) does all of it.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from checks.copied_tree import ROOT, CopiedTree
from gateway.tests.patience import LONG_PATIENCE

pytestmark = pytest.mark.slow
PATCH = ROOT / "docs" / "guides" / "add-a-noun.patch"
GUIDE = ROOT / "docs" / "guides" / "add-a-noun.md"
SOURCES = "gateway/src/signalpost"
MAX_FILES = 18
MAX_LINES = 400
whole = pytest.mark.skipif(os.environ.get("NOUN") != "all", reason="make noun does it")

RENEW = """
The tree has changed, and docs/guides/add-a-noun.patch does not fit it. Renew the patch, beginning with a clean tree:
    git apply --3way docs/guides/add-a-noun.patch      # then mend what is in conflict, or fails
    git add --intent-to-add gateway && git diff HEAD -U1 -- gateway > docs/guides/add-a-noun.patch
    git apply --reverse docs/guides/add-a-noun.patch && git add gateway
    make noun
"""
OWN_TESTS = [f"gateway/tests/{part}/test_notes.py" for part in ("store", "api", "console", "cli")]
FINDERS = [
    "gateway/tests/test_left_out.py", "gateway/tests/commands", "gateway/tests/engine/test_eraser.py",
    "gateway/tests/store/test_migrations.py", "gateway/tests/store/test_tables.py",
    "gateway/tests/store/postgres/test_walls.py",
    "gateway/tests/api/test_authorization.py", "gateway/tests/api/test_named_ids.py",
    "gateway/tests/api/test_rendering.py", "gateway/tests/api/test_route_table.py", "gateway/tests/api/test_tenants.py",
    "gateway/tests/console/test_law_of_forms.py", "gateway/tests/console/test_pages.py",
]  # fmt: skip
"""Tests that go through all tables, calls, roles, pages and forms, and so see the noun."""
FORGOTTEN = {
    "api/routes.py": "gateway/tests/test_left_out.py",
    "api/rendering.py": "gateway/tests/api/test_rendering.py",
    "cli/command_table.py": "gateway/tests/test_left_out.py",
    "commands/audit.py": "gateway/tests/test_left_out.py",
    "console/app.py": "gateway/tests/test_left_out.py",
    "console/pages/__init__.py": "gateway/tests/test_left_out.py",
    "store/tables/__init__.py": "gateway/tests/test_left_out.py",
}
"""The files that the noun needs a line in, each with the test that finds one without it."""


class Copy(CopiedTree):
    """A copy of this tree, to which the noun is added."""

    def apply(self, *options: str) -> None:
        """Add the noun. Its migrations get the next free numbers."""
        patch = PATCH.read_text(encoding="utf-8")
        for database in ("sqlite", "postgres"):
            place = f"{SOURCES}/store/{database}/migrations/"
            following = len([*(self.folder / place).glob("*.sql")]) + 1
            patch = re.sub(rf"{place}\d{{4}}", f"{place}{following:04}", patch)
        done = subprocess.run(
            ["git", "apply", *options], cwd=self.folder, input=patch, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + RENEW

    def passes(self, *command: str) -> None:
        done = self.run(*command, patience=LONG_PATIENCE)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}{RENEW}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    made = Copy(tmp_path_factory.mktemp("noun"))
    made.apply()
    return made


def _lines_by_file() -> dict[str, list[str]]:
    """The lines that the patch adds or removes in each file."""
    _, *files = re.split(r"^diff --git a/\S+ b/", PATCH.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines_by_file = {}
    for file in files:
        name, _, rest = file.partition("\n")
        _, _, hunks = rest.partition("\n@@")
        lines_by_file[name] = [line for line in hunks.split("\n") if line.startswith(("+", "-"))]
    return lines_by_file


def test_a_noun_costs_at_most_18_files_and_400_lines_beside_its_tests() -> None:
    changed = {name: lines for name, lines in _lines_by_file().items() if name.startswith(SOURCES)}
    lines = sum(map(len, changed.values()))
    assert (len(changed) <= MAX_FILES, lines <= MAX_LINES) == (True, True), f"{len(changed)} files, {lines} lines"


def test_the_guide_names_every_file_of_the_noun_and_shows_its_code() -> None:
    guide, patch = GUIDE.read_text(encoding="utf-8"), PATCH.read_text(encoding="utf-8")
    for name in _lines_by_file():
        assert name.removeprefix(f"{SOURCES}/").removeprefix("gateway/") in guide
    shown = re.findall(r"^```diff\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert shown
    for block in shown:
        assert block in patch, f"the patch has no such lines:\n{block}"


def test_the_noun_applies_and_passes_its_tests_on_sqlite(copy: Copy) -> None:
    copy.passes("python", "-m", "compileall", "-q", SOURCES)
    copy.passes("pytest", "-k", "not postgres", *OWN_TESTS[:3])


@whole
def test_the_noun_passes_its_tests_on_both_databases_and_those_that_find_what_is_forgotten(copy: Copy) -> None:
    copy.passes("pytest", "-n", "2", "--dist", "loadfile", *OWN_TESTS, *FINDERS)


@whole
def test_the_noun_has_its_types_and_keeps_to_the_rules_of_the_tree(copy: Copy) -> None:
    copy.passes("mypy", "gateway/src", *OWN_TESTS)
    copy.passes("lint-imports", "--no-logo")
    copy.passes("ruff", "check", "gateway")
    copy.passes("ruff", "format", "--check", "gateway")


@whole
@pytest.mark.parametrize(("file", "finder"), FORGOTTEN.items())
def test_a_line_that_is_forgotten_is_found(tmp_path: Path, file: str, finder: str) -> None:
    made = Copy(tmp_path)
    made.apply(f"--exclude={SOURCES}/{file}")
    done = made.run("pytest", finder, patience=LONG_PATIENCE)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr


@whole
def test_a_table_without_a_wall_is_found(tmp_path: Path) -> None:
    made = Copy(tmp_path)
    made.apply()
    [migration] = (made.folder / SOURCES / "store" / "postgres" / "migrations").glob("*_notes.sql")
    migration.write_text(migration.read_text(encoding="utf-8").partition("DO $$")[0], encoding="utf-8")
    done = made.run("pytest", "gateway/tests/store/postgres/test_walls.py", patience=LONG_PATIENCE)
    assert "note: the wall does not stand" in done.stdout
