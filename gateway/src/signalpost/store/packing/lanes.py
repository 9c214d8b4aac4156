"""Columns of lanes, and what both databases ask of lanes alike."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store.nouns.fleet import NodeRole
from signalpost.store.nouns.lanes import EndpointHealth, LaneNow, LaneStanding
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.row_changes import ROW_COUNT_COLUMNS

_decode_gaps = msgspec.json.Decoder(tuple[tuple[int, int], ...]).decode
_decode_health = msgspec.json.Decoder(EndpointHealth).decode
_HEALTHY, _NO_ROWS, _NOTHING_NOW = EndpointHealth(), RowCounts(), LaneNow()
_encode_now, _decode_now = msgspec.json.Encoder().encode, msgspec.json.Decoder(LaneNow).decode
STANDING_COLUMNS = f"open, health, standing, {ROW_COUNT_COLUMNS}"
LANES: Final = (
    "SELECT subscription_number, version, head, open, gaps, health, delay, skip_version, owner, standing,"  # noqa: S608
    f" {ROW_COUNT_COLUMNS} FROM lane WHERE subscription_number = ANY($1::bigint[])"
)
RETRIES: Final = (
    "SELECT number, subscription_number, sequence, document_id, of_version FROM retry"
    " WHERE subscription_number = ANY($1::bigint[]) ORDER BY number"
)
STANDINGS: Final = (
    "SELECT subscription_number, EXISTS (SELECT 1 FROM node n WHERE n.id = l.owner"  # noqa: S608
    f" OR (n.role <> '{NodeRole.API}' AND NOT n.is_draining)),"
    f" CASE WHEN NOT EXISTS (SELECT 1 FROM node n WHERE n.id = l.owner) THEN head END, {STANDING_COLUMNS}"
    " FROM lane l WHERE subscription_number = ANY($1::bigint[])"
)
HEAD: Final = "SELECT head FROM lane WHERE subscription_number = $1"
RECORDED: Final = (
    "SELECT subscription_number, head, open, gaps, health FROM lane WHERE subscription_number = ANY($1::bigint[])"
    " ORDER BY subscription_number DESC"
)
"""What tells settled deliveries of a lane from others."""


def decode_gaps(packed: bytes) -> tuple[tuple[int, int], ...]:
    return () if packed == b"[]" else _decode_gaps(packed)


def decode_health(packed: bytes) -> EndpointHealth:
    """Equal ones of lanes that were never in trouble are the same object, of which there may be a hundred thousand."""
    return _HEALTHY if packed == b"{}" else _decode_health(packed)


def unpack_now(packed: bytes | None) -> LaneNow:
    """From the column `standing`."""
    return _NOTHING_NOW if packed is None else _decode_now(packed)


def unpack_counts(counts: Sequence[int]) -> RowCounts:
    """From `ROW_COUNT_COLUMNS`."""
    return RowCounts(*counts) if any(counts) else _NO_ROWS


def pack_now(now: LaneNow) -> bytes:
    """The column `standing`."""
    return _encode_now(now)


def unpack_standing(columns: Sequence[Any], *, has_node: bool, left_at: int | None) -> LaneStanding:
    """From `STANDING_COLUMNS`."""
    packed, health, now, *counts = columns
    return LaneStanding(
        has_node=has_node,
        left_at=left_at,
        open=len(unpack_sequences(packed)),
        health=decode_health(health),
        counts=unpack_counts(counts),
        now=unpack_now(now),
    )
