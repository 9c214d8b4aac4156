"""What `signalpost-client` knows of the API, as Python."""

import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from client.generator.reading import Member, Operation, Reading, Shape, Words, referred, singular

from signalpost.domain.timestamps import DATE_OR_TIMESTAMP_PATTERN

RENAMED = {"Problem": "ProblemOfLine"}
"""Shapes that have another name here, because a class by hand has theirs."""
_GENERATED = "Generated from the gateway's route table by `python -m client.generator`; do not edit."
_STANDS_ON = {False: ("Noun", "Pages", "Sender"), True: ("AsyncNoun", "AsyncPages", "AsyncSender")}
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def files(reading: Reading) -> dict[str, str]:
    """The generated modules, by name."""
    written = {
        "shapes.py": _shapes(reading),
        "calls.py": _calls(reading, is_async=False),
        "async_calls.py": _calls(reading, is_async=True),
        "keyed.py": _keyed(reading),
    }
    return {name: formatted(text) for name, text in written.items()}


def formatted(text: str) -> str:
    """Python as this tree has it."""
    command: list[str | Path] = [
        Path(sys.executable).with_name("ruff"),
        "format",
        "--stdin-filename",
        "generated.py",
        "-",
    ]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


# --- Shapes -----------------------------------------------------------------------------------------------------------


def _shapes(reading: Reading) -> str:
    body = "\n".join([*map(_words, reading.words), *map(_shape, reading.shapes)])
    needs = "from msgspec import field\n\n" if "field(" in body else ""
    return f'''"""What the gateway answers, as types. Lists of words are texts: a later gateway may have more.

{_GENERATED}
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

{needs}from signalpost_client.shape import Shape

{body}'''


def _words(words: Words) -> str:
    return f"{words.name} = str\n{_docstring(', '.join(map(str, words.values)) + '.', '')}"


def _shape(shape: Shape) -> str:
    name = RENAMED.get(shape.name, shape.name)
    base = "Shape" if shape.base is None else RENAMED.get(shape.base.name, shape.base.name)
    lines = [f"class {name}({base}, frozen=True, kw_only=True):\n"]
    lines += [_docstring(" ".join(shape.about.split()), "    "), "\n"] if shape.about else []
    lines += [] if shape.own or shape.about else ["    pass\n"]
    for member in shape.own:
        lines.append(f"    {_attribute(member)}\n")
        lines.append(_docstring(member.about, "    "))
    hidden = sorted(f'"{snake(member.wire)}"' for member in shape.members if member.is_secret)
    if hidden and any(member.is_secret for member in shape.own):
        lines.append(f"\n    _hidden: ClassVar[frozenset[str]] = frozenset({{{', '.join(hidden)}}})\n")
    return "".join(lines)


def _attribute(member: Member) -> str:
    name, kind = snake(member.wire), python_type(member.schema, is_given=False)
    if not member.required and not kind.endswith("None"):
        kind += " | None"
    options = ([] if member.required else ["default=None"]) + (
        [] if camel(name) == member.wire else [f'name="{member.wire}"']
    )
    if options == ["default=None"]:
        return f"{name}: {kind} = None"
    return f"{name}: {kind}" + (f" = field({', '.join(options)})" if options else "")


# --- Calls ------------------------------------------------------------------------------------------------------------


def _calls(reading: Reading, *, is_async: bool) -> str:
    nouns = list(dict.fromkeys(each.noun for each in reading.operations))
    signatures = " ".join(map(_signature, reading.operations))
    words = sorted(each.name for each in reading.words if re.search(rf"\b{each.name}\b", signatures))
    kind = "asynchronous" if is_async else "blocking"
    head = f'''"""Every call of the API but those by hand, {kind}.

{_GENERATED}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import UNSET, UnsetType

from signalpost_client import shapes
from signalpost_client.core import Call, path
from signalpost_client.pages import {", ".join(_STANDS_ON[is_async])}
from signalpost_client.shapes import {", ".join(words)}

'''
    classes = [_class(noun, [o for o in reading.operations if o.noun == noun], is_async=is_async) for noun in nouns]
    return head + "\n\n".join([*classes, _every_noun(nouns, is_async=is_async)])


