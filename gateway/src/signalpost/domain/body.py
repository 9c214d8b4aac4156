"""From the type of a body to its check: what a body may be is said once, by a struct.

A body is a struct whose members are annotated with msgspec's `Meta`: lengths, bounds, words for people. This module
makes the check that runs on every request from it; msgspec makes the JSON Schema that programs read from it. What
`Meta` cannot say is a function beside it: `extra=checked_by(function)` runs after the type's own rules, and
`extra=read_by(function)` runs in their place.

A check takes a decoded JSON value and returns it as the struct holds it, or raises `Bad` or `Several`, which name
everything that is wrong with it. msgspec's own decoder names the first wrong member alone, so it does not read bodies.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Struct, inspect
from msgspec.structs import asdict

from signalpost.domain import checks
from signalpost.domain.checks import Bad, Check, Several, pointer
from signalpost.domain.errors import FieldError, Invalid

CHECK: Final = "check"
READ: Final = "read"


def checked_by(check: Check) -> dict[str, Check]:
    """For `Meta(extra=…)`: a check that runs once a value passed what its type says, or was read by `read_by`."""
    return {CHECK: check}


def read_by(read: Check) -> dict[str, Check]:
    """For `Meta(extra=…)`: a check that runs in place of what its type says."""
    return {READ: read}


class Body(Struct, frozen=True, gc=False, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a client sends: members with names in camel case, and no others."""


def read(kind: Any, value: Any, also: Mapping[str, Check] | None = None) -> Any:
    """A body of a kind (a struct, or a union of tagged ones) from its decoded JSON.

    `also` has checks that need to know more than the value; each runs after the member's own, under the member's name
    on the wire. Raises Invalid naming every bad, unknown and missing member.
    """
    check = check_of(kind)
    try:
        return check.with_checks(also)(value) if also and isinstance(check, Members) else check(value)
    except Bad:
        raise Invalid([FieldError("", "wrong_type", "The body must be a JSON object.")]) from None
    except Several as several:
        raise Invalid([FieldError(pointer(*bad.below), bad.code, bad.detail) for bad in several.bads]) from None


def given(body: Struct) -> dict[str, Any]:
    """The members that a body names, by their attributes."""
    return {attribute: value for attribute, value in asdict(body).items() if value is not UNSET}


@cache
def check_of(kind: Any) -> Check:
    """The check of a type, for values that came as JSON."""
    return check_of_type(inspect.type_info(kind))


def check_of_type(kind: inspect.Type) -> Check:
    """The check of a type as msgspec describes it, for values that came as JSON."""
    return _check(kind, _JSON)


@cache
def check_of_text(kind: Any) -> Check:
    """The check of a type, for values that came as texts: parameters of a query, fields of a form."""
    return _check(inspect.type_info(kind), _TEXTS)


@cache
def members_of_texts(kind: type[Struct]) -> "Mapping[str, BodyMember]":
    """The members of a struct by their names on the wire, with checks for values that came as texts."""
    found = inspect.type_info(kind)
    assert isinstance(found, inspect.StructType)
    return _members(found, _TEXTS).members


# --- Structs ----------------------------------------------------------------------------------------------------------


class BodyMember(NamedTuple):
    attribute: str
    """Where the struct holds its value."""
    check: Check


class Members:
    """The check of a struct: every member is what it may be, and none is missing or unknown."""

    def __init__(self, make: Callable[..., Any], members: Mapping[str, BodyMember], required: Sequence[str]) -> None:
        """`members` and `required` go by names on the wire."""
        self._make = make
        self.members = members
        self._required = required
        self._checks = {name: (member.attribute, member.check) for name, member in members.items()}
        self._needs = frozenset(required)

    def with_checks(self, also: Mapping[str, Check]) -> "Members":
        changed = {
            name: BodyMember(member.attribute, _in_turn(member.check, also[name]))
            for name, member in self.members.items()
            if name in also
        }
        return Members(self._make, {**self.members, **changed}, self._required)

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise Bad("wrong_type", "This must be a JSON object.")
        checks = self._checks
        found: dict[str, Any] = {}
        bads: list[Bad] = []
        for name, given in value.items():
            member = checks.get(name)
            try:
                if member is None:
                    raise Bad("unknown_field", f"There is no such field here. Known: {', '.join(checks)}.")
                attribute, check = member
                found[attribute] = check(given)
            except (Bad, Several) as bad:
                bads += bad.under(name)
                if len(bads) >= Invalid.MAX_NAMED:
                    break  # a body has room for a hundred thousand: to name them all would hold everybody up
        if not self._needs <= value.keys():
            missing = [name for name in self._required if name not in value]
            bads += [Bad("required", "This field is required.", (name,)) for name in missing]
        if bads:
            raise Several(bads)
        return self._make(**found)


class _Choice:
    """The check of a union of structs: one member, the tag, says which of them a value is."""

    def __init__(self, tag: str, kinds: Mapping[str, Members]) -> None:
        self._tag = tag
        self._kinds = kinds
        every = {name: member for kind in kinds.values() for name, member in kind.members.items()}
        self._unknown = Members(dict, {**every, tag: BodyMember(tag, checks.one_of(tuple(kinds)))}, [tag])
        """Refuses every value of an unknown kind, naming what would be wrong with it in any."""

    def __call__(self, value: Any) -> Any:
        said = value.get(self._tag) if isinstance(value, dict) else None
        kind = self._kinds.get(said) if isinstance(said, str) else None
        return (kind or self._unknown)(value)


