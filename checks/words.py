"""Finds docstrings that a reader would stumble over. `make check` runs it.

`python -m checks.words PATH …` looks only below some folders. There are six faults:

- A docstring begins in the middle of a sentence ("Of a file None.", "Those that run."), or is one word long. A person
  who reads it in an editor's tooltip has no line before it to complete it with.
- A docstring says nothing but the name of what it documents.
- A docstring has words that no one says aloud (`RIDDLES`).
- A public name has no docstring in a module that others build against (`INTERFACES`).
- A docstring says "where" for a condition, or leaves open who is meant (`VAGUE`).
- A class is named by a participle ("Asked", "Known"), which leaves open what was asked or is known.

The last two are not looked for where they have a reason to stay (`UNREAD`).
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from checks.parts import PYTHON_DISTRIBUTIONS, ROOT

SOURCES = (*PYTHON_DISTRIBUTIONS, "benchmarks", "checks", "docs", "examples", "site")
"""The folders that are looked at, from the root of the project."""

INTERFACES = (
    "receiver/src/signalpost_receiver/**/*.py",
    "gateway/src/signalpost/gateway.py",
    "gateway/src/signalpost/embedded.py",
    "gateway/src/signalpost/destinations/*.py",
    "gateway/src/signalpost/store/*.py",
    "gateway/src/signalpost/store/nouns/*.py",
    "gateway/src/signalpost/store/walks/*.py",
    "gateway/src/signalpost/testing/*.py",
    "destinations/src/signalpost_destinations/*.py",
    "pytest-plugin/src/pytest_signalpost/*.py",
    "client/src/signalpost_client/*.py",
    "connect/src/signalpost_connect/source.py",
    "connect/src/signalpost_connect/testing/*.py",
)
"""The modules that others build against: every public name in them has a docstring."""

FRAGMENT_OPENINGS = frozenset(
    "Also And As But By It Its Nor Of Or So Such Than That Then These They Those Whose".split()
)
"""Words that begin a docstring only if something that is not there comes before it."""

WHOLE_OPENINGS = ("As long as ", "As soon as ", "By default", "So that it ")
"""Openings of whole sentences that begin with one of those words."""

RIDDLES = {
    re.compile(r"\b(came|comes|come) of\b"): "say result or outcome",
    re.compile(r"(?<!as )\bof (before|then|now)\b"): "say earlier, former or present",
    re.compile(r"\boperators? alone\b|\balone (knows|has|may)\b"): "say only",
}
"""Words that no one says aloud, each with advice."""

VAGUE = {
    re.compile(r"\b([Ee]mpty|False|None|True|UNSET|Raises \w+) where\b"): "say if for a condition",
    re.compile(
        r"(?<!`)\b([Nn]obody|[Ss]omebody|[Ww]hoever)\b(?!`)"
    ): "name a caller, an operator, a process, or no one",
}
"""Words behind which a reader looks for a place or a person, each with advice."""

PARTICIPLE = re.compile(
    r"_?([A-Z][a-z]+ed|Begun|Bound|Chosen|Done|Drawn|Found|Given|Gone|Held|Hidden|Kept|Known|Left|Lost|Made|Paid|Put"
    r"|Read|Seen|Sent|Shown|Taken|Told|Whose|Written)$"
)
"""Names of classes that say what was done, and not to what."""

_CLASSES = re.compile(r"^\s*class (\w+)", re.MULTILINE)

PARTICIPLES_THAT_STAY = frozenset(
    "Claimed Deed Done Feed Fixed Granted Handled Held Made Need Seaweed Triggered".split()
)
"""Names that programs of others import, words of the glossary, and nouns that only look like participles."""

UNREAD = (
    "gateway/src/signalpost/api/routing/shapes/",  # names and docstrings of shapes are in the API's description
    "gateway/tests/destinations/plugins.py",  # kinds that are named for what is wrong with them
    "gateway/tests/testing/broken_kinds.py",
)
"""Where vague words and participles stay, and why."""

GENERATED = frozenset(f"client/src/signalpost_client/{name}.py" for name in ("async_calls", "calls", "keyed", "shapes"))
"""Modules whose texts stand somewhere else, where they are read."""

_FILLER = frozenset(
    "a all an and are be every for from in is it its of on one or return returns that the this to with".split()
)
_CLAUSES = re.compile(r"C\d+[C\d,;–: and-]*(, (loose|strict))?\.?$")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A place that a reader would stumble over, and what to do about it."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class DocumentedName:
    """A module, class, function or attribute, with its docstring if it has one."""

    kind: str
    name: str
    line: int
    docstring: str | None
    is_public: bool
    """Neither the name nor that of a class around it begins with an underscore."""


def check_source(path: str, source: str, is_interface: bool) -> Iterator[Finding]:  # noqa: FBT001  # a fact, not a mode
    """What is wrong with the docstrings of one module."""
    name = Path(path).parent.name if path.endswith("/__init__.py") else Path(path).stem
    module = ast.parse(source)
    is_read = not path.startswith(UNREAD)
    if is_read:
        yield from _participles(path, source, module)
    for item in documented(name, module):
        if item.docstring is None:
            if is_interface and item.is_public and item.kind != "attribute":
                yield Finding(path, item.line, f"the {item.kind} `{item.name}` is public and has no docstring")
            continue
        if message := fault(item.name, item.docstring) or (vagueness(item.docstring) if is_read else None):
            yield Finding(path, item.line, f'{message}: "{_shortened(item.docstring)}"')


def fault(name: str, docstring: str) -> str | None:
    """What is wrong with the docstring of `name`, as advice; None if nothing is."""
    text = " ".join(docstring.split())
    words = text.split()
    if not words:
        return "the docstring is empty"
    if _CLAUSES.match(text):
        return None
    for riddle, advice in RIDDLES.items():
        if found := riddle.search(text):
            return f'no one says "{found[0]}" aloud; {advice}'
    opening = re.sub(r"\W+$", "", words[0])
    if opening in FRAGMENT_OPENINGS and not text.startswith(WHOLE_OPENINGS):
        return f'the docstring begins with "{opening}", as if a sentence had begun before it; name the subject'
    if len(words) == 1:
        return "a docstring of one word leaves the rest to be guessed; write a sentence"
    if _stems(text) <= _stems(_spaced(name)):
        return f"the docstring only repeats the name `{name}`; say what the name does not, or remove it"
    return None


def vagueness(docstring: str) -> str | None:
    """What a docstring leaves open, as advice; None if nothing."""
    text = " ".join(docstring.split())
    for words, advice in VAGUE.items():
        if found := words.search(text):
            return f'"{found[0]}" leaves open what is meant; {advice}'
    return None


def _participles(path: str, source: str, module: ast.Module) -> Iterator[Finding]:
    if not any(PARTICIPLE.match(name) for name in _CLASSES.findall(source)):
        return  # to walk through a module takes longer than to parse it
    for each in ast.walk(module):
        if not isinstance(each, ast.ClassDef) or each.name in PARTICIPLES_THAT_STAY or _is_error(each):
            continue
        if PARTICIPLE.match(each.name):
            yield Finding(path, each.lineno, f"the class `{each.name}` is named by a participle; say what it is")


def _is_error(defined: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith(("Error", "Exception", "Problem")) for base in defined.bases)


def documented(module_name: str, module: ast.Module) -> Iterator[DocumentedName]:
    """Everything in a module that can have a docstring, the module first."""
    yield DocumentedName("module", module_name, 1, ast.get_docstring(module), is_public=True)
    yield from _in_body(module.body, is_public=True, attributes=True)


def _in_body(body: list[ast.stmt], *, is_public: bool, attributes: bool) -> Iterator[DocumentedName]:
    for statement, following in zip_longest(body, body[1:]):
        match statement:
            case ast.ClassDef(name=name):
                public = is_public and not name.startswith("_")
                yield DocumentedName("class", name, statement.lineno, ast.get_docstring(statement), public)
                yield from _in_body(statement.body, is_public=public, attributes=True)
            case ast.FunctionDef(name=name, decorator_list=[ast.Name(id="overload")]):
                pass  # what it does is said where it is implemented
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                public = is_public and not name.startswith("_")
                yield DocumentedName("function", name, statement.lineno, ast.get_docstring(statement), public)
                yield from _in_body(statement.body, is_public=False, attributes=False)
            case ast.Assign(targets=[target]) | ast.AnnAssign(target=target) if attributes or _is_own(target):
                name = ast.unparse(target).removeprefix("self.")
                public = is_public and not name.startswith("_")
                yield DocumentedName("attribute", name, statement.lineno, _literal(following), public)


def _is_own(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"


def _literal(statement: ast.stmt | None) -> str | None:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
    return None


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ")


def _stems(text: str) -> set[str]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {re.sub(r"(ies|es|s|ed|ing|y|e)$", "", word) for word in words if word not in _FILLER}


def _shortened(docstring: str) -> str:
    text = " ".join(docstring.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def check_tree(root: Path, folders: Iterable[str]) -> list[Finding]:
    """What is wrong in all modules below some folders or files of a project."""
    interfaces = {path for pattern in INTERFACES for path in root.glob(pattern)}
    found = list[Finding]()
    for folder in folders:
        start = root / folder
        for path in sorted(start.rglob("*.py")) if start.is_dir() else [start]:
            name = path.relative_to(root).as_posix()
            if name in GENERATED:
                continue
            found += check_source(name, path.read_text(encoding="utf-8"), path in interfaces)
    return found


def main(arguments: list[str]) -> int:
    """Check the whole project, or what is below the given paths. Returns the command's exit code."""
    folders = [Path(path).resolve().relative_to(ROOT).as_posix() for path in arguments] or SOURCES
    found = check_tree(ROOT, folders)
    for finding in sorted(found):
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
