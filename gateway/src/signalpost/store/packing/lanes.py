"""Columns of lanes, and what both databases ask of lanes alike."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from signalpost.commands.command import RequestedRetry
from signalpost.domain.delivery.exception_row import Row, RowCounts
from signalpost.domain.delivery.reading import ReadLane
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.lanes import EndpointHealth, LaneNow, LaneRow, LaneStanding
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


def unpack_counts(columns: Sequence[Any]) -> RowCounts:
    """From `ROW_COUNT_COLUMNS`, which are the last of these columns."""
    counts = columns[-3:]
    return RowCounts(*counts) if any(counts) else _NO_ROWS


def pack_now(now: LaneNow) -> bytes:
    """The column `standing`."""
    return _encode_now(now)


def unpack_lane(
    columns: Sequence[Any],
    open_deliveries: Iterable[tuple[int, str]],
    rows: Iterable[Row],
    horizon: int | None,
    retries: Iterable[RequestedRetry],
    replays: Iterable[Replay],
) -> LaneRow:
    """A lane, from the columns of `LANES` and what other tables have of it."""
    _, version, head, _, gaps, health, delay, skip_version, owner, standing, *_ = columns
    return LaneRow(
        version=version,
        head=head,
        open=tuple(open_deliveries),
        gaps=decode_gaps(gaps),
        health=decode_health(health),
        rows=tuple(rows),
        horizon=horizon,
        counts=unpack_counts(columns),
        delay=delay,
        skip_version=skip_version,
        retries=tuple(retries),
        replays=tuple(replays),
        owner=owner,
        now=unpack_now(standing),
    )


def unpack_standing(
    subscription: Subscription, columns: Sequence[Any], *, has_node: bool, left_at: int | None
) -> LaneStanding:
    """From `STANDING_COLUMNS`."""
    packed, health, now, *_ = columns
    opened: Sequence[int] = unpack_sequences(packed)
    if subscription.is_read:
        opened = ReadLane.recorded(left_at or 0, opened, subscription.skip_to).open
    return LaneStanding(
        has_node=has_node,
        left_at=left_at,
        open=len(opened),
        health=decode_health(health),
        counts=unpack_counts(columns),
        now=unpack_now(now),
    )
