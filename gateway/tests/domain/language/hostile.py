"""Placeholders and conditions of someone who wants the gateway to hang, fall over or answer nonsense.

    .venv/bin/python -m gateway.tests.domain.language.hostile --count 60000

makes so many of them from a seed, reads each, and fills in or evaluates what was taken. Nothing may raise what is not
meant to be raised, and none may take longer than 20 ms of CPU: everything else would wait for it.
"""

import argparse
import gc
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from gateway.tests.domain.language.subjects import subject

from signalpost.destinations.fields import DayTemplate, JsonTemplate, MomentTemplate, NumberTemplate, Template
from signalpost.domain.body import check_of
from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.language.condition_reader import OPERATORS, When, read_condition
from signalpost.domain.language.json_template import read_json_template
from signalpost.domain.language.names import Subject
from signalpost.domain.language.template_filters import FILTERS, TemplateError
from signalpost.domain.language.templates import read_template

MOST_MS: Final = 20.0

_FACTS: Final = {"x": "y" * 4096, "n": 1e308, "tiny": 5e-324, "i": 2**64 - 1, "neg": -(2**63), "d": "9999-12-31"}
SUBJECTS: Final = (
    subject("documentCreated"),
    subject(before={"title": "z" * 512, "additionalFacts": {"x": "y" * 4095}}, additional_facts=_FACTS),
    subject("documentDeleted", status="other", title="&<>" * 170, before={"status": "paused", "latestVersion": None}),
    subject(additional_facts={f"fact {number}": "\U0001f600" * 1024 for number in range(64)}),
)

# --- Placeholders -----------------------------------------------------------------------------------------------------

_NAMES: Final = [
    "document.title", "document.status", "document.contractValue", "document.expiryDate", "document.additionalFacts.x",
    "document.additionalFacts.n", "document.additionalFacts.d", 'document.additionalFacts["fact 1"]', "before.title",
    "before", "event", "document", "made.url", "made", "document.titel", "document.__class__",
    "document.additionalFacts",
    "''", '"' + "\\" * 63 + '"', "document." + "a" * 900, "document" + ".a" * 400, "document" + '["a"]' * 400,
    'document["' + "x" * 3000 + '"]', "self.__init__.__globals__", "document.clear()", "[0] * 30000000", "9**9**9",
]  # fmt: skip
_USES: Final = [
    *(each.usage for each in FILTERS.values()), "days: 36525", "days: -36525", "truncate: 4096", "truncate: 0",
    "money: '" + "x" * 99 + "'", 'date: "' + "%d%%%B" * 500 + '"', 'date: "' + "%" * 999 + '"', "upper | lower | upper",
    "choose: " + ", ".join(['"a", 1'] * 32), "choose: " + ", ".join(["1"] * 900), "default: '" + "z" * 3000 + "'",
    "default: 99999999999999999999", "number | money | number", "day: '../../dev/zero'",
    "day: '" + "a/" * 400 + "'", "attr: '__class__'", "map('x')", "a" * 3000, "|" * 900,
    "default: " + "'" * 901, 'default: "' + "\\'" * 900,
]  # fmt: skip
_SCRAPS: Final = [
    "{{",
    "}}",
    "{",
    "}",
    "|",
    ":",
    ",",
    '"',
    "'",
    "\\",
    ".",
    "[",
    "]",
    "\n",
    "\u2028",
    "\ud800",
    "\x00",
    "%}",
]


_MILD: Final = [
    "document.additionalFacts.x", "document.additionalFacts.x | upper | lower", "document.additionalFacts.n | money",
    "document.additionalFacts.tiny", "before.additionalFacts.x | truncate: 4096", "document.title | default: 'x'",
    'document.additionalFacts.d | default: "0001-01-01" | days: -1', "document.expiryDate | days: 36525 | date: '%A'",
    "document.additionalFacts.neg | number | money: 'X'", 'document.additionalFacts["fact 1"] | text | upper',
]  # fmt: skip


def _template(draw: random.Random) -> str:
    parts: list[str] = []
    mild = draw.random() < 0.4
    for _ in range(draw.choice((1, 1, 2, 3, 64, 65, 200))):
        if mild:
            parts.append(f"{{{{ {draw.choice(_MILD)} }}}}" if draw.random() < 0.8 else "x" * 40)
            continue
        match draw.randrange(5):
            case 0 | 1 | 2:
                uses = [draw.choice(_USES) for _ in range(draw.choice((0, 1, 2, 8, 9)))]
                parts.append(f"{{{{ {' | '.join([draw.choice(_NAMES), *uses])} }}}}")
            case 3:
                parts.append("".join(draw.choice(_SCRAPS) for _ in range(draw.choice((1, 5, 900)))))
            case 4:
                parts.append(draw.choice(_SCRAPS) * draw.choice((1, 1000, 4096)))
    text = "".join(parts)
    return text[: draw.choice((len(text), 4096, 4096, 4097))]


def _json(draw: random.Random) -> Any:
    values = [_scalar(draw) for _ in range(draw.choice((1, 5, 30, 60, 1100)))]
    for _ in range(draw.choice((0, 1, 3, 16, 400))):
        values = [_wrapped(draw, group) for group in _groups(draw, values)]
    return values


