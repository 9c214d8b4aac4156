"""What `subscriptions export` writes: what a gateway shows, with a variable in place of each secret. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from signalpost.cli.commands.declared.plan import Existing
from signalpost.domain.endpoint import origin_of
from signalpost.domain.shown_url import STRUCK, is_url
from signalpost.domain.subscription import POLL

_MEMBERS: Final = (
    "url", "kind", "eventTypes", "headers", "ordering", "rateLimit", "retryDelays", "config", "when", "after",
    "objective", "trace", "contacts", "signWithKeyPair",
)  # fmt: skip
_ANY: Final = "*"
"""In a path: any name of a map."""
Path = tuple[str, ...]
Schema = Mapping[str, Any]


class _Variables:
    """Gives each secret a variable of its own, even if two have the same name."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, *names: str) -> dict[str, str]:
        wanted = variable = re.sub(r"[^A-Z0-9]+", "_", "_".join(names).upper()).strip("_")
        count = 1
        while variable in self._given:
            count += 1
            variable = f"{wanted}_{count}"
        self._given.add(variable)
        return {"env": variable}


def exported(existing: Existing, schemas: Mapping[str, Schema]) -> dict[str, list[dict[str, Any]]]:
    """The tables of the file, by section. `schemas` has the JSON Schema of each kind's connections."""
    variables = _Variables()
    names = {each["id"]: each["name"] for each in existing["connection"]}
    originals = {each["id"]: each for each in existing["subscription"]}
    return {
        "connection": [
            _connection(each, set(_secrets(schemas.get(each["kind"], {}))), variables)
            for each in existing["connection"]
        ],
        "subscription": [
            _shadow(each, originals, variables) if "shadowOf" in each else _subscription(each, names, variables)
            for each in existing["subscription"]
        ],
    }


def _connection(shown: Mapping[str, Any], secrets: set[Path], variables: _Variables) -> dict[str, Any]:
    config = _with_variables(shown["config"], (), secrets, shown["name"], variables)
    return {"name": shown["name"], "kind": shown["kind"], "config": config}


def _subscription(shown: Mapping[str, Any], connections: Mapping[str, str], variables: _Variables) -> dict[str, Any]:
    table: dict[str, Any] = {"name": shown["name"]}
    table |= {name: shown[name] for name in _MEMBERS if shown.get(name) not in (None, False)}
    if "connection" in shown:
        table["connection"] = connections[shown["connection"]]
        table.pop("url", None)
    elif shown.get("kind") == POLL:
        for each in ("url", "ordering", "retryDelays"):
            table.pop(each, None)
    elif STRUCK in shown["url"]:
        table["url"] = variables.of(shown["name"], "url")
    table["headers"] = {name: variables.of(shown["name"], name) for name in shown["headers"]} or None
    table["signAlso"] = [
        {**each, "secret": variables.of(shown["name"], each["header"], "secret")} for each in shown.get("signAlso", ())
    ] or None
    if "clientCertificate" in shown:
        table["clientCertificate"] = {
            name: variables.of(shown["name"], "client", name) for name in ("certificate", "privateKey")
        }
    if "oauth" in shown:
        table["oauth"] = shown["oauth"] | {"clientSecret": variables.of(shown["name"], "oauth", "clientSecret")}
        if STRUCK in table["oauth"]["tokenUrl"]:
            table["oauth"]["tokenUrl"] = variables.of(shown["name"], "oauth", "tokenUrl")
    if "authorities" in shown:
        table["authorities"] = variables.of(shown["name"], "authorities")
    if shown["status"] == "paused":
        table["status"] = "paused"
    return table


def _shadow(
    shown: Mapping[str, Any], originals: Mapping[str, Mapping[str, Any]], variables: _Variables
) -> dict[str, Any]:
    """A shadow, without what it has of its original."""
    original = originals[shown["shadowOf"]]
    table = _subscription(shown, {}, variables)
    of_its_own = {"name", "url", "clientCertificate", "authorities", "oauth", "signAlso", "signWithKeyPair"}
    of_its_own |= {"trace", "status"}
    if origin_of(shown["url"]) != origin_of(original["url"]):
        of_its_own.add("headers")
    return {"name": shown["name"], "shadowOf": original["name"]} | {
        name: value for name, value in table.items() if name in of_its_own
    }


def _with_variables(
    config: Mapping[str, Any], path: Path, secrets: set[Path], name: str, variables: _Variables
) -> dict[str, Any]:
    """The config with a variable in place of each secret, which is shown as null, and of each URL of which a part is
    not shown. Another null stays one."""
    written: dict[str, Any] = {}
    for key, value in config.items():
        below = (*path, key)
        if isinstance(value, dict):
            written[key] = _with_variables(value, below, secrets, name, variables)
        elif _is_hidden(value, secrets, below):
            written[key] = variables.of(name, *below)
        else:
            written[key] = value
    return written


def _is_hidden(value: Any, secrets: set[Path], path: Path) -> bool:
    """Whether a member is a secret, or a URL of which a part is not shown."""
    if value is None:
        return not secrets.isdisjoint({path, (*path[:-1], _ANY)})
    return isinstance(value, str) and is_url(value) and STRUCK in value


def _secrets(schema: Schema) -> Iterator[Path]:
    """The paths of the members that are never shown."""
    types = schema.get("$defs", {})

    def walk(part: Schema, path: Path) -> Iterator[Path]:
        if "$ref" in part:
            part = {**part, **types[part["$ref"].rsplit("/", 1)[1]]}
        if part.get("writeOnly"):
            yield path
        for each in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            yield from walk(each, path)
        for name, member in part.get("properties", {}).items():
            yield from walk(member, (*path, name))
        if isinstance(every := part.get("additionalProperties"), dict):
            yield from walk(every, (*path, _ANY))

    return walk(schema, ())
