"""Connections to vendors, sealed by the vault, and what was made through them."""

from collections.abc import Sequence

import msgspec

from signalpost.domain.connection import Connection
from signalpost.store.postgres.columns import uuids
from signalpost.store.postgres.data_keys import PostgresDataKeys
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.postgres.tables import codec_with
from signalpost.store.statements import EVERY_TENANT, Row, bound
from signalpost.store.tables.connections import CONNECTION
from signalpost.store.vault import Vault

_decode_made = msgspec.json.Decoder(dict[str, str]).decode


class PostgresConnections:
    def __init__(self, readers: ReadSessions, data_keys: PostgresDataKeys, vault: Vault) -> None:
        self._readers = readers
        self._data_keys = data_keys
        self._codec = codec_with(vault)

    async def live(self) -> list[Connection]:
        statement = f"SELECT {CONNECTION.listed} FROM connection WHERE deleted_at IS NULL ORDER BY number"
        return await self._opened(await self._readers.rows(EVERY_TENANT, statement))

    async def page(self, tenant_id: int, below: int | None, limit: int) -> list[Connection]:
        statement = (
            f"SELECT {CONNECTION.listed} FROM connection WHERE tenant_id = $1 AND number < $2"
            " AND deleted_at IS NULL ORDER BY number DESC LIMIT $3"
        )
        return await self._opened(await self._readers.rows(tenant_id, statement, tenant_id, bound(below), limit))

    async def made(self, subscription_number: int, document_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found = await self._readers.rows(
            EVERY_TENANT,
            "SELECT document_id, made FROM made WHERE subscription_number = $1 AND document_id = ANY($2)",
            subscription_number,
            uuids(document_ids),
        )
        return {document_id: _decode_made(made) for document_id, made in found}

    async def _opened(self, found: list[Row]) -> list[Connection]:
        await self._data_keys.learn(columns[place] for columns in found for place in CONNECTION.sealed)
        return [CONNECTION.unpack(columns, self._codec) for columns in found]
