"""The API's description as what clients need of it: the calls of each noun, and the shapes of their answers."""

import inspect
import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.api.routing.openapi import describe
from signalpost.api.routing.route import Binary, Route
from signalpost.api.routing.shapes.shape import SHOWN_FOR_AN_HOUR
from signalpost.api.routing.shapes.shape import Shape as AnswerShape

BY_HAND = {
    "follow_changes": "its answer is a stream of server-sent events, for pages that are open",
    "import_documents": "it goes both ways at once: `documents.import_lines`",
    "upload_version": "it sends a form: `documents.upload_version`",
}
"""Calls that are not generated, and why."""
OF_A_GRAMMAR = ("Condition",)
"""Named schemas that no type can say: clients take and show what they stand for as JSON."""
OF_LISTS = ("cursor", "limit")
"""Parameters of a list, which goes from page to page by itself."""

SHAPES = "signalpost.api.routing.shapes."
"""Where the gateway has the classes of what it answers."""
_OF_SECRETS = (SHOWN_FOR_AN_HOUR, "Signs in the first person who opens it.")
"""What the descriptions of secrets say."""

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """Something that a call takes, or that an answer has."""

    wire: str
    schema: Schema
    required: bool

    @property
    def about(self) -> str:
        return str(self.schema.get("description", ""))

    @property
    def is_secret(self) -> bool:
        """Whether an answer that is printed must not show it."""
        return any(said in self.about for said in _OF_SECRETS)


@dataclass(frozen=True, slots=True)
class Operation:
    """One call."""

    noun: str
    """The second step of its path: `portal-links`."""
    name: str
    """What it is called among those of its noun: `create`."""
    method: str
    path: str
    summary: str
    in_path: Sequence[str]
    in_query: Sequence[Member]
    in_body: Sequence[Member] | None
    """None if it takes no body."""
    replies: Mapping[int, str | None]
    """The name of the shape that each status has; None for nothing, "bytes" for a file."""
    of_page: str | None
    """For a list: the shape of its entries."""
    conditional: bool
    idempotent: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """An answer, or part of one."""

    name: str
    about: str
    members: Sequence[Member]
    """All of them, those of its base first."""
    base: "Shape | None" = None
    """The shape that it adds members to."""

    @property
    def own(self) -> list[Member]:
        """What it adds to its base, or says differently."""
        return [each for each in self.members if self.base is None or each not in self.base.members]


@dataclass(frozen=True, slots=True)
class Words:
    """A list of words that stands in many places. A later gateway may have more."""

    name: str
    values: Sequence[str]


