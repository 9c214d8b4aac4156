"""Columns of lanes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.store.lanes import EndpointHealth, LaneNow, LaneStanding
from signalpost.store.packing.sequences import unpack_sequences
from signalpost.store.row_changes import ROW_COUNT_COLUMNS

decode_gaps = msgspec.json.Decoder(list[list[int]]).decode
decode_health = msgspec.json.Decoder(EndpointHealth).decode
_encode_now, _decode_now = msgspec.json.Encoder().encode, msgspec.json.Decoder(LaneNow).decode
STANDING_COLUMNS = f"open, health, standing, {ROW_COUNT_COLUMNS}"


def pack_now(now: LaneNow) -> bytes:
    """The column `standing`."""
    return _encode_now(now)


def unpack_standing(columns: Sequence[Any], *, has_node: bool) -> LaneStanding:
    """From `STANDING_COLUMNS`."""
    packed, health, now, *counts = columns
    return LaneStanding(
        has_node=has_node,
        open=len(unpack_sequences(packed)),
        health=decode_health(health),
        counts=RowCounts(*counts),
        now=LaneNow() if now is None else _decode_now(now),
    )
