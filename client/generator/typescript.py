"""What `@signalpost/client` knows of the API, as TypeScript."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from client.generator.python import class_name
from client.generator.reading import Member, Operation, Reading, Shape, Words, referred, singular

_HEAD = """/**
 * {about}
 *
 * Generated from the gateway's route table by `python -m client.generator`; do not edit.
 */

"""
_IMPORTS = """import type { Call } from "./core.js";
import { Noun, Pages, path, pick, type Sender } from "./noun.js";
import type * as shapes from "./shapes.js";

"""
_RENAMED = {"BadField": "BadFieldOfLine", "Problem": "ProblemOfLine"}
"""Shapes that have another name here, because a class by hand has theirs."""
_SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
MANY = 4
"""Members of several bodies are named once if they are that many."""
_OPTIONS = {
    "pageSize": ("number", "How many entries are asked for at once: 250."),
    "ifMatch": ("string", "Make the change only if this is still the `etag` (`headersOf`)."),
    "idempotencyKey": ("string", "With the same key a change is made once, also by another program: a random one."),
}
"""What calls take beside parameters and members."""


def files(reading: Reading) -> dict[str, str]:
    """The generated modules, by name."""
    return {"shapes.ts": _shapes(reading), "calls.ts": _calls(reading)}


# --- Shapes -----------------------------------------------------------------------------------------------------------


def _shapes(reading: Reading) -> str:
    about = "What the gateway answers, as types. A later gateway may answer with more members and words."
    return _HEAD.format(about=about) + "\n".join([*map(_words, reading.words), *map(_shape, reading.shapes)])


def _words(words: Words) -> str:
    known = " | ".join(json.dumps(value) for value in words.values)
    return f"export type {words.name} = {known} | (string & {{}});\n"


def _shape(shape: Shape) -> str:
    members = "".join(_member(each) for each in shape.own)
    base = "" if shape.base is None else f" extends {_name(shape.base.name)}"
    return f"{_comment(shape.about, '')}export interface {_name(shape.name)}{base} {{\n{members}}}\n"


def _member(member: Member) -> str:
    optional = "" if member.required else "?"
    kind = typescript_type(member.schema, is_given=False)
    return f"{_comment(member.about, '  ')}  readonly {member.wire}{optional}: {kind};\n"


# --- Calls ------------------------------------------------------------------------------------------------------------


def _calls(reading: Reading) -> str:
    nouns = list(dict.fromkeys(each.noun for each in reading.operations))
    head = _HEAD.format(about="Every call of the API but those by hand.") + _IMPORTS
    classes = [_class(noun, [each for each in reading.operations if each.noun == noun]) for noun in nouns]
    return head + "\n".join([*classes, _every_noun(nouns)])


def _class(noun: str, operations: Sequence[Operation]) -> str:
    shared = _shared(operations)
    members = "".join(f"{line}\n" for each in shared.values() for line in _member_given(each, "  "))
    name = f"{class_name(singular(noun))}Body"
    interface = f"/** What several calls of `/v1/{noun}` send. */\nexport interface {name} {{\n{members}}}\n\n"
    methods = "\n".join(_method(each, name, shared) for each in operations)
    head = f"/** Calls of `/v1/{noun}`. */\nexport class {class_name(noun)} extends Noun {{\n"
    return f"{interface if shared else ''}{head}{methods}}}\n"


def _shared(operations: Sequence[Operation]) -> dict[str, Member]:
    """The members of a noun's largest body that other calls send, too, by name; none if they are few."""
    largest, *others = sorted(map(_body, operations), key=len, reverse=True)
    shared = {each.wire: each for each in largest if any(each in body for body in others)}
    return shared if len(shared) >= MANY else {}


def _method(call: Operation, name: str, shared: Mapping[str, Member]) -> str:
    steps = [f"{_path_name(call, each)}: string" for each in call.in_path]
    picked = [each.wire for each in _body(call) if shared.get(each.wire) == each]
    parts = []
    if len(picked) >= MANY:
        chosen = " | ".join(f'"{each}"' for each in picked)
        parts.append(name if len(picked) == len(shared) else f"Pick<{name}, {chosen}>")
    if given := [*_given(call, picked if parts else ())]:
        members = "".join(f"{line}\n" for line in given)
        parts.append(f"{{\n{members}  }}")
    if parts:
        default = "" if any(each.required for each in (*call.in_query, *_body(call))) else " = {}"
        steps.append(f"given: {' & '.join(parts)}{default}")
    page = call.of_page is not None
    returned = f"Pages<shapes.{call.of_page}>" if page else f"Promise<{_returned(call)}>"
    made = f"{{ {', '.join(_call(call))} }}"
    body = f"new Pages(this.sender, {made})" if page else f"this.sender.send({made})"
    about = _comment(f"{call.summary}. `{call.method} {call.path}`.", "  ")
    return f"{about}  {_camel(call.name)}({', '.join(steps)}): {returned} {{\n    return {body};\n  }}\n"


def _given(call: Operation, picked: Sequence[str]) -> Iterator[str]:
    """What a call takes, but for the members that are picked from those of its noun."""
    for each in (*call.in_query, *_body(call)):
        if each.wire not in picked:
            yield from _member_given(each, "    ")
    for name in _options(call):
        kind, about = _OPTIONS[name]
        yield from _comment(about, "    ").splitlines()
        yield f"    {name}?: {kind} | undefined;"


