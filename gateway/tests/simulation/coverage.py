"""Which of the gateway's lines the worlds reached: a fault whose handling never runs proves nothing.

The report covers the packages that decide, record and keep. It counts the lines that handle an error (the bodies of
`except`, and what raises) apart. Tracing slows a world down, so the runner traces only some.
"""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from signalpost import engine
from signalpost.domain import delivery
from signalpost.store import sqlite

_PACKAGES = (delivery, engine, sqlite)


class Coverage:
    def __init__(self) -> None:
        self._files = {str(path) for package in _PACKAGES for path in Path(package.__path__[0]).rglob("*.py")}
        self._lines = {(file, line) for file in self._files for line in _lines_of(file)}
        self._fault_lines = {(file, line) for file in self._files for line in _fault_lines_of(file)} & self._lines
        self._reached: set[tuple[str, int]] = set()

    @contextmanager
    def looking(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if frame.f_code.co_filename in self._files else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            self._reached.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line

    def report(self) -> Iterator[str]:
        reached, faults = self._reached & self._lines, self._reached & self._fault_lines
        errors = f"{len(faults)} of {len(self._fault_lines)} of those for errors"
        yield f"{len(reached)} of {len(self._lines)} lines reached, {errors}"
        texts = {file: Path(file).read_text().splitlines() for file in self._files}
        for file, line in sorted(self._lines - self._reached):
            mark = "error" if (file, line) in self._fault_lines else "     "
            yield f"  {mark}  {Path(file).name}:{line}  {texts[file][line - 1].strip()}"


def _lines_of(file: str) -> set[int]:
    """The lines of a module's functions that do something."""
    found: set[int] = set()
    module = compile(Path(file).read_text(), file, "exec")
    for code in _codes(module):
        if code.co_flags & 0x2:  # a function's, not a class's or the module's
            found |= {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _fault_lines_of(file: str) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(ast.parse(Path(file).read_text())):
        if isinstance(node, ast.ExceptHandler):
            found |= {line for part in node.body for line in range(part.lineno, (part.end_lineno or part.lineno) + 1)}
        elif isinstance(node, ast.Raise):
            found.add(node.lineno)
    return found
