"""The table of replays. Only its lane writes how far one has come."""

from typing import Final

from signalpost.domain.delivery.replay import Replay
from signalpost.store.tables.table import FoundBy, Kind, Table

_RUNNING_OF = "state = 'running' AND subscription_number IN (SELECT number FROM subscription WHERE id = {})"

REPLAY: Final = Table(
    "replay",
    Replay,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "subscription_number": Kind.NUMBER,
        "what": Kind.TEXT,
        "from_at": Kind.NUMBER,
        "to_at": Kind.NUMBER,
        "from_sequence": Kind.NUMBER,
        "to_sequence": Kind.NUMBER,
        "count": Kind.NUMBER,
        "count_is_capped": Kind.FLAG,
        "created_at": Kind.NUMBER,
        "cursor": Kind.NUMBER,
        "queued": Kind.NUMBER,
        "state": Kind.TEXT,
        "finished_at": Kind.NUMBER,
        "types": Kind.NUMBER,
        "document_id": Kind.UUID,
        "created_by": Kind.TEXT,
        "delivered": Kind.NUMBER,
        "failed": Kind.NUMBER,
        "skipped": Kind.NUMBER,
    },
    changing=["state", "finished_at"],
    found_by={"running of": FoundBy(_RUNNING_OF)},
    ended={},
)
