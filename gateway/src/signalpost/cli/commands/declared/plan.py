"""Decides what has to change so that a gateway is as a file says. Pure: it compares, and calls nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from signalpost.cli.client import CommandError
from signalpost.cli.commands.declared.reading import DeclaredEntry, Reference, has_reference, plain, shown
from signalpost.domain.checks import Bad
from signalpost.domain.endpoint import parse_url
from signalpost.domain.own_tls import fingerprints
from signalpost.domain.shown_url import is_url, shown_url

ONLY_AT_FIRST = frozenset({"secret", "kind", "startsAfter", "startsAt", "shadowOf"})
"""Members that count when an entry is created, and not afterwards."""
WHOLE = frozenset({"headers", "when", "after", "objective", "clientCertificate", "oauth"})
"""Members that are replaced as a whole: what the file does not name in them goes."""
OF_ONE_ORIGIN = ("headers", "clientCertificate", "oauth")
"""Members that were given for the origin of the URL, and for no other."""
Existing = Mapping[str, Sequence[Mapping[str, Any]]]
"""What the gateway has, by section, as its lists show it."""


class PlannedAction(StrEnum):
    """What is done with an entry."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"


class MemberChange(Struct, frozen=True):
    """One member that changes, as people may see it."""

    member: str
    before: Any
    after: Any


class PlannedChange(Struct, frozen=True):
    """What is done with one connection or subscription."""

    section: str
    name: str
    action: PlannedAction
    id: str | None
    """The id at the gateway; None if the entry is created."""
    members: Mapping[str, Any]
    """What is sent, with references."""
    differences: tuple[MemberChange, ...]


def plan(
    entries: Sequence[DeclaredEntry], existing: Existing, *, prune: bool, resend_secrets: bool
) -> list[PlannedChange]:
    """The changes, in the order in which they can be made. Raises CommandError for a name that is not unique."""
    ordered = sorted(entries, key=lambda entry: "shadowOf" in entry.members)  # their originals come first
    changes = [_change(entry, _named(entry, existing), existing, resend_secrets=resend_secrets) for entry in ordered]
    return [*changes, *(_removals(entries, existing) if prune else ())]


def _named(entry: DeclaredEntry, existing: Existing) -> Mapping[str, Any] | None:
    found = [each for each in existing[entry.section] if each["name"] == entry.name]
    if len(found) > 1:
        ids = ", ".join(each["id"] for each in found)
        raise CommandError(f"The gateway has several {entry.section}s named {entry.name}: {ids}. Rename all but one.")
    return found[0] if found else None


def _change(
    entry: DeclaredEntry, found: Mapping[str, Any] | None, existing: Existing, *, resend_secrets: bool
) -> PlannedChange:
    if found is None:
        differences = tuple(_differences(entry.members, None))
        return PlannedChange(entry.section, entry.name, PlannedAction.CREATE, None, entry.members, differences)
    if entry.members.get("kind", "webhook") != found.get("kind", "webhook"):
        raise CommandError(f"The {entry.section} {entry.name} is of another kind. Delete it, or choose another name.")
    _check_original(entry, found, existing)
    names = {each["id"]: each["name"] for each in existing["connection"]}
    now = {**found, **({"connection": names.get(found["connection"])} if "connection" in found else {})}
    changed = {
        key: value
        for key, value in entry.members.items()
        if key not in ONLY_AT_FIRST
        and (not _is_as(key, value, now.get(key)) or (resend_secrets and has_reference(value)))
    }
    if "url" in changed:  # the gateway keeps none of these for another origin
        changed |= {name: entry.members[name] for name in OF_ONE_ORIGIN if name in entry.members}
    differences = tuple(_differences(changed, now))
    action = PlannedAction.UPDATE if changed else PlannedAction.KEEP
    return PlannedChange(entry.section, entry.name, action, found["id"], changed, differences)


def _check_original(entry: DeclaredEntry, found: Mapping[str, Any], existing: Existing) -> None:
    """Raises CommandError if an entry is the shadow of something else than the file says."""
    originals = {each["id"]: each["name"] for each in existing["subscription"]}
    if "shadowOf" in entry.members and entry.members["shadowOf"] != originals.get(found.get("shadowOf")):
        wanted = entry.members["shadowOf"]
        raise CommandError(f"{entry.name} is there, and is no shadow of {wanted}. Delete it, or choose another name.")


