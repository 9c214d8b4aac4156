"""Writes docs/api.md from the route table: `.venv/bin/python docs/make_api.py`. A test keeps it so."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from signalpost.api.routes import HEALTH_ROUTES, METRICS_ROUTES, ROUTES
from signalpost.api.routing.route import Route
from signalpost.domain.access.api_key import Role

PAGE = Path(__file__).parent / "api.md"
HEAD = """# The API

Generated from the route table by `.venv/bin/python docs/make_api.py`; do not edit.

A running gateway describes every call in full: `/docs` for people, `/openapi.json` (OpenAPI 3.1) for programs and
client generators. It describes its events too: `webhooks` in there, `/asyncapi.json` (AsyncAPI 3), and JSON Schemas,
such as `/schemas/event.json` and `/schemas/documentUpdated.json`.

Calls need a key in `Authorization: Bearer sp_…`: the operator's (`DATA_DIR/operator-key`) or one that you created. A
key has a role, which says what it may call. Writes accept `Idempotency-Key` and `If-Match`. If a write made an event,
the header `signalpost-event` of its answer names that event. Errors are RFC 9457 problems that name every bad field;
[their codes](problem-codes.md) do not change.
"""
WITHOUT_A_KEY = """
## Without a key

| call | does |
| --- | --- |
"""
DEPRECATED = """
## Deprecated

Each answer of such a call has the headers `Deprecation`, since when, and `Sunset`, until when it stays at least
([what that promises](versions.md)).

"""
_OPEN = (
    *((f"GET {route.path}", route.summary) for route in (*HEALTH_ROUTES, *METRICS_ROUTES)),
    ("GET /files/…", "A download link, valid for 15 minutes, with ranges"),
    ("GET, POST /unsubscribe/…", "The link in a mail to a [contact](guides/contacts.md): a page, and its button"),
    ("GET /.well-known/signalpost-evidence.json", "The keys by which [evidence](guides/evidence.md) is checked"),
    (
        "GET /.well-known/signalpost-keys/{id}",
        "The public keys of a subscription with a [key pair](guides/key-pairs.md)",
    ),
    ("GET /console", "[Pages for people](guides/console.md), who sign in"),
    ("GET /portal/enter/…", "[A customer's own page](guides/portal.md), by a link that opens once"),
)


def page() -> str:
    nouns = {noun: list(routes) for noun, routes in groupby(sorted(ROUTES, key=_noun), _noun)}
    in_order = sorted(nouns, key=lambda noun: ROUTES.index(nouns[noun][0]))
    return (
        HEAD + "".join(_section(noun, nouns[noun]) for noun in in_order) + WITHOUT_A_KEY + _lines(_OPEN) + _deprecated()
    )


def _noun(route: Route) -> str:
    """`documents` of `/v1/documents/{externalId}`."""
    return route.path.split("/")[2]


def _section(noun: str, routes: list[Route]) -> str:
    title = noun.replace("-", " ").capitalize()
    rows = ((f"{route.method} {route.path}", route.summary, _who(route)) for route in routes)
    return f"\n## {title}\n\n| call | does | roles |\n| --- | --- | --- |\n{_lines(rows)}"


def _deprecated() -> str:
    found = [
        (
            f"{route.method} {route.path}",
            str(route.deprecation.since),
            str(route.deprecation.sunset),
            route.deprecation.instead,
        )
        for route in ROUTES
        if route.deprecation is not None
    ]
    table = f"| call | since | goes after | instead |\n| --- | --- | --- | --- |\n{_lines(found)}"
    return DEPRECATED + (table if found else "Nothing is deprecated.\n")


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| `{call}` | {' | '.join(rest)} |\n" for call, *rest in rows)


def _who(route: Route) -> str:
    return "its reader" if route.for_readers else _roles(route.roles)


def _roles(roles: frozenset[Role]) -> str:
    return "all" if roles == frozenset(Role) else ", ".join(role.value for role in Role if role in roles)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
