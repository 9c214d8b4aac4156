"""The types that have a name in the description of the API: bodies, answers, and the lists of words in them."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, get_args

import msgspec

from signalpost.api.routing import webhooks
from signalpost.api.routing.one_type import with_one_type
from signalpost.api.routing.route import Binary, OpenRoute, Route
from signalpost.api.routing.shapes.service import Problem
from signalpost.api.routing.shapes.subscriptions import HealthState
from signalpost.domain import connection, event, old_signature, subscription
from signalpost.domain.access import portal_link
from signalpost.domain.access.api_key import Role
from signalpost.domain.delivery import replay
from signalpost.domain.documents import workflow
from signalpost.domain.language.condition_reader import SCHEMA as CONDITION
from signalpost.domain.language.condition_schema import condition_schema
from signalpost.domain.operations.conditions import What
from signalpost.domain.operations.kinds import KINDS, About
from signalpost.store.nouns.deliveries import DeliveryStatus

REF = "#/components/schemas/{name}"
_WORDS: Mapping[str, Iterable[str]] = {
    "EventType": tuple(event.BY_WIRE),
    "Severity": ("info", "warning", "critical"),
    "NoticeKind": tuple(KINDS),
    "NoticeWhat": tuple(What),
    "NoticeAction": ("trigger", "resolve"),
    "NoticeAbout": tuple(About),
    "DocumentStatus": workflow.STATUSES,
    "Action": workflow.ASKED_FOR,
    "DeliveryStatus": get_args(DeliveryStatus),
    "SubscriptionStatus": get_args(subscription.Status),
    "HealthState": get_args(HealthState),
    "Ordering": get_args(subscription.Ordering),
    "ReplayStatus": get_args(replay.Resent),
    "ReplayedStatus": get_args(replay.What),
    "Role": tuple(Role),
    "ConnectionState": get_args(connection.State),
    "Capability": tuple(portal_link.Capability),
    "Mode": tuple(portal_link.Mode),
    "Algorithm": tuple(old_signature.Algorithm),
}
"""Lists of words that stand in many places, under the name of the type that clients make of them."""


def reference(name: str) -> str:
    return REF.format(name=name)


def body_name(route: Route) -> str:
    """What generated clients call the body's type."""
    return "".join(word.capitalize() for word in route.name.split("_"))


@cache
def schema_of(shape: Any) -> Mapping[str, Any]:
    """What refers to a shape, or is one without a name."""
    (schema,), _ = msgspec.json.schema_components((shape,), ref_template=REF)
    return schema


def schemas(routes: Iterable[Route | OpenRoute]) -> dict[str, Any]:
    """Every type that has a name: bodies, answers, and the lists of words that stand in many of them."""
    shapes = {id(reply.body): reply.body for route in routes for reply in route.replies.values() if reply.body}
    shapes.pop(id(Binary), None)
    _, components = msgspec.json.schema_components((*shapes.values(), Problem), ref_template=REF)
    bodies: dict[str, Any] = {}
    for route in routes:
        if isinstance(route, Route) and route.body is not None:
            bodies |= _body(body_name(route), route.body.kind)
            for variant in route.body.variants:
                bodies |= _body(variant.name, variant.kind)
    shown = {name: _whole(schema) for name, schema in components.items()} | webhooks.types(reference)
    words = {name: {"type": "string", "enum": list(values)} for name, values in _WORDS.items()}
    named = {
        name: _untitled(schema if "enum" in schema else with_one_type(with_words(schema)))
        for name, schema in (shown | bodies).items()
    }
    names = {json.dumps(schema): name for name, schema in reversed(named.items()) if "properties" in schema}
    referring = {
        name: {key: _with_names(value, names) for key, value in schema.items()} for name, schema in named.items()
    }
    return words | referring | {CONDITION.rsplit("/", 1)[1]: with_words(condition_schema())}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the name under which it stands."""
    return {key: value for key, value in schema.items() if key != "title"}


def _with_names(part: Any, names: Mapping[str, str]) -> Any:
    """A part of a schema with a reference in place of each whole schema that has a name."""
    if isinstance(part, list):
        return [_with_names(each, names) for each in part]
    if not isinstance(part, dict):
        return part
    if (name := names.get(json.dumps(part))) is not None:
        return {"$ref": REF.format(name=name)}
    return {key: _with_names(value, names) for key, value in part.items()}


def _body(name: str, kind: Any) -> dict[str, Any]:
    """A body's type, with those that it is one of."""
    (schema,), components = msgspec.json.schema_components((kind,), ref_template=REF)
    if "$ref" in schema:
        return {name: _without_references(schema, components)}
    choices = [choice["$ref"].rsplit("/", 1)[1] for choice in schema["anyOf"]]
    kinds = {each: _without_references(components[each], components) for each in choices}
    for kind in kinds.values():
        tag = kind["properties"][schema["discriminator"]["propertyName"]]
        tag.update(type="string", const=tag.pop("enum")[0])
    return {name: schema, **kinds}


def _without_references(part: Any, components: Mapping[str, Any]) -> Any:
    """A part of a body's schema with every reference replaced by what it refers to: clients see a body as one type."""
    if isinstance(part, list):
        return [_without_references(each, components) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("$ref") == CONDITION:  # refers to itself, so it needs its name
        return {key: value for key, value in part.items() if key != "type"}
    if "$ref" in part:
        return _without_references(components[part["$ref"].rsplit("/", 1)[1]], components)
    return {key: _without_references(value, components) for key, value in part.items() if not _says_nothing(key, value)}


def _says_nothing(key: str, value: Any) -> bool:
    """Whether a member of a schema is the name of a struct, or a default that only says that it may be left out."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, {}))


def with_words(part: Any) -> Any:
    """A part of the description with a reference by name in place of each list of words."""
    if isinstance(part, list):
        return [with_words(each) for each in part]
    if not isinstance(part, dict):
        return part
    for name, words in _WORDS.items():
        if set(part.get("enum", ())) == set(words):
            return {"$ref": REF.format(name=name)}
    return {key: with_words(value) for key, value in part.items()}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """An answer always has every member, also those for which the type knows a default."""
    properties: Mapping[str, dict[str, Any]] = schema.get("properties", {})
    always = [name for name, member in properties.items() if "default" in member or name in schema["required"]]
    shown = {
        name: {key: value for key, value in member.items() if key != "default"} for name, member in properties.items()
    }
    return {**schema, "properties": shown, "required": always} if properties else schema
