"""What a table is to both databases, described once.

From a `Table` follow how a row is laid out, written, read by a batch of commands, and ended with its tenant. Each
database makes its statements of it (`sqlite/tables.py`, `postgres/tables.py`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from signalpost.store.statements import Row, Statement
from signalpost.store.vault import Place

RowOf = TypeVar("RowOf", bound=msgspec.Struct)


class Kind(Enum):
    """What a column holds."""

    NUMBER = auto()
    UUID = auto()
    TEXT = auto()
    BLOB = auto()
    FLAG = auto()


def _without_vault(_value: bytes, place: Place) -> bytes:
    raise AssertionError(f"{place.kind} is sealed, and here is no vault")


class Codec(NamedTuple):
    """How a store lays values out: its database's form of an id, and what its vault does."""

    pack_id: Callable[[str], Any]
    unpack_id: Callable[[Any], str]
    seal: Callable[[bytes, Place], bytes] = _without_vault
    open: Callable[[bytes, Place], bytes] = _without_vault


class FoundBy(NamedTuple):
    """How commands find rows: by a value in the place of `{}`."""

    where: str
    kind: Kind = Kind.UUID


class EndValue(Enum):
    """What a column says once its tenant was deleted, if that depends on when."""

    THEN = auto()
    """The moment of the deletion."""
    THEN_AT_THE_LATEST = auto()
    """The moment that it says already, or else that of the deletion."""


class Columns:
    """A table's columns, in the order in which its rows are packed."""

    def __init__(
        self, name: str, columns: Mapping[str, Kind], *, key: str = "number", sealed: Sequence[str] = ()
    ) -> None:
        """`key` are the columns by which both databases find one row. `sealed` columns need the tenant's data keys."""
        self.name: Final = name
        self.columns: Final = columns
        self.listed: Final = ", ".join(columns)
        """The columns as a statement names them."""
        self.key: Final = key
        self._places = {column: place for place, column in enumerate(columns)}
        self._sealed = [self._places[column] for column in sealed]

    def of_tenants(self, rows: Iterable[Row], tenants: Collection[int]) -> list[Row]:
        """The rows that commands about these tenants see."""
        tenant_at = self._places["tenant_id"]
        return [row for row in rows if row[tenant_at] in tenants]

    def sealed_in(self, rows: Collection[Row]) -> Iterator[bytes]:
        """The sealed values of rows. Those of rows that ended with their tenant are empty, and left out."""
        return (row[place] for place in self._sealed for row in rows if row[place])


def updating(key: str, *columns: str) -> str:
    """Have an `INSERT` update these columns of a row that is there already."""
    return f"ON CONFLICT ({key}) DO UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in columns)


class Table(Columns, Generic[RowOf]):
    """A table of rows that have a tenant, an id, and a number that is given once."""

    def __init__(
        self,
        name: str,
        row: type[RowOf],
        columns: Mapping[str, Kind],
        *,
        changing: Sequence[str],
        numbered_with: str = "",
        found_by: Mapping[str, FoundBy] = {},
        of_any_tenant: bool = False,
        sealed: Sequence[str] = (),
        ended: Mapping[str, Any] | None = None,
        goes_after: str | None = None,
        there: str = "true",
        pack: Callable[[RowOf, Codec], tuple[Any, ...]] | None = None,
        unpack: Callable[[Sequence[Any], Codec], RowOf] | None = None,
    ) -> None:
        """`changing` are the columns that a change may write. `numbered_with` is the table whose sequence gives the
        numbers. `found_by` says by what else than their ids commands find rows.

        Commands see rows `of_any_tenant`, or only of the tenants that their batch is about. When a tenant is deleted,
        its rows say `ended`, or are removed if that is None; if it is empty, they stay until the erasure comes to them.
        Rows whose time in the column `goes_after` is over are removed as others are written.

        Lists show the rows of which `there` is true.

        A row whose members are not its columns says how it is packed and unpacked."""
        super().__init__(name, columns, sealed=sealed)
        self.row: Final = row
        self.changing: Final = changing
        self.numbered_with: Final = numbered_with or name
        self.found_by: Final = {"id": FoundBy("id = {}"), **found_by}
        self.ended: Final = ended
        self.ends_with_tenant: Final = ended is None or len(ended) > 0
        """Whether anything of its rows changes at once when their tenant is deleted."""
        self.goes_after: Final = goes_after
        self.there: Final = there
        self._of_any_tenant = of_any_tenant
        self._ids = [place for place, kind in enumerate(columns.values()) if kind is Kind.UUID]
        self._flags = [name for name, kind in columns.items() if kind is Kind.FLAG]
        self._members = attrgetter(*columns)
        self.pack: Final = pack or self._pack
        """Lays a row out in the order of the columns."""
        self.unpack: Final = unpack or self._unpack
        """Undoes `pack`."""

    def of_tenants(self, rows: Iterable[Row], tenants: Collection[int]) -> list[Row]:
        return [*rows] if self._of_any_tenant else super().of_tenants(rows, tenants)

    def removals(self, written: Collection[Any]) -> list[Statement]:
        """What removes the rows whose time is over once these are written."""
        if self.goes_after is None or not written:
            return []
        over = max(row.created_at for row in written)
        return [Statement(f"DELETE FROM {self.name} WHERE {self.goes_after} <= $1", (over,))]  # noqa: S608

    def _pack(self, row: RowOf, codec: Codec) -> tuple[Any, ...]:
        values = [*self._members(row)]
        for place in self._ids:
            values[place] = None if values[place] is None else codec.pack_id(values[place])
        return tuple(value.value if isinstance(value, Enum) else value for value in values)

    def _unpack(self, columns: Sequence[Any], codec: Codec) -> RowOf:
        values = [*columns]
        for place in self._ids:
            values[place] = None if values[place] is None else codec.unpack_id(values[place])
        members = dict(zip(self.columns, values, strict=True))
        members |= {name: bool(members[name]) for name in self._flags}
        return msgspec.convert(members, self.row, builtin_types=(bytes,))