_SCALARS: Final = (
    "{{ event }}",
    "{{ document.x }}",
    1e400,
    10**400,
    None,
    True,
    "x" * 5000,
    "{{ document.title }}",
    "",
)


def _scalar(draw: random.Random) -> Any:
    return _template(draw)[:300] if draw.random() < 0.05 else draw.choice(_SCALARS)


def _wrapped(draw: random.Random, values: list[Any]) -> Any:
    return (
        values if draw.random() < 0.5 else {f"{number}{draw.choice(_SCRAPS)}": one for number, one in enumerate(values)}
    )


def _groups(draw: random.Random, values: list[Any]) -> list[list[Any]]:
    size = draw.choice((1, 2, 32, len(values)))
    return [values[start : start + size] for start in range(0, len(values), size)]


# --- Conditions -------------------------------------------------------------------------------------------------------

_VALUES: Final[list[Any]] = [
    None, True, False, 0, -1, 1e308, float("inf"), float("nan"), 10**400, "", "x", "x" * 512, "x" * 100_000,
    "2026-01-31",
    "9999-12-31T23:59:59.999999+00:00", "0001-01-01T00:00:00+23:59", "2026-13-99", "\x00", "\ud800", [], {}, [[]],
    [None],
    ["x"] * 32, ["x" * 512] * 32, [1] * 100_000, {"all": []}, *STATUSES[:3], "exceuted", ["exceuted"] * 32,
]  # fmt: skip


_OPERATORS: Final = list(OPERATORS)
_MILD_LEAVES: Final = [
    {"field": "document.additionalFacts.x", "contains": "y" * 500}, {"field": "document.title", "in": ["x" * 512] * 32},
    {"field": "document.additionalFacts.n", "above": 10**15}, {"field": "document.additionalFacts", "changed": True},
    {"field": "document.additionalFacts.d", "below": "9999-12-31T23:59:59-23:59"}, {"field": "before.title", "is": "x"},
    {"field": 'document.additionalFacts["fact 1"]', "changedFrom": "x"},
    {"field": "document.status", "notIn": ["other"]},
]  # fmt: skip


def _leaf(draw: random.Random) -> Any:
    if draw.random() < 0.8:
        return draw.choice(_MILD_LEAVES)
    if draw.random() < 0.05:
        return draw.choice(_VALUES)
    found: dict[str, Any] = {"field": draw.choice(_NAMES) if draw.random() < 0.9 else draw.choice(_VALUES)}
    for _ in range(draw.choice((1, 1, 1, 0, 2, 300))):
        name = draw.choice(_OPERATORS) if draw.random() < 0.8 else f"{draw.choice(_OPERATORS)}{draw.random()}"
        found[name] = draw.choice(_VALUES)
    return found


def _condition(draw: random.Random) -> Any:
    values = (
        [_leaf(draw)] * 10_000 if draw.random() < 0.05 else [_leaf(draw) for _ in range(draw.choice((1, 8, 32, 33)))]
    )
    for _ in range(draw.choice((0, 1, 2, 3, 4, 400))):
        values = [{draw.choice(("all", "any")): group} for group in _groups(draw, values)]
        if draw.random() < 0.3:
            values = [{"not": value} for value in values]
    return values[0]


# --- Trying them ------------------------------------------------------------------------------------------------------


def _try_template(text: Any, to: Subject) -> None:
    check_of(Template)(text)
    template = read_template(text)
    template.text(to, _escape)
    template.value(to, _escape)


def _try_typed_template(text: Any, _: Subject) -> None:
    for kind in (DayTemplate, MomentTemplate, NumberTemplate):
        check_of(kind)(text)


def _try_json(value: Any, to: Subject) -> None:
    check_of(JsonTemplate)(value)
    read_json_template(value).value(to, _escape)


def _try_condition(value: Any, to: Subject) -> None:
    check_of(When)(value)
    for condition in (read_condition(value), read_condition(value).negated()):
        why = condition.why_not(to)
        assert why is None or why.endswith("."), why


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


KINDS: Final[tuple[tuple[Callable[[random.Random], Any], Callable[[Any, Subject], None]], ...]] = (
    (_template, _try_template),
    (_template, _try_typed_template),
    (_json, _try_json),
    (_condition, _try_condition),
)


def worst(seed: int, count: int) -> tuple[float, Any, int]:
    """The CPU ms of the slowest of so many, what it was, and how many were taken. Raises what may not be raised."""
    draw = random.Random(seed)
    slowest, culprit, taken = 0.0, None, 0
    for number in range(count):
        make, attempt = KINDS[number % len(KINDS)]
        value, to = make(draw), draw.choice(SUBJECTS)
        begun = time.thread_time()
        try:
            attempt(value, to)
            taken += 1
        except (Bad, Several, TemplateError):
            pass
        took = (time.thread_time() - begun) * 1000
        if took > slowest:
            slowest, culprit = took, value
    return slowest, culprit, taken


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60_000)
    arguments = parser.parse_args()
    gc.disable()
    slowest, culprit, taken = worst(arguments.seed, arguments.count)
    print(f"{arguments.count} tried, {taken} of them taken; the slowest took {slowest:.1f} ms of CPU:")
    print(json.dumps(culprit, default=str)[:300])
    return 0 if slowest < MOST_MS else 1


if __name__ == "__main__":
    sys.exit(main())
