"""Columns of connections."""

from collections.abc import Callable
from typing import Any

import msgspec

from signalpost.domain.connection import Connection, Granted, State
from signalpost.store.packing import Id
from signalpost.store.vault import Place, Vault

_encode = msgspec.json.Encoder().encode


CONNECTION_COLUMNS = (
    "number, id, tenant_id, version, deleted_at, kind, name, state, reason, created_at, updated_at, config, granted,"
    " grant_version, held_until"
)
ConnectionColumns = tuple[
    int, Id, int, int, int | None, str, str, State, str | None, int, int, bytes, bytes | None, int, int | None
]
_decode_members = msgspec.json.Decoder(dict[str, Any]).decode
_decode_granted = msgspec.json.Decoder(Granted).decode


def pack_connection(connection: Connection, vault: Vault, pack_id: Callable[[str], Id]) -> ConnectionColumns[Id]:
    """`CONNECTION_COLUMNS` of a connection, its config and what was granted sealed."""
    granted = connection.granted
    return (
        connection.number,
        pack_id(connection.id),
        connection.tenant_id,
        connection.version,
        connection.deleted_at,
        connection.kind,
        connection.name,
        connection.state,
        connection.reason,
        connection.created_at,
        connection.updated_at,
        vault.seal(
            _encode(connection.config), Place("connection", connection.tenant_id, connection.id, connection.version)
        ),
        None
        if granted is None
        else vault.seal(
            _encode(granted), Place("grant", connection.tenant_id, connection.id, connection.grant_version)
        ),
        connection.grant_version,
        connection.held_until,
    )


def unpack_connection(columns: ConnectionColumns[Id], vault: Vault, unpack_id: Callable[[Id], str]) -> Connection:
    """From `CONNECTION_COLUMNS`."""
    number, packed_id, tenant_id, version, deleted_at, kind, name, state, reason, created_at, updated_at = columns[:11]
    config, granted, grant_version, held_until = columns[11:]
    identity = unpack_id(packed_id)
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
        config=_decode_members(vault.open(config, config_place)),
        granted=None if granted is None else _decode_granted(vault.open(granted, grant_place)),
        grant_version=grant_version,
        held_until=held_until,
    )
