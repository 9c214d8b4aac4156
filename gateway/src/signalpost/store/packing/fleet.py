"""Columns of nodes."""

from collections.abc import Iterable, Sequence
from typing import Any

from signalpost.store.nouns.fleet import NodeProcess, NodeShown
from signalpost.store.nouns.fleet import NodeRole as NodeRole

NODE_COLUMNS = "id, role, program, host, process, joined_at, lanes, is_draining"


def unpack_nodes(found: Iterable[Sequence[Any]], now: int) -> list[NodeShown]:
    """From `NODE_COLUMNS` and when each beat last."""
    return [
        NodeShown(
            id=number,
            role=NodeRole(role),
            program=program,
            process=NodeProcess(host, process),
            joined_at=joined_at,
            beat_at=beat_at,
            silent_for=max(0, now - beat_at),
            lanes=lanes,
            is_draining=bool(is_draining),
        )
        for number, role, program, host, process, joined_at, lanes, is_draining, beat_at in found
    ]
