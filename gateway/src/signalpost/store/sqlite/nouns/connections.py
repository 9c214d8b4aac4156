"""What was made through connections to vendors."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from signalpost.domain.event import EventType
from signalpost.store.sqlite.codec import pack_uuid
from signalpost.store.sqlite.connect import rows
from signalpost.store.sqlite.readers import Readers, reading

_encode = msgspec.json.Encoder().encode
_decode_made = msgspec.json.Decoder(dict[str, str]).decode


class SqliteConnections:
    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @reading
    def made(
        self, connection: apsw.Connection, subscription_number: int, document_ids: Sequence[str]
    ) -> dict[str, dict[str, str]]:
        statement = "SELECT made FROM made WHERE subscription_number = ? AND document_id = ?"
        return {
            document_id: _decode_made(made)
            for document_id in document_ids
            for (made,) in rows(connection, statement, (subscription_number, pack_uuid(document_id)))
        }


def write_made(connection: apsw.Connection, subscription_number: int, made: Mapping[str, Mapping[str, str]]) -> None:
    """Keep what deliveries made, by document. Where that is an empty mapping, what was kept before is forgotten."""
    for document_id, what in made.items():
        key = (subscription_number, pack_uuid(document_id))
        if what:
            connection.execute("INSERT OR REPLACE INTO made VALUES (?, ?, ?)", (*key, _encode(what)))
        else:
            connection.execute("DELETE FROM made WHERE subscription_number = ? AND document_id = ?", key)


def forget_made(connection: apsw.Connection, tenant_id: int, end: int) -> None:
    """Remove what was made for documents that were deleted by an event below `end` and were not created again. This has
    to happen before that event itself is removed."""
    connection.execute(
        "DELETE FROM made WHERE (subscription_number, document_id) IN ("
        "SELECT m.subscription_number, m.document_id FROM event e CROSS JOIN made m ON m.document_id = e.document_id"
        " JOIN subscription s ON s.number = m.subscription_number AND s.tenant_id = e.tenant_id"
        " JOIN document d ON d.tenant_id = e.tenant_id AND d.external_id = e.document_id"
        " WHERE e.tenant_id = ? AND e.sequence < ? AND e.type = ? AND d.deleted_at IS NOT NULL)",
        (tenant_id, end, EventType.DELETED),
    )
