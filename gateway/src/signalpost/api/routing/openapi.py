"""The description of the API in OpenAPI 3.1, made from the route table and from the types of its answers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from signalpost import VERSION
from signalpost.api.http import problems
from signalpost.api.routing import webhooks
from signalpost.api.routing.context import MERGE_PATCH, RequestBody
from signalpost.api.routing.named_schemas import REF, body_name, reference, schema_of, schemas, with_words
from signalpost.api.routing.one_type import with_one_type
from signalpost.api.routing.queries import Query
from signalpost.api.routing.route import PATH, RESPONSE_HEADERS, Binary, OpenRoute, Reply, Route
from signalpost.api.routing.shapes.service import Problem
from signalpost.domain.body import members_of_texts
from signalpost.domain.errors import (
    CallerError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unparseable,
    UnsupportedMedia,
)

ABOUT = """\
Signalpost accepts documents, turns every change into an event, and POSTs each event, signed, to every
subscribed endpoint. A change that was answered with 2xx is durable. Errors are RFC 9457 problems. Lists have `data` and
`next`, newest first; a page may be short and still have a `next`."""
_SHARED = "#/components/{kind}/{name}"
"""Where a parameter, header or error is that many calls have."""
_BYTES: Mapping[str, Any] = {
    media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in ("application/octet-stream", "*/*")
}
"""The bytes of a file: under the media type that generators of clients know, and under any, as a file may have any."""
_IF_MATCH: Mapping[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "Apply the change only if the resource still has one of these ETags; otherwise answer 412.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Makes a repeat safe. Within 24 hours, a repeated request with this key gets the first answer "
    "again, with `idempotent-replayed: true`. Secrets in it are shown for an hour; they are null in later repeats.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_TENANT: Mapping[str, Any] = {
    "name": "signalpost-tenant",
    "in": "header",
    "description": "The tenant that the call is for. Only an operator's key may name another tenant than its own.",
    "schema": {"type": "string", "default": "default"},
}
_UNAVAILABLE = problems.ProblemType(503, "Service unavailable: repeat the request after `retry-after` seconds")


def describe(routes: Sequence[Route], open_routes: Sequence[OpenRoute]) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    every: list[Route | OpenRoute] = [*routes, *open_routes]
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    for open_route in open_routes:
        paths.setdefault(open_route.path, {})[open_route.method.lower()] = _open_operation(open_route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Signalpost", "version": VERSION, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(route.path) for route in every)],
        "paths": with_one_type(with_words(paths)),
        "webhooks": webhooks.openapi_webhooks(reference),
        "components": {
            "schemas": schemas(every),
            "responses": _errors(every),
            "parameters": _shared_parameters(every),
            "headers": {name: {"required": True, **header} for name, header in RESPONSE_HEADERS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key (`sp_…`)."}},
        },
    }


def errors_of(route: Route) -> tuple[type[CallerError], ...]:
    """Every error that a call can be answered: its own, and what its other entries imply."""
    implied: list[type[CallerError]] = [Unauthenticated, Forbidden, NotFound, Invalid, TooMany]
    if route.body is not None:
        implied += [Unparseable, TooLarge, UnsupportedMedia]
    elif route.idempotent:
        implied += [Unparseable, TooLarge]  # the key counts for one body, even if it is ignored
    if route.conditional:
        implied.append(PreconditionFailed)
    if route.changes_tenant:
        implied.append(Conflict)
    return tuple(sorted({*implied, *route.errors}, key=lambda error: problems.CALLER_PROBLEMS[error].status))


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": _who(route),
        "tags": [_tag(route.path)],
        "parameters": _parameters(route),
        "responses": {
            **{str(status): _reply(reply) for status, reply in route.replies.items()},
            **_problems((*map(_kind_of, errors_of(route)), _UNAVAILABLE)),
        },
    }
    if route.body is not None:
        operation["requestBody"] = _request_body(route, route.body)
    if route.deprecation is not None:
        operation["deprecated"] = True
        operation["description"] += f" It goes after {route.deprecation.sunset}. {route.deprecation.instead}"
    return operation


def _who(route: Route) -> str:
    if route.for_readers:
        return "Requires the key of the subscription's reader (`spr_…`), which its secret makes."
    return f"Requires a key with the role {', '.join(sorted(route.roles))}."


def _open_operation(route: OpenRoute) -> dict[str, Any]:
    return {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "parameters": _path_parameters(route.path),
        "security": [],
        "responses": {
            **{str(status): _reply(reply) for status, reply in route.replies.items()},
            **_problems(_open_errors(route)),
        },
    }


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = _path_parameters(route.path)
    found += _query_parameters(route.query, route.example.query)
    found += [_shared("parameters", "If-Match")] if route.conditional else []
    found += [_shared("parameters", "Idempotency-Key")] if route.idempotent else []
    return [*found, _shared("parameters", "signalpost-tenant")]


def _query_parameters(query: type[Query], examples: Mapping[str, str]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components((query,), ref_template=REF)
    members = members_of_texts(query)
    found: list[dict[str, Any]] = []
    for name, member in components[query.__name__]["properties"].items():
        schema = _if_given(member)
        parameter = {"name": name, "in": "query", "schema": schema}
        if (description := schema.pop("description", None)) is not None:
            parameter["description"] = description
        if name in examples:
            is_text = schema.get("type", "string") == "string"
            parameter["example"] = examples[name] if is_text else members[name].check(examples[name])
        found.append(parameter)
    return found


def _if_given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameter may be if it is given: null stands for one that is not."""
    given = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    shown = dict(given[0] if len(given) == 1 else schema)
    if shown.get("type", "string") == "string":
        shown.pop("default", None)  # it is what a text is read into, and no text
    elif schema["default"] is not None:
        shown["default"] = schema["default"]
    return shown


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [_shared("parameters", name) for name in _names_in(path)]