# --- Types ------------------------------------------------------------------------------------------------------------

Rules = Mapping[type[inspect.Type], Callable[[Any], Check]]
"""What makes the check of a type that has no others inside."""


def _check(kind: inspect.Type, rules: Rules) -> Check:
    match kind:
        case inspect.Metadata():
            return _annotated(kind, rules)
        case inspect.StructType():
            return _members(kind, rules)
        case inspect.UnionType():
            return _union(kind, rules)
        case inspect.ListType() | inspect.VarTupleType():
            return checks.each(_check(kind.item_type, rules), *_bounds(kind))
        case inspect.DictType():
            return checks.pairs(_check(kind.key_type, rules), _check(kind.value_type, rules), kind.max_length)
    return rules[type(kind)](kind)


def _annotated(kind: inspect.Metadata, rules: Rules) -> Check:
    extra = kind.extra or {}
    words = (kind.extra_json_schema or {}).get("enum")
    check: Check = extra.get(READ) or (_check(kind.type, rules) if words is None else checks.one_of(tuple(words)))
    examples = [each for each in (kind.extra_json_schema or {}).get("examples", ()) if isinstance(each, str)]
    if examples and _has_pattern(kind.type):
        check = _showing(examples[0], check)
    return _in_turn(check, extra[CHECK]) if CHECK in extra else check


def _has_pattern(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.UnionType):
        return any(_has_pattern(each) for each in kind.types)
    return isinstance(kind, inspect.StrType) and kind.pattern not in (None, checks.NO_NUL)


def _showing(example: str, check: Check) -> Check:
    """The same check, whose error shows a text of the right form to people who read no patterns."""

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except Bad as bad:
            if bad.code != "wrong_form":
                raise
            raise Bad(bad.code, f"Write it like {example}. {bad.detail}", bad.below) from None

    return checked


def _in_turn(first: Check, then: Check) -> Check:
    return lambda value: then(first(value))


def _bounds(kind: inspect.StrType | inspect.ListType | inspect.VarTupleType) -> tuple[int, int]:
    if kind.max_length is None:
        raise TypeError("Say with `Meta(max_length=…)` how long it may be at most.")
    return kind.min_length or 0, kind.max_length


def _members(kind: inspect.StructType, rules: Rules) -> Members:
    members = {each.encode_name: _member(kind, each, rules) for each in kind.fields}
    required = [each.encode_name for each in kind.fields if each.required]
    if kind.tag_field is None:
        return Members(kind.cls, members, required)
    tag = BodyMember(kind.tag_field, checks.one_of((str(kind.tag),)))

    def make(**found: Any) -> Any:
        del found[tag.attribute]
        return kind.cls(**found)

    return Members(make, {tag.attribute: tag, **members}, [tag.attribute, *required])


def _member(kind: inspect.StructType, field: inspect.Field, rules: Rules) -> BodyMember:
    try:
        return BodyMember(field.name, _check(field.type, rules))
    except TypeError as error:
        raise TypeError(f"{kind.cls.__name__}.{field.name}: {error}") from None


def _union(kind: inspect.UnionType, rules: Rules) -> Check:
    kinds = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    structs = [each for each in kinds if isinstance(each, inspect.StructType)]
    if len(kinds) == 1:
        check = _check(kinds[0], rules)
    elif len(structs) == len(kinds):
        check = _Choice(str(structs[0].tag_field), {str(each.tag): _members(each, rules) for each in structs})
    else:
        check = checks.scalar({scalar: _check(each, rules) for each in kinds for scalar in _SCALARS[_bare(each)]})
    return check if len(kinds) == len(kind.types) else checks.nullable(check)


def _bare(kind: inspect.Type) -> type[inspect.Type]:
    return type(kind.type if isinstance(kind, inspect.Metadata) else kind)


_SCALARS: Mapping[type[inspect.Type], tuple[type, ...]] = {
    inspect.StrType: (str,),
    inspect.FloatType: (int, float, Decimal),
    inspect.BoolType: (bool,),
}
"""The Python types as which JSON values of each kind are decoded."""
_JSON: Rules = {
    inspect.StrType: lambda kind: checks.text(*_bounds(kind), kind.pattern),
    inspect.IntType: lambda kind: checks.whole_number(kind.ge, kind.le),
    inspect.FloatType: lambda kind: checks.number(kind.ge, kind.le),
    inspect.BoolType: lambda _: checks.truth,
    inspect.LiteralType: lambda kind: checks.one_of(kind.values),
    inspect.EnumType: lambda kind: _in_turn(checks.one_of(tuple(kind.cls)), kind.cls),
}
_TEXTS: Rules = {
    **_JSON,
    inspect.IntType: lambda kind: checks.written_number(kind.ge, kind.le),
    inspect.BoolType: lambda _: checks.written_truth,
}
