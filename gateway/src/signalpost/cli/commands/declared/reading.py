"""Reads the file: TOML with a table for each connection and each subscription, and secrets that are elsewhere."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from signalpost.cli.client import Misuse

SECTIONS = ("connection", "subscription")
"""The tables of the file, in the order in which they are applied: subscriptions use connections."""
_TEXTS = frozenset({"url", "kind", "connection", "secret", "ordering", "status", "startsAt", "shadowOf", "authorities"})
_INLINE = 'Write it as { env = "NAME" } or { file = "PATH" }, so that the file can be shared.'


class Reference(Struct, frozen=True):
    """A value that the file does not say itself."""

    source: str
    """Where it is, for people; never what it is."""
    value: str

    def __repr__(self) -> str:
        return f"Reference({self.source})"


class DeclaredEntry(NamedTuple):
    """A connection or a subscription, as the file wants it."""

    section: str
    name: str
    members: Mapping[str, Any]
    """JSON as the API takes it, with a Reference in place of each value that is elsewhere."""


def read(file: Path, environment: Mapping[str, str] = os.environ) -> list[DeclaredEntry]:
    """The entries of a file, connections first. Raises Misuse, which names what is wrong."""
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misuse(f"{file} cannot be read as TOML: {error}") from None
    except RecursionError:
        raise Misuse(f"{file} cannot be read as TOML: it has too many brackets inside one another.") from None
    if unknown := sorted(said.keys() - set(SECTIONS)):
        raise Misuse(f"{file} can have [[connection]] and [[subscription]], not {unknown[0]}.")
    entries = [entry for section in SECTIONS for entry in _entries(section, said.get(section, []), environment, file)]
    for entry in entries:
        if sum(each[:2] == entry[:2] for each in entries) > 1:
            raise Misuse(f"{file} names the {entry.section} {entry.name} twice.")
    return entries


def _entries(section: str, tables: Any, environment: Mapping[str, str], file: Path) -> Iterator[DeclaredEntry]:
    if not (isinstance(tables, list) and all(isinstance(table, dict) for table in tables)):
        raise Misuse(f"Write [[{section}]], with two brackets on each side.")
    for table in tables:
        name = table.get("name")
        if not isinstance(name, str):
            raise Misuse(f"Every [[{section}]] needs a name, which identifies it.")
        where = f"{section} {name}"
        if isinstance(table.get("secret"), str):
            raise Misuse(f"{where}: secret. {_INLINE}")
        members = {key: _resolved(value, f"{where}: {key}", environment, file.parent) for key, value in table.items()}
        _check(members, where)
        yield DeclaredEntry(section, name, members)


def _check(members: Mapping[str, Any], where: str) -> None:
    """Refuses what cannot be compared with what a gateway shows. The gateway itself checks all else."""
    for key in sorted(_TEXTS & members.keys()):
        if not isinstance(members[key], str | Reference):
            raise Misuse(f"{where}: {key} must be a text in quotes.")
    types = members.get("eventTypes", [])
    if not (isinstance(types, list) and all(isinstance(each, str) for each in types)):
        raise Misuse(f'{where}: eventTypes must be a list of texts, such as ["documentCreated"].')
    headers = members.get("headers", {})
    if not isinstance(headers, dict):
        raise Misuse(f'{where}: headers must be a table, such as {{ x-api-key = {{ env = "NAME" }} }}.')
    for header, value in headers.items():
        if not isinstance(value, Reference):
            raise Misuse(f"{where}: the header {header} may be a secret. {_INLINE}")
    _check_certificate(members.get("clientCertificate"), where)
    client = members.get("oauth", {})
    if not isinstance(client, dict):
        raise Misuse(f"{where}: oauth must be a table with tokenUrl, clientId and clientSecret.")
    if not isinstance(client.get("clientSecret", Reference("", "")), Reference):
        raise Misuse(f"{where}: the clientSecret of oauth. {_INLINE}")
    signatures = members.get("signAlso", [])
    if not (isinstance(signatures, list) and all(isinstance(each, dict) for each in signatures)):
        raise Misuse(f'{where}: signAlso must be a list of tables, such as [{{ header = "X-Old", secret = … }}].')
    for each in signatures:
        if isinstance(each.get("secret"), str):
            raise Misuse(f"{where}: the secret of signAlso. {_INLINE}")


def _check_certificate(given: Any, where: str) -> None:
    if given is None:
        return
    if not (
        isinstance(given, dict)
        and given.keys() == {"certificate", "privateKey"}
        and all(isinstance(each, Reference | str) for each in given.values())
    ):
        raise Misuse(f"{where}: clientCertificate must be a table with certificate and privateKey.")
    if isinstance(given["privateKey"], str):
        raise Misuse(f"{where}: the privateKey of clientCertificate. {_INLINE}")


def _resolved(value: Any, where: str, environment: Mapping[str, str], folder: Path) -> Any:
    match value:
        case {"env": str(variable), **others} if not others:
            if variable not in environment:
                raise Misuse(f"{where}: set the environment variable {variable}.")
            return Reference(f"${variable}", environment[variable])
        case {"file": str(path), **others} if not others:
            try:
                return Reference(path, (folder / path).read_text(encoding="utf-8").rstrip("\n"))
            except (OSError, ValueError) as error:
                raise Misuse(f"{where}: {path} cannot be read: {error}") from None
        case dict():
            return {key: _resolved(below, f"{where}.{key}", environment, folder) for key, below in value.items()}
        case list():
            return [_resolved(below, where, environment, folder) for below in value]
        case date() | time():
            raise Misuse(f"{where}: write a date or a time as a text, in quotes.")
        case float() if not isfinite(value):
            raise Misuse(f"{where}: {value} is no number of JSON.")
    return value


def plain(value: Any) -> Any:
    """The value with every reference replaced by what it refers to, as the API takes it."""
    match value:
        case Reference():
            return value.value
        case dict():
            return {key: plain(below) for key, below in value.items()}
        case list():
            return [plain(below) for below in value]
    return value


def shown(value: Any) -> Any:
    """The value as people may see it: a reference says where its value is."""
    match value:
        case Reference():
            return f"({value.source})"
        case dict():
            return {key: shown(below) for key, below in value.items()}
        case list():
            return [shown(below) for below in value]
    return value


def has_reference(value: Any) -> bool:
    """Whether a value that is elsewhere is part of this one."""
    match value:
        case Reference():
            return True
        case dict():
            return any(map(has_reference, value.values()))
        case list():
            return any(map(has_reference, value))
    return False