def _member_given(member: Member, indent: str) -> Iterator[str]:
    if member.about:
        yield from _comment(member.about, indent).splitlines()
    kind = typescript_type(member.schema, is_given=True)
    yield f"{indent}{member.wire}{'' if member.required else '?'}: {kind}{'' if member.required else ' | undefined'};"


def _options(call: Operation) -> list[str]:
    taken = {"pageSize": call.of_page is not None, "ifMatch": call.conditional, "idempotencyKey": call.idempotent}
    return [name for name, is_taken in taken.items() if is_taken]


def _call(call: Operation) -> Iterator[str]:
    steps = [_path_name(call, step[1:-1]) if "{" in step else f'"{step}"' for step in call.path.split("/")[2:]]
    yield f'method: "{call.method}"'
    yield f"path: path({', '.join(steps)})"
    kinds = (f'{status}: "{_kind(name)}"' for status, name in call.replies.items())
    yield f"replies: {{ {', '.join(kinds)} }}"
    query = json.dumps([each.wire for each in call.in_query])
    if call.of_page is not None:
        yield f"query: {{ ...pick(given, {query}), limit: given.pageSize ?? 250 }}"
    elif call.in_query:
        yield f"query: pick(given, {query})"
    if call.in_body is not None:
        members = json.dumps([each.wire for each in _body(call)])
        yield f"body: pick(given, {members})"
    if call.conditional:
        yield "ifMatch: given.ifMatch"
    if call.idempotent:
        yield "isKeyed: true, idempotencyKey: given.idempotencyKey"


def _every_noun(nouns: Sequence[str]) -> str:
    members = "".join(f"  readonly {_camel(noun)}: {class_name(noun)};\n" for noun in nouns)
    made = "".join(f"    this.{_camel(noun)} = new {class_name(noun)}(this);\n" for noun in nouns)
    return (
        "/** Everything that can be called, by noun. */\nexport abstract class Nouns implements Sender {\n"
        f"{members}\n  constructor() {{\n{made}  }}\n\n  abstract send<T>(call: Call): Promise<T>;\n}}\n"
    )


def _body(call: Operation) -> list[Member]:
    return [each for each in call.in_body or () if each.wire not in call.in_path]


def _path_name(call: Operation, name: str) -> str:
    return _camel(f"{singular(call.noun)}-id") if name == "id" else name


def _returned(call: Operation) -> str:
    names = {None: "undefined", "bytes": "Uint8Array"}
    return " | ".join(dict.fromkeys(names.get(name) or f"shapes.{name}" for name in call.replies.values()))


def _kind(name: str | None) -> str:
    return "none" if name is None else "bytes" if name == "bytes" else "json"


# --- Types and names --------------------------------------------------------------------------------------------------


def typescript_type(schema: Mapping[str, Any], *, is_given: bool) -> str:
    """The type of a value: one that a call is given, or one that an answer has."""
    kinds = list(dict.fromkeys(_kinds(schema, is_given=is_given)))
    if "unknown" in kinds:
        return "unknown"
    return " | ".join(sorted(kinds, key=lambda kind: kind == "null"))


def _kinds(schema: Mapping[str, Any], *, is_given: bool) -> Iterator[str]:
    if "$ref" in schema:
        name = _name(referred(schema))
        yield f"shapes.{name}" if is_given else name
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _kinds(each, is_given=is_given)
    elif "enum" in schema or "const" in schema:
        words = schema.get("enum", [schema.get("const")])
        yield from (json.dumps(word) for word in words)
        if not is_given and all(isinstance(word, str) for word in words):
            yield "(string & {})"
    else:
        types = schema.get("type", [])
        for kind in [types] if isinstance(types, str) else types or ["any"]:
            yield _of_type(kind, schema, is_given=is_given)


def _of_type(kind: str, schema: Mapping[str, Any], *, is_given: bool) -> str:
    if kind == "any":
        return "unknown"
    if kind == "array":
        of = typescript_type(schema.get("items", {}), is_given=is_given)
        return f"readonly ({of})[]" if " " in of else f"readonly {of}[]"
    if kind == "object":
        values = schema.get("additionalProperties")
        of = typescript_type(values, is_given=is_given) if isinstance(values, dict) else "unknown"
        return f"Readonly<Record<string, {of}>>"
    if kind == "string" and is_given and schema.get("format") == "date-time":
        return "string | Date"
    return _SCALARS[kind]


def _name(shape: str) -> str:
    return _RENAMED.get(shape, shape)


def _camel(name: str) -> str:
    """`listVersions` of `list_versions`, `portalLinks` of `portal-links`."""
    first, *others = name.replace("-", "_").split("_")
    return first + "".join(word.capitalize() for word in others)


def _comment(text: str, indent: str) -> str:
    """Text above what it is about, or nothing."""
    if not text:
        return ""
    whole = " ".join(text.replace("*/", "* /").split())
    if len(indent) + len(whole) + 7 <= 120:
        return f"{indent}/** {whole} */\n"
    lines = textwrap.wrap(whole, 117 - len(indent))
    return f"{indent}/**\n" + "".join(f"{indent} * {line}\n" for line in lines) + f"{indent} */\n"
