"""The table of what contacts were told. A row that says nothing any more is removed as it is written."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from signalpost.domain.operations.correspondence import Correspondence, Knowledge
from signalpost.store.tables.table import Codec, Kind, Table

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Knowledge]).decode


def _pack(row: Correspondence, codec: Codec) -> tuple[Any, ...]:
    return (
        row.number, codec.pack_id(row.id), row.tenant_id, row.opened_at, row.begun_at, row.told_at, _encode(row.known),
        row.closed_at,
    )  # fmt: skip


def _unpack(columns: Sequence[Any], codec: Codec) -> Correspondence:
    number, packed_id, tenant_id, opened_at, begun_at, told_at, known, closed_at = columns
    return Correspondence(
        number=number,
        id=codec.unpack_id(packed_id),
        tenant_id=tenant_id,
        opened_at=opened_at,
        begun_at=begun_at,
        told_at=told_at,
        known=_decode(known),
        closed_at=closed_at,
    )


CORRESPONDENCE: Final = Table(
    "correspondence",
    Correspondence,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "opened_at": Kind.NUMBER,
        "begun_at": Kind.NUMBER,
        "told_at": Kind.NUMBER,
        "known": Kind.BLOB,
        "closed_at": Kind.NUMBER,
    },
    changing=["begun_at", "told_at", "known", "closed_at"],
    goes_after="closed_at",
    pack=_pack,
    unpack=_unpack,
)
