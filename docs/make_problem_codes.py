"""Writes docs/problem-codes.md from the places in the source that refuse a request:
`.venv/bin/python docs/make_problem_codes.py`. A test keeps it so.

The source is read, not run: of each error that is made, its class says the status, and its arguments are the code and
the sentence. A value that is put into a sentence is shown as `…`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from signalpost.api.http.problems import CALLER_PROBLEMS, DEFECT, UNAVAILABLE
from signalpost.domain.access.tenant_limits import NOUNS

PAGE = Path(__file__).parent / "problem-codes.md"
SOURCE: Final = Path(__file__).parent.parent / "gateway" / "src" / "signalpost"
HEAD = """# Problem codes

Generated from the source by `.venv/bin/python docs/make_problem_codes.py`; do not edit.

An answer that refuses is a problem of RFC 9457: `status`, `title`, `detail` for people, and `code` for programs, which
does not change between versions. `requestId` finds the line in the gateway's log. `errors` names each bad field by a
JSON pointer into the body, by `?name` for a parameter of the query, by the name of a header, or by that of a part of
the path, with a code of its own.

What to do follows from the status:

| status | means | repeat it? |
| --- | --- | --- |
| 400, 413, 415, 422, 431 | the request is wrong, and nothing was changed | only once it is corrected |
| 401, 403 | the key is not known, or may not do this | with another key |
| 404, 410 | it is not there, or no longer | no |
| 409, 412 | it is not in the state for this, or changed since you read it | read it again, and decide |
| 429, 503 | too much at once, or the gateway cannot do it now | after `Retry-After`, with the same `Idempotency-Key` |
| 500 | a defect | with the same `Idempotency-Key`; give its `requestId` to the operator |

`…` is what differs from one answer to the next. If several places answer with one code, a sentence of one is shown.
"""
ROOMS: Final = (
    "api",
    "commands",
    "destinations",
    "domain",
    "engine",
    "files",
    "listener",
    "sharing",
    "store",
    "start_keys.py",
)
"""Where requests of clients are answered from: the emulator has calls of its own, which are not the gateway's."""
STATUSES: Final[Mapping[str, int]] = {kind.__name__: problem.status for kind, problem in CALLER_PROBLEMS.items()}
MADE_BY: Final[Mapping[str, str]] = {
    "_not_theirs": "Conflict",
    "_problem": "Unparseable",
    "_unparseable": "Unparseable",
    "TenantRates": "TooMany",
}
"""Functions and classes that make an error of the code that they are given, by name."""
FIELDS: Final = ("Bad", "FieldError")
SAID: Final[Mapping[str, str]] = {
    "action_not_allowed": "`…` does not fit a document that is …. Allowed now: ….",
    "change_rate": "The tenant may make … changes of documents a second. Repeat this one in a moment.",
    "consent_failed": "The vendor refused to give a token: ….",
    "document_deleted": "This document was deleted. Import it with a higher sourceVersion to bring it back.",
    "files_unavailable": "The place where files are kept cannot be reached, or is full.",
    "link_refused": "A download link works for 15 minutes and only unchanged. Get a new one where this one came from.",
    "master_key_unusable": "The master key's file cannot be used: ….",
    "nested_too_deep": "At most … levels of nesting are read.",
    "not_in_portal_link": "The link does not allow this.",
    "notice_not_found": "There is no condition with this id, or it has closed.",
    "outcome_unknown": "The change may or may not have been made. Repeat it with the same `Idempotency-Key`.",
    "request_rate": "The tenant may make … requests a second. Repeat this one in a moment.",
    "role_not_allowed": "A key with the role … may not do this.",
    "member_changed": "The member changed meanwhile. Read it again.",
}
"""What is said with a code, if it is put together elsewhere, or if the first place says something special."""
FIELDS_SAY: Final[Mapping[str, str]] = {
    "address_refused": "The gateway may not call this address.",
    "bad_path": "This must be a path.",
    "bad_template": "The text has a placeholder that is not one.",
    "bad_url": "This is not a URL that can be called; the sentence says what to change.",
    "below_retention": "Events up to … are no longer kept.",
    "beyond_the_end": "The log ends before this. Leave it out to begin there.",
    "call_not_allowed": "The connection does not allow this call.",
    "calls_not_listed": "The connection lists no calls that are allowed.",
    "config_does_not_fit": "The subscription does not fit this connection.",
    "in_the_future": "This must not be in the future.",
    "not_a_date": "This must be a date (2021-11-25) or a timestamp.",
    "not_a_number": "This is not a number of JSON.",
    "not_a_timestamp": "This must be a timestamp with its zone (2026-01-31T13:00:00+00:00).",
    "not_a_uuid": "This must be a UUID, such as d24c0644-1d31-47fa-960e-b0cc8b4f136c.",
    "not_allowed": "This value is not allowed here; the sentence names those that are.",
    "not_found": "There is nothing with this id.",
    "package_missing": "The package that this kind needs is not installed here.",
    "required": "This field is required.",
    "too_large": "This is too large; the sentence says how large it may be.",
    "too_many": "There are too many; the sentence says how many there may be.",
    "too_short": "This is too short for what is there.",
    "unknown_field": "There is no such field here. Known: ….",
    "unknown_name": "There is no such name among those of events.",
    "wrong_length": "This must have … to … characters; it has ….",
    "wrong_type": "This must be of another type of JSON.",
    "wrong_value": "This must be another value; the sentence says which.",
}
"""The same for bad fields: most of these are said of many fields, of each in its own words."""