class Reading:
    """What is read of a description."""

    def __init__(self) -> None:
        self._described = describe(ROUTES, OPEN_ROUTES)
        self._schemas: Mapping[str, Schema] = self._described["components"]["schemas"]
        self.all = [self._operation(route) for route in ROUTES]
        self.operations = [each for route, each in zip(ROUTES, self.all, strict=True) if route.name not in BY_HAND]
        shown = {name for each in self.operations for name in each.replies.values()} - {None, "bytes"}
        shown.add("ImportedLine")
        found = sorted(self._with_parts({str(name) for name in shown}))
        self.shapes = _with_bases([self._shape(name) for name in found if "properties" in self._schemas[name]])
        self.words = [Words(name, schema["enum"]) for name, schema in self._schemas.items() if "enum" in schema]

    def _operation(self, route: Route) -> Operation:
        described = self._described["paths"][route.path][route.method.lower()]
        noun = route.path.split("/")[2]
        replies = {status: _shape_name(reply.body) for status, reply in route.replies.items()}
        query = [each for each in described["parameters"] if each.get("in") == "query"]
        page = self._page(replies, {each["name"] for each in query})
        return Operation(
            noun=noun,
            name=_short_name(route.name, noun),
            method=route.method,
            path=route.path,
            summary=route.summary,
            in_path=re.findall(r"{(\w+)}", route.path),
            in_query=[_parameter(each) for each in query if page is None or each["name"] not in OF_LISTS],
            in_body=self._body(described),
            replies=replies,
            of_page=page,
            conditional=route.conditional,
            idempotent=route.idempotent,
        )

    def _page(self, replies: Mapping[int, str | None], parameters: set[str]) -> str | None:
        if "cursor" not in parameters:
            return None
        entries = self._schemas[str(replies[200])]["properties"]["data"]["items"]
        return referred(entries)

    def _body(self, described: Schema) -> list[Member] | None:
        if "requestBody" not in described:
            return None
        schema: Schema = next(iter(described["requestBody"]["content"].values()))["schema"]
        kinds = [*self._kinds(schema)]
        members: dict[str, list[Schema]] = {}
        for kind in kinds:
            for name, member in kind["properties"].items():
                members.setdefault(name, []).append(member)
        always = set.intersection(*(set(kind.get("required", ())) for kind in kinds))
        return [Member(name, self._given(_any_of(schemas)), name in always) for name, schemas in members.items()]

    def _given(self, schema: Any) -> Any:
        """A schema of what a call is given, in which only lists of words have names: all else is JSON."""
        if isinstance(schema, list):
            return [self._given(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema and "enum" not in self._schemas[referred(schema)]:
            return {**{key: value for key, value in schema.items() if key != "$ref"}, "type": "object"}
        return {key: self._given(value) for key, value in schema.items()}

    def _kinds(self, schema: Schema) -> Iterator[Schema]:
        """The objects that a body may be."""
        if "$ref" in schema:
            yield from self._kinds(self._schemas[referred(schema)])
        elif "anyOf" in schema:
            for each in schema["anyOf"]:
                yield from self._kinds(each)
        else:
            yield schema

    def _with_parts(self, names: set[str]) -> set[str]:
        """The names of these shapes and of those that they have."""
        found: set[str] = set()
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name not in found and name not in OF_A_GRAMMAR:
                found.add(name)
                waiting += _references(self._schemas[name].get("properties"))
        return found

    def _shape(self, name: str) -> Shape:
        schema = self._schemas[name]
        required = schema.get("required", ())
        members = [Member(wire, _plain(member), wire in required) for wire, member in schema["properties"].items()]
        return Shape(name, schema.get("description", ""), members)


def _with_bases(found: Sequence[Shape]) -> list[Shape]:
    """The shapes as they inherit from one another in the gateway, each after its base. A base that clients are never
    answered by itself is there if several shapes have it."""
    kinds = {kind.__name__: kind for kind in _kinds()}
    lines = {each.name: _above(kinds[each.name]) if each.name in kinds else [] for each in found}
    shared = Counter(base.__name__ for line in lines.values() for base in line)
    alone = {each.name: each for each in found}
    made: dict[str, Shape] = {}
    for each in found:
        base = None
        for kind in reversed(lines[each.name]):
            if kind.__name__ in alone or shared[kind.__name__] > 1:
                shape = alone.get(kind.__name__) or _part(kind, each.members)
                base = made.setdefault(kind.__name__, replace(shape, base=base))
        made.setdefault(each.name, replace(each, base=base))
    return list(made.values())


def _part(kind: type[Struct], members: Sequence[Member]) -> Shape:
    """A base, by the members of a shape that has it."""
    names = {each.encode_name for each in fields(kind)}
    about = inspect.cleandoc(kind.__doc__ or "")
    return Shape(kind.__name__, about, [each for each in members if each.wire in names])


def _kinds(kind: type[Struct] = Struct) -> Iterator[type[Struct]]:
    """The classes of what the gateway answers."""
    for each in kind.__subclasses__():
        if each.__module__.startswith(SHAPES) and each is not AnswerShape:
            yield each
        yield from _kinds(each)


def _above(kind: type[Struct]) -> list[type[Struct]]:
    """What a shape inherits from, the nearest first."""
    return [each for each in kind.__mro__[1:] if each.__module__.startswith(SHAPES) and each is not AnswerShape]


def _plain(schema: Any) -> Any:
    """A schema of an answer, in which what no type can say is JSON."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and referred(schema) in OF_A_GRAMMAR:
        return {"type": "object"}
    return {key: _plain(value) for key, value in schema.items()}


def referred(schema: Schema) -> str:
    """The name of what a schema refers to."""
    return str(schema["$ref"].rsplit("/", 1)[1])


def singular(noun: str) -> str:
    """`delivery` of `deliveries`."""
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def _short_name(name: str, noun: str) -> str:
    """`create` for `create_document` of documents, unless that would be a word of the language."""
    word = noun.replace("-", "_")
    short = re.sub(rf"_(all_)?({word}|{singular(word)})(?=_|$)", "", name)
    return name if keyword.iskeyword(short) else short


def _shape_name(body: Any) -> str | None:
    if body is None:
        return None
    return "bytes" if body is Binary else str(body.__name__)


def _parameter(described: Schema) -> Member:
    about = {"description": described["description"]} if "description" in described else {}
    return Member(described["name"], {**described["schema"], **about}, required=described.get("required", False))


def _any_of(schemas: Sequence[Schema]) -> Schema:
    different = [each for number, each in enumerate(schemas) if each not in schemas[:number]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    elif isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield referred(part)
        for value in part.values():
            yield from _references(value)
