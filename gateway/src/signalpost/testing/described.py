"""Reads how the structs of a kind describe themselves, in JSON Schema as forms read it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, inspect

from signalpost.domain.body import check_of
from signalpost.domain.checks import Check


class DescribedMember(Struct, frozen=True):
    """A member of a struct."""

    name: str
    """Where it stands, such as `SlackConnection.signIn`."""
    schema: Mapping[str, Any]
    """The JSON Schema of its value."""
    check: Check

    @property
    def is_secret(self) -> bool:
        """Whether it is sealed and never shown."""
        return self.schema.get("writeOnly") is True


def members(struct: type[Struct]) -> Iterator[DescribedMember]:
    """Every member of a struct and of the structs in it, but for the tags by which structs are told apart."""
    for each in _structs(inspect.type_info(struct)):
        schema = msgspec.json.schema(each.cls)
        properties = schema["$defs"][schema["$ref"].rpartition("/")[2]].get("properties", {})
        checks: Any = check_of(each.cls)
        for field in each.fields:
            name = field.encode_name
            yield DescribedMember(f"{each.cls.__name__}.{name}", properties[name], checks.members[name].check)


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    match kind:
        case inspect.StructType():
            yield kind
            for field in kind.fields:
                yield from _structs(field.type)
        case inspect.Metadata():
            yield from _structs(kind.type)
        case inspect.UnionType():
            for each in kind.types:
                yield from _structs(each)
        case inspect.VarTupleType() | inspect.ListType():
            yield from _structs(kind.item_type)
        case inspect.DictType():
            yield from _structs(kind.value_type)