def _names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def _shared_parameters(every: Iterable[Route | OpenRoute]) -> dict[str, Any]:
    """The parameters that mean the same in every call."""
    in_paths = sorted({name for route in every for name in _names_in(route.path)})
    return {
        **{
            name: {
                "name": name,
                "in": "path",
                "required": True,
                "description": PATH[name].description,
                "schema": dict(PATH[name].schema),
            }
            for name in in_paths
        },
        **{each["name"]: each for each in (_IF_MATCH, _IDEMPOTENCY_KEY, _TENANT)},
    }


def _request_body(route: Route, body: RequestBody) -> dict[str, Any]:
    names = [body_name(route), *(each.name for each in body.variants)]
    types = [{"$ref": reference(name)} for name in names]
    content = {"schema": types[0] if len(types) == 1 else {"anyOf": types}, "example": route.example.body}
    offered = [each for each in body.media_types if each != MERGE_PATCH or route.method == "PATCH"]
    return {"required": not body.optional, "content": dict.fromkeys(offered, content)}


def _reply(reply: Reply) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": reply.description, "headers": _headers(*reply.headers)}
    if reply.body is not None:
        answer["content"] = _BYTES if reply.body is Binary else {reply.media_type: {"schema": schema_of(reply.body)}}
    return answer


def _kind_of(error: type[CallerError]) -> problems.ProblemType:
    return problems.CALLER_PROBLEMS[error]


def _open_errors(route: OpenRoute) -> list[problems.ProblemType]:
    return [*map(_kind_of, route.errors), _UNAVAILABLE] if route.errors else []


def _problems(kinds: Iterable[problems.ProblemType]) -> dict[str, Any]:
    return {str(kind.status): _shared("responses", _error_name(kind)) for kind in kinds}


def _error_name(kind: problems.ProblemType) -> str:
    """`NotFound` for “Not found”."""
    return "".join(word.capitalize() for word in kind.title.partition(":")[0].split())


def _errors(every: Iterable[Route | OpenRoute]) -> dict[str, Any]:
    """Each error that a call is answered, under its name. Hundreds of places have one."""
    own = [[*map(_kind_of, errors_of(route))] if isinstance(route, Route) else _open_errors(route) for route in every]
    kinds = sorted({_UNAVAILABLE, *(kind for each in own for kind in each)})
    return {_error_name(kind): _problem(kind) for kind in kinds}


def _problem(kind: problems.ProblemType) -> dict[str, Any]:
    return {
        "description": kind.title,
        "headers": _headers(*problems.HEADERS.get(kind.status, ())),
        "content": {problems.MEDIA_TYPE: {"schema": schema_of(Problem)}},
    }


def _headers(*names: str) -> dict[str, Any]:
    """The headers of an answer. A header is described as always present unless its entry says otherwise."""
    return {name: _shared("headers", name) for name in (*names, "request-id")}


def _shared(kind: str, name: str) -> dict[str, str]:
    return {"$ref": _SHARED.format(kind=kind, name=name)}


def _tag(path: str) -> str:
    parts = [part for part in path.split("/") if part and part != "v1" and "{" not in part]
    return parts[1] if len(parts) > 1 and parts[1] in ("deliveries", "replays") else parts[0]
