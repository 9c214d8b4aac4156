"""What was made through connections to vendors."""

from collections.abc import Sequence

import msgspec

from signalpost.store.postgres.columns import uuids
from signalpost.store.postgres.sessions import ReadSessions
from signalpost.store.statements import EVERY_TENANT

_decode_made = msgspec.json.Decoder(dict[str, str]).decode


class PostgresConnections:
    def __init__(self, readers: ReadSessions) -> None:
        self._readers = readers

    async def made(self, subscription_number: int, document_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found = await self._readers.rows(
            EVERY_TENANT,
            "SELECT document_id, made FROM made WHERE subscription_number = $1 AND document_id = ANY($2)",
            subscription_number,
            uuids(document_ids),
        )
        return {document_id: _decode_made(made) for document_id, made in found}
