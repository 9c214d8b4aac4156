"""The table of connections. Config and what was granted are sealed."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from signalpost.domain.connection import Connection, Granted
from signalpost.store.tables.table import Codec, EndValue, Kind, Table
from signalpost.store.vault import Place

_encode = msgspec.json.Encoder().encode

_decode_members = msgspec.json.Decoder(dict[str, Any]).decode
_decode_granted = msgspec.json.Decoder(Granted).decode


def _pack(connection: Connection, codec: Codec) -> tuple[Any, ...]:
    granted = connection.granted
    return (
        connection.number,
        codec.pack_id(connection.id),
        connection.tenant_id,
        connection.version,
        connection.deleted_at,
        connection.kind,
        connection.name,
        connection.state,
        connection.reason,
        connection.created_at,
        connection.updated_at,
        codec.seal(
            _encode(connection.config), Place("connection", connection.tenant_id, connection.id, connection.version)
        ),
        None
        if granted is None
        else codec.seal(
            _encode(granted), Place("grant", connection.tenant_id, connection.id, connection.grant_version)
        ),
        connection.grant_version,
        connection.held_until,
    )


def _unpack(columns: Sequence[Any], codec: Codec) -> Connection:
    number, packed_id, tenant_id, version, deleted_at, kind, name, state, reason, created_at, updated_at = columns[:11]
    config, granted, grant_version, held_until = columns[11:]
    identity = codec.unpack_id(packed_id)
    config_place = Place("connection", tenant_id, identity, version)
    grant_place = Place("grant", tenant_id, identity, grant_version)
    return Connection(
        number=number,
        id=identity,
        tenant_id=tenant_id,
        version=version,
        deleted_at=deleted_at,
        kind=kind,
        name=name,
        state=state,
        reason=reason,
        created_at=created_at,
        updated_at=updated_at,
        config=_decode_members(codec.open(config, config_place)),
        granted=None if granted is None else _decode_granted(codec.open(granted, grant_place)),
        grant_version=grant_version,
        held_until=held_until,
    )


CONNECTION: Final = Table(
    "connection",
    Connection,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "version": Kind.NUMBER,
        "deleted_at": Kind.NUMBER,
        "kind": Kind.TEXT,
        "name": Kind.TEXT,
        "state": Kind.TEXT,
        "reason": Kind.TEXT,
        "created_at": Kind.NUMBER,
        "updated_at": Kind.NUMBER,
        "config": Kind.BLOB,
        "granted": Kind.BLOB,
        "grant_version": Kind.NUMBER,
        "held_until": Kind.NUMBER,
    },
    changing=(
        *("version", "deleted_at", "name", "state", "reason", "updated_at", "config", "granted", "grant_version"),
        "held_until",
    ),
    there="deleted_at IS NULL",
    sealed=["config", "granted"],
    ended={"deleted_at": EndValue.THEN, "name": "", "reason": None, "config": b"", "granted": None},
    pack=_pack,
    unpack=_unpack,
)
