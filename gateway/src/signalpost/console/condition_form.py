"""Conditions as forms: rows of a field, an operator and a value, in plain words and without a script.

A condition becomes rows if it is one comparison, or `all` or `any` of some. What is nested, or turned round by `not`,
is shown as JSON. Nothing is checked here: the API checks what is sent, and says in which row something is wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from signalpost.console.drawings import words
from signalpost.console.notation import has_break, is_untouched, read_json, shown_json
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import OF_DOCUMENTS
from signalpost.domain.language.condition_reader import MAX_LEAVES, OPERATORS
from signalpost.domain.language.names import FACTS, WORD, Name, Type, all_names

Typed = Mapping[str, Sequence[str]]
"""What was typed into the fields of a form, by their names."""
FACT: Final = "fact:"
"""The prefix of a choice that means a fact, whose name is typed in the next field."""
SPARE_ROWS: Final = 2
"""How many empty rows follow those that are filled in."""
VALUES: Final = (*STATUSES, *OF_DOCUMENTS)
"""What is suggested for a field in which a value is typed."""

_is_word = re.compile(WORD).fullmatch
_A_FACT: Final = "a fact"
_THERE: Final = {"exists": ("is filled in", "is empty"), "changed": ("changed", "did not change")}
"""How an operator reads that is given true, or false."""
_WORDS: Final[Mapping[str, str]] = {
    "is": "is",
    "isNot": "is not",
    "in": "is one of",
    "notIn": "is none of",
    "atLeast": "is at least",
    "above": "is above",
    "atMost": "is at most",
    "below": "is below",
    "contains": "contains",
    "startsWith": "starts with",
    "changedTo": "changed to",
    "changedFrom": "changed from",
}


def operators() -> Iterator[tuple[str, str]]:
    """Every operator as it is chosen, and how it reads."""
    for operator in OPERATORS:
        if operator in _THERE:
            for wanted, said in zip(("true", "false"), _THERE[operator], strict=True):
                yield f"{operator}:{wanted}", said
        else:
            yield operator, _WORDS[operator]


_GROUPS: Final = {
    "document": ("The document", ""),
    "before": ("Before the event", "former "),
    "event": ("The event", "event "),
}
"""What can be looked at, by the root of its names: how the group is called, and what tells its names from others'."""


def fields() -> Mapping[str, Sequence[tuple[str, str]]]:
    """What a condition can look at, by groups: each name, and how it reads. No two read alike."""
    return {
        group: [_option(name, before) for name in all_names(_A_FACT) if name.path[0] == root]
        for root, (group, before) in _GROUPS.items()
    }


def _option(name: Name, before: str) -> tuple[str, str]:
    root, *way = name.path
    if way[0] == FACTS and len(way) > 1:
        return f"{FACT}{root}", f"{before}additional fact …"
    return name.text, before + " ".join(words(step) for step in way)


# --- Conditions -------------------------------------------------------------------------------------------------------


class FormRow(Struct, frozen=True):
    field: str = ""
    """The name, or `fact:` and the root below which it is."""
    fact: str = ""
    """The name of the fact, if it is one."""
    operator: str = ""
    value: str = ""
    pointer: str = ""
    """Where in the body its comparison stands; empty for a row that is not filled in."""


class ConditionForm(Struct, frozen=True):
    name: str
    """What the names of its fields begin with, such as `when.`."""
    pointer: str
    join: str
    """`all` or `any` of the rows."""
    rows: Sequence[FormRow]
    json: str | None = None
    """The condition if it cannot be rows."""


def condition_form(name: str, pointer: str, condition: Any, typed: Typed) -> ConditionForm:
    """The form of a condition, as it was typed if it was, otherwise of the condition that is kept or UNSET."""
    if f"{name}json" in typed:
        return ConditionForm(name, pointer, "all", (), typed[f"{name}json"][0])
    if f"{name}field" in typed:
        join, rows = _join(name, typed), _typed_rows(name, typed)
    elif (found := _rows_of(condition)) is not None:
        join, rows = found
    else:
        return ConditionForm(name, pointer, "all", (), shown_json(condition))
    placed = [msgspec.structs.replace(row, pointer=_pointer(pointer, join, rows, at)) for at, row in enumerate(rows)]
    spare = min(SPARE_ROWS, MAX_LEAVES - len(placed))
    return ConditionForm(name, pointer, join, [*placed, *[FormRow()] * spare])


def sentences(form: ConditionForm) -> list[str]:
    """What each filled-in row of a form says, such as `status is executed`."""
    return [_sentence(row) for row in form.rows if row.field]


def _sentence(row: FormRow) -> str:
    field = f"{_FIELD_WORDS[row.field]} “{row.fact}”" if row.fact else _FIELD_WORDS[row.field]
    return " ".join(each for each in (field, _OPERATOR_WORDS[row.operator], row.value) if each)


