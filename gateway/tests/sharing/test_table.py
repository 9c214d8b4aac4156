"""The table of what is shared (docs/sharing.md) names whatever is bounded for all, wherever it is made."""

import ast
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "gateway" / "src" / "signalpost"
ROOM = SOURCES / "sharing"
VALUES = {"Caller", "Limits", "Queue", "Slots", "Trees"}
"""Classes of the room that bound nothing by themselves."""
OTHERS = {"ConnectionLimits", "LogCache", "LoopExecutor", "Semaphore", "SessionPool", "SharedRendering", "Subjects"}
OTHERS |= {"ThreadPoolExecutor", "TlsSessions", "TooMany"}
"""What bounds something for all, and is not of the room."""
COUNTED = {"MAX_AT_ONCE", "MAX_BATCH", "MAX_UNRECORDED", "MAX_WAITING"}
"""What constants are called that bound what is only counted."""


@pytest.fixture(scope="module")
def maker() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "docs"))
    yield importlib.import_module("make_sharing")
    sys.path.pop(0)


def test_the_page_of_what_is_shared_is_what_the_code_says(maker: Any) -> None:
    written = (ROOT / "docs" / "sharing.md").read_text(encoding="utf-8")
    assert written == maker.page(), "run: .venv/bin/python docs/make_sharing.py"


def test_every_bound_that_is_made_has_a_row_and_every_row_is_made(maker: Any) -> None:
    named = Counter(each for row in maker.ROWS for each in row.made)
    constants = set(_constants(COUNTED | {each.split()[1] for each in named}))
    counted = {each for each in constants if each.split()[1] in COUNTED}
    assert counted - named.keys() == set(), "not in docs/shared_resources/"
    assert Counter(_made()) == Counter({each: times for each, times in named.items() if each not in constants})


def _made() -> Iterator[str]:
    """What is made, and where: `module/path.py Name`."""
    classes = {node.name for path in ROOM.glob("*.py") for node in _nodes(path) if isinstance(node, ast.ClassDef)}
    bounds = {name for name in classes if not name.startswith("_")} - VALUES | OTHERS
    for path in _with_any_of(bounds):
        for node in _nodes(path):
            if isinstance(node, ast.Call) and (name := _name(node.func)) in bounds:
                yield f"{path.relative_to(SOURCES)} {name}"


def _constants(names: set[str]) -> Iterator[str]:
    for path in _with_any_of(names):
        for node in _tree(path).body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", ())
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper():
                    yield f"{path.relative_to(SOURCES)} {target.id}"


def _with_any_of(names: set[str]) -> list[Path]:
    """The modules outside the room in which any of the names stands. To parse all of them takes seconds."""
    outside = [path for path in sorted(SOURCES.rglob("*.py")) if ROOM not in path.parents]
    return [path for path in outside if any(name in _text(path) for name in names)]


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(_tree(path))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