def _every_noun(nouns: Iterable[str], *, is_async: bool) -> str:
    prefix = "Async" if is_async else ""
    lines = [
        f"class {prefix}Nouns:\n",
        '    """Everything that can be called, by noun."""\n\n',
        f"    def __init__(self, sender: {prefix}Sender) -> None:\n",
        *(f"        self.{each.replace('-', '_')} = {prefix}{class_name(each)}(sender)\n" for each in nouns),
    ]
    return "".join(lines)


def class_name(noun: str) -> str:
    """`PortalLinks` of `portal-links`."""
    return "".join(word.capitalize() for word in noun.split("-"))


def _class(noun: str, operations: Sequence[Operation], *, is_async: bool) -> str:
    base, prefix = ("AsyncNoun", "Async") if is_async else ("Noun", "")
    head = f'class {prefix}{class_name(noun)}({base}):\n    """Calls of `/v1/{noun}`."""\n\n'
    return head + "\n".join(_method(each, is_async=is_async) for each in operations)


def _method(call: Operation, *, is_async: bool) -> str:
    shown = _returned(call)
    made = f"Call[{shown}]({', '.join(_arguments(call))})"
    if call.of_page is not None:
        pages = f"{'AsyncPages' if is_async else 'Pages'}[shapes.{call.of_page}]"
        head, body = f"def {call.name}({_signature(call)}) -> {pages}", f"return {pages}(self._sender, {made})"
    elif is_async:
        head = f"async def {call.name}({_signature(call)}) -> {shown}"
        body = f"{'' if shown == 'None' else 'return '}await self._sender.send({made})"
    else:
        head = f"def {call.name}({_signature(call)}) -> {shown}"
        body = f"{'' if shown == 'None' else 'return '}self._sender.send({made})"
    return f"    {head}:\n{_docstring(_about(call), '        ')}        {body}\n"


def _about(call: Operation) -> str:
    members = [each for each in (*call.in_query, *(call.in_body or ())) if each.about]
    about = "\n".join(f"`{snake(each.wire)}`: {each.about}" for each in members)
    return "\n\n".join(filter(None, [f"{call.summary}. `{call.method} {call.path}`.", about]))


def _signature(call: Operation) -> str:
    always = [f"{_path_name(call, name)}: str" for name in call.in_path]
    body = _body(call)
    given = [(snake(each.wire), python_type(each.schema, is_given=True), each.required) for each in body]
    named = [f"{name}: {kind}" for name, kind, required in given if required]
    named += [f"{name}: {kind} | UnsetType = UNSET" for name, kind, required in given if not required]
    for each in call.in_query:
        kind = python_type(each.schema, is_given=True)
        named.append(f"{snake(each.wire)}: {kind}" + ("" if each.required else " | None = None"))
    named += ["page_size: int = 250"] if call.of_page is not None else []
    named += ["if_match: str | None = None"] if call.conditional else []
    named += ["idempotency_key: str | None = None"] if call.idempotent else []
    return ", ".join(["self", *always, *(["*", *named] if named else [])])


def _arguments(call: Operation) -> Iterator[str]:
    steps = [_path_name(call, step[1:-1]) if "{" in step else f'"{step}"' for step in call.path.split("/")[2:]]
    yield f'"{call.method}"'
    yield f"path({', '.join(steps)})"
    replies = (f"{status}: {_shape_of(name)}" for status, name in call.replies.items())
    yield f"{{{', '.join(replies)}}}"
    query = [f'"{each.wire}": {snake(each.wire)}' for each in call.in_query]
    query += ['"limit": page_size'] if call.of_page is not None else []
    if query:
        yield f"query={{{', '.join(query)}}}"
    if call.in_body is not None:
        members = (f'"{each.wire}": {snake(each.wire)}' for each in _body(call))
        yield f"body={{{', '.join(members)}}}"
    if call.conditional:
        yield "if_match=if_match"
    if call.idempotent:
        yield "is_keyed=True, idempotency_key=idempotency_key"