def _is_as(member: str, wanted: Any, found: Any) -> bool:
    """Whether a member is as the file says, as far as the gateway shows it."""
    match member:
        case "url":
            return bool(found == shown_url(plain(wanted)))
        case "eventTypes":
            return sorted(wanted) == sorted(found or ())
        case "headers":
            return wanted.keys() == (found or {}).keys() and _covers(wanted, found)
        case "when":
            return _written(plain(wanted)) == _written(found)
        case "signAlso":
            return _covers([{key: each[key] for key in each if key != "secret"} for each in wanted], found or [])
        case "clientCertificate":
            return fingerprints(plain(wanted["certificate"]))[:1] == [found["fingerprint"]] if found else False
        case "oauth":
            named = {"scope": "", "credentialsIn": "header", **wanted}
            named.pop("clientSecret", None)
            return bool(found) and named.keys() == found.keys() and _covers(named, found)
        case "authorities":
            return fingerprints(plain(wanted)) == [each["fingerprint"] for each in found or ()]
        case "signWithKeyPair":
            return bool(plain(wanted) is bool(found))
        case "contacts":
            return bool(plain(wanted) == (found or []))
        case "after":
            return _covers(wanted, found) and _written(plain(_condition(wanted))) == _written(_condition(found))
    return _covers(wanted, found)


def _condition(delay: Any) -> Any:
    """The condition of a delay; None if it has none."""
    return delay.get("if") if isinstance(delay, dict) else None


def _covers(wanted: Any, found: Any) -> bool:
    """Whether a value is as the file says; members that the gateway filled in do not count."""
    match wanted:
        case Reference():
            return found is None or _covers(wanted.value, found)
        case dict() if isinstance(found, dict):
            return all(key in found and _covers(value, found[key]) for key, value in wanted.items())
        case list() if isinstance(found, list):
            return len(wanted) == len(found) and all(map(_covers, wanted, found))
        case str() if isinstance(found, str):
            return found in (wanted, _as_origin(wanted)) or (is_url(wanted) and shown_url(wanted) == found)
    return bool(wanted == found) and isinstance(wanted, bool) == isinstance(found, bool)


def _written(value: Any) -> str:
    """JSON, in which `true` and 1 are two values."""
    return json.dumps(value, sort_keys=True)


def _as_origin(text: str) -> str | None:
    """An origin as the gateway keeps it: in lower case, without a slash and the scheme's own port; None for another
    text."""
    try:
        url = parse_url(text)
    except Bad:
        return None
    return url.origin if url.path == "/" else None


def _differences(changed: Mapping[str, Any], now: Mapping[str, Any] | None) -> Iterator[MemberChange]:
    """The members that change; `now` is None if there is nothing yet."""
    for key, value in changed.items():
        before = None if now is None else now.get(key)
        if key == "url":
            yield MemberChange(key, before, shown_url(plain(value)))
        elif key == "headers":
            yield MemberChange(key, sorted(before or ()), sorted(value))
        elif key in WHOLE or not (isinstance(before, dict) and isinstance(value, dict)):
            yield MemberChange(key, before, shown(value))
        else:
            yield from _within(key, value, before)


def _within(path: str, wanted: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[MemberChange]:
    for key, value in wanted.items():
        was, member = before.get(key), f"{path}.{key}"
        if isinstance(value, dict) and isinstance(was, dict):
            yield from _within(member, value, was)
        elif isinstance(value, Reference) or not _covers(value, was):
            yield MemberChange(member, was, shown(value))


def _removals(entries: Sequence[DeclaredEntry], existing: Existing) -> Iterator[PlannedChange]:
    kept = {entry[:2] for entry in entries}
    for section in reversed(tuple(existing)):
        # A shadow goes before its original, which would take it along.
        for each in sorted(existing[section], key=lambda each: "shadowOf" not in each):
            if (section, each["name"]) not in kept:
                yield PlannedChange(section, each["name"], PlannedAction.DELETE, each["id"], {}, ())
