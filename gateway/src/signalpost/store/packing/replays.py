"""Columns of replays."""

from collections.abc import Callable, Sequence
from typing import Any

from signalpost.domain.delivery.replay import Replay, ReplayState
from signalpost.store.packing import Id

REPLAY_COLUMNS = (
    "number, id, tenant_id, subscription_number, what, from_at, to_at, from_sequence, to_sequence, count,"
    " count_is_capped, created_at, cursor, queued, state, finished_at, types, document_id, created_by,"
    " delivered, failed, skipped"
)


def pack_replay(replay: Replay, pack_id: Callable[[str], Id]) -> tuple[Any, ...]:
    """`REPLAY_COLUMNS` of a replay."""
    return (
        replay.number, pack_id(replay.id), replay.tenant_id, replay.subscription_number, replay.what, replay.from_at,
        replay.to_at, replay.from_sequence, replay.to_sequence, replay.count, replay.count_is_capped, replay.created_at,
        replay.cursor, replay.queued, str(replay.state), replay.finished_at,
        replay.types, None if replay.document_id is None else pack_id(replay.document_id), replay.created_by,
        replay.delivered, replay.failed, replay.skipped,
    )  # fmt: skip


def unpack_replay(columns: Sequence[Any], unpack_id: Callable[[Id], str]) -> Replay:
    """From `REPLAY_COLUMNS`, which are in the order of the members of `Replay`."""
    values = dict(zip(Replay.__struct_fields__, columns, strict=True))
    values |= {
        "id": unpack_id(values["id"]),
        "count_is_capped": bool(values["count_is_capped"]),
        "state": ReplayState(values["state"]),
        "document_id": None if values["document_id"] is None else unpack_id(values["document_id"]),
    }
    return Replay(**values)