def _body(call: Operation) -> list[Member]:
    """What the body has and the path has not."""
    return [each for each in call.in_body or () if each.wire not in call.in_path]


def _path_name(call: Operation, name: str) -> str:
    return f"{singular(call.noun).replace('-', '_')}_id" if name == "id" else snake(name)


def _returned(call: Operation) -> str:
    return " | ".join(dict.fromkeys(_shape_of(name) for name in call.replies.values()))


def _shape_of(name: str | None) -> str:
    return "None" if name is None else "bytes" if name == "bytes" else f"shapes.{RENAMED.get(name, name)}"


# --- Keys -------------------------------------------------------------------------------------------------------------


def _keyed(reading: Reading) -> str:
    paths = sorted({(each.method, re.sub(r"{\w+}", "{}", each.path)) for each in reading.all if each.idempotent})
    lines = "".join(f'    ("{method}", "{path}"),\n' for method, path in paths)
    return f'''"""Which calls take an `Idempotency-Key`.

{_GENERATED}
"""

KEYED = frozenset({{
{lines}}})
"""Each with its method; a step of the path that may be anything is `{{}}`."""
'''


# --- Types and names --------------------------------------------------------------------------------------------------


def python_type(schema: Mapping[str, Any], *, is_given: bool) -> str:
    """The type of a value: one that a call is given, or one that an answer has."""
    kinds = list(dict.fromkeys(_kinds(schema, is_given=is_given)))
    if "Any" in kinds:
        return "Any"
    return " | ".join(sorted(kinds, key=lambda kind: kind == "None"))


def _kinds(schema: Mapping[str, Any], *, is_given: bool) -> Iterator[str]:
    if "$ref" in schema:
        yield RENAMED.get(referred(schema), referred(schema))
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _kinds(each, is_given=is_given)
    elif "enum" in schema or "const" in schema:
        yield "bool" if schema.get("type") == "boolean" else "str"
    else:
        types = schema.get("type", [])
        for kind in [types] if isinstance(types, str) else types or ["any"]:
            yield from _of_type(kind, schema, is_given=is_given)


def _of_type(kind: str, schema: Mapping[str, Any], *, is_given: bool) -> Iterable[str]:
    if kind == "any":
        return ["Any"]
    if kind == "array":
        of = python_type(schema.get("items", {}), is_given=is_given)
        return [f"Sequence[{of}]" if is_given else f"list[{of}]"]
    if kind == "object":
        values = schema.get("additionalProperties")
        if not isinstance(values, dict):
            return [_object(is_given=is_given)]
        of = python_type(values, is_given=is_given)
        return [f"Mapping[str, {of}]" if is_given else f"dict[str, {of}]"]
    if kind == "string" and schema.get("format") == "date-time":
        return ["datetime", "str"] if is_given else ["datetime"]
    if kind == "string" and is_given and schema.get("pattern") == DATE_OR_TIMESTAMP_PATTERN:
        return ["date", "datetime", "str"]
    if kind == "number" and not is_given and len(schema["type"]) > 2 and not isinstance(schema["type"], str):
        return ["int", "float"]  # whole numbers of any size stay exact
    return [_SCALARS[kind]]


def _object(*, is_given: bool) -> str:
    return "Mapping[str, Any]" if is_given else "dict[str, Any]"


def snake(wire: str) -> str:
    """A name on the wire as one of Python: `from_` for `from`."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", wire).lower()
    return f"{name}_" if keyword.iskeyword(name) else name


def camel(name: str) -> str:
    """What a name of Python is on the wire if nothing else is said."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _docstring(text: str, indent: str) -> str:
    """Text below what it is about, or nothing."""
    if not text:
        return ""
    parts = [
        textwrap.fill(line, 117, initial_indent=indent, subsequent_indent=indent) if line else ""
        for line in f'"""{text}'.replace("\\", "\\\\").splitlines()
    ]
    whole = "\n".join(parts)
    ends = "\n" + indent if "\n" in whole or len(whole) > 117 else ""
    return f'{whole}{ends}"""\n'