def is_condition_edited(name: str, kept: Any, typed: Typed) -> bool:
    """Whether something else was typed than the form of the condition that is kept, or UNSET, showed."""
    if f"{name}json" not in typed and f"{name}field" not in typed:
        return False
    shown, now = condition_form(name, "", kept, {}), condition_form(name, "", UNSET, typed)
    if shown.json is not None and now.json is not None:
        return not is_untouched(now.json, shown.json, lines=True)
    return shown.json != now.json or _filled_in(shown) != _filled_in(now)


def _filled_in(form: ConditionForm) -> tuple[str, Sequence[FormRow]]:
    """What the rows of a form say, wherever the API would say that something is wrong with them."""
    rows = [_stripped(row) for row in form.rows if row.field]
    return form.join if rows else "", rows


def typed_condition(name: str, typed: Typed) -> Any:
    """The condition that was typed, as JSON; None if nothing was."""
    if f"{name}json" in typed:
        text = typed[f"{name}json"][0].strip()
        return _value(text) if text else None
    leaves = [_leaf(row) for row in _typed_rows(name, typed)]
    if not leaves:
        return None
    return leaves[0] if len(leaves) == 1 else {_join(name, typed): leaves}


def _pointer(pointer: str, join: str, rows: Sequence[FormRow], at: int) -> str:
    return pointer if len(rows) == 1 else f"{pointer}/{join}/{at}"


def _join(name: str, typed: Typed) -> str:
    return "any" if typed.get(f"{name}join", ["all"])[0] == "any" else "all"


def _typed_rows(name: str, typed: Typed) -> list[FormRow]:
    columns = [typed.get(f"{name}{part}", []) for part in ("field", "fact", "operator", "value")]
    rows = [_stripped(FormRow(*row)) for row in zip(*columns, strict=False)]
    return [row for row in rows if row.field]


def _stripped(row: FormRow) -> FormRow:
    return FormRow(row.field.strip(), row.fact.strip(), row.operator.strip(), row.value.strip())


def _leaf(row: FormRow) -> dict[str, Any]:
    operator, _, wanted = row.operator.partition(":")
    field = _name_of_fact(row) if row.field.startswith(FACT) else row.field
    return {"field": field, operator: wanted == "true" if wanted else _given(row, operator)}


def _name_of_fact(row: FormRow) -> str:
    quoted = row.fact.replace("\\", "\\\\").replace('"', '\\"')
    step = f".{row.fact}" if _is_word(row.fact) else f'["{quoted}"]'
    return f"{row.field.removeprefix(FACT)}.{FACTS}{step}"


def _given(row: FormRow, operator: str) -> Any:
    if operator in ("in", "notIn"):
        return [_scalar(row, each.strip()) for each in row.value.split(",") if each.strip()]
    return _scalar(row, row.value)


def _scalar(row: FormRow, text: str) -> Any:
    """A number if the field is one, or is a fact and can be read as one; else the text."""
    is_number = row.field.startswith(FACT) or _TYPES.get(row.field) is Type.NUMBER
    value = _value(text) if is_number else text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


_SHOWN: Final = frozenset(name for options in fields().values() for name, _ in options)
"""The fields that can be chosen."""
_FIELD_WORDS: Final = {name: said.removesuffix(" …") for options in fields().values() for name, said in options}
_OPERATOR_WORDS: Final = dict(operators())
_TYPES: Final = {name.text: name.type for name in all_names(_A_FACT)}


def _rows_of(condition: Any) -> tuple[str, list[FormRow]] | None:
    """How the rows of a condition are joined, and what they are; None if it cannot be rows."""
    if condition is UNSET or condition is None:
        return "all", []
    join = next((each for each in ("all", "any") if each in condition), None)
    rows = [_row(leaf) for leaf in ([condition] if join is None else condition[join])]
    known = [row for row in rows if row is not None]
    return (join or "all", known) if len(known) == len(rows) else None


def _row(leaf: Mapping[str, Any]) -> FormRow | None:
    """The row of a comparison; None for what is none, or would not come back as it is."""
    if "field" not in leaf:
        return None
    [(operator, value)] = [(name, value) for name, value in leaf.items() if name != "field"]
    field, fact = _field_of(leaf["field"])
    if isinstance(value, bool) and operator in _THERE:
        row = FormRow(field, fact, f"{operator}:{'true' if value else 'false'}")
    else:
        listed = value if isinstance(value, list) else [value]
        row = FormRow(
            field, fact, operator, ", ".join(each if isinstance(each, str) else _written(each) for each in listed)
        )
    is_shown = field in _SHOWN and not has_break(row.value) and not has_break(fact)
    return row if is_shown and _leaf(_stripped(row)) == leaf else None


def _field_of(text: str) -> tuple[str, str]:
    for root in ("document", "before"):
        start = f"{root}.{FACTS}"
        if text.startswith((f"{start}.", f'{start}["')):
            fact = text[len(start) + 1 :] if text[len(start)] == "." else text[len(start) + 2 : -2]
            return f"{FACT}{root}", fact
    return text, ""


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _value(text: str) -> Any:
    """The JSON that was typed; any other text is sent as it is, and the API refuses it."""
    try:
        return read_json(text)
    except ValueError:
        return text