class Code(NamedTuple):
    code: str
    status: int
    said: str


def page() -> str:
    return HEAD + _table("Of answers", codes()) + _fields()


def codes() -> list[Code]:
    """Every code that an answer can have, once, with the first sentence that is said with it."""
    found: dict[str, Code] = {}
    for each in (*_raised(), *_of_limits(), *_unavailable(), Code("internal_error", DEFECT.status, _DEFECT)):
        if each.code not in found:
            found[each.code] = each._replace(said=SAID.get(each.code) or each.said)
        elif not found[each.code].said:
            found[each.code] = each
    return sorted(found.values(), key=lambda each: (each.status, each.code))


def field_codes() -> dict[str, str]:
    """Every code that a bad field can have, with the first sentence that is said with it."""
    found: dict[str, str] = {}
    for call, name, tree in _calls():
        if name in FIELDS and len(call.args) >= 2:
            code, said = call.args[:2] if name == "Bad" else call.args[1:3]
            if _constant(code):
                found[_constant(code)] = found.get(_constant(code)) or _said(said, tree)
    found |= {code: said for code, said in FIELDS_SAY.items() if code in found}
    return dict(sorted(found.items()))


_DEFECT: Final = "The gateway failed to handle this request. Give its operator the requestId."


def _raised() -> Iterator[Code]:
    for call, name, tree in _calls():
        kind = MADE_BY.get(name, name)
        if kind not in STATUSES:
            continue
        given = [each.value for each in call.keywords if each.arg == "code"]
        arguments = call.args[1:] if name == "TenantRates" else call.args
        if kind == "Invalid":
            code = given[0] if given else ast.Constant("invalid_fields")
            yield Code(_constant(code), STATUSES[kind], "Invalid: …. See `errors`.")
        elif arguments and _constant(arguments[0]):
            said = _said(arguments[1], tree) if len(arguments) > 1 and name != "TenantRates" else ""
            yield Code(_constant(arguments[0]), STATUSES[kind], said)


def _of_limits() -> Iterator[Code]:
    said = "The tenant may have … {noun}, and has …. Delete some, or ask an operator for more."
    return (Code(code, 403, said.format(noun=noun)) for code, noun in NOUNS.values())


def _unavailable() -> Iterator[Code]:
    """The classes of errors for which the gateway is to blame: each has its code and its sentence in itself."""
    yield Code("unavailable", UNAVAILABLE.status, "The gateway cannot do this now. Repeat the request in a moment.")
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Unavailable" for base in node.bases):
                codes = [
                    part.value
                    for part in node.body
                    if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "code"
                ]
                said = [
                    call.args[0]
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__" and call.args
                ]
                if codes:
                    yield Code(_constant(codes[0]), UNAVAILABLE.status, _said(said[0], tree) if said else "")


@cache
def _calls() -> list[tuple[ast.Call, str, ast.Module]]:
    """Every call of a name in the source, with the module that it stands in."""
    return [
        (node, node.func.id, tree)
        for tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


@cache
def _trees() -> list[ast.Module]:
    places = [SOURCE / room for room in ROOMS]
    files = [file for place in places for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    named = re.compile(rf"\b(?:{'|'.join([*STATUSES, *MADE_BY, *FIELDS, 'Unavailable'])})\b")
    return [ast.parse(text) for text in (file.read_text(encoding="utf-8") for file in files) if named.search(text)]


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _said(node: ast.expr, tree: ast.Module) -> str:
    """The sentence that an expression makes; empty if it is made elsewhere."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_constant(part) or "…" for part in node.values)
    if isinstance(node, ast.Name):
        given = [
            each
            for each in ast.walk(tree)
            if isinstance(each, ast.Assign) and each.lineno < node.lineno and ast.unparse(each.targets[0]) == node.id
        ]
        return _said(max(given, key=lambda each: each.lineno).value, tree) if given else ""
    return _constant(node)


def _table(title: str, found: list[Code]) -> str:
    rows = "".join(f"| `{each.code}` | {each.status} | {_cell(each.said)} |\n" for each in found)
    return f"\n## {title}\n\n| code | status | says |\n| --- | --- | --- |\n{rows}"


def _fields() -> str:
    rows = "".join(f"| `{code}` | {_cell(said)} |\n" for code, said in field_codes().items())
    return f"\n## Of fields\n\n| code | says |\n| --- | --- |\n{rows}"


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
