"""Deliveries' and replays' states as literals for SQL statements.

SQLite uses a partial index (`delivery_awaiting_retry`, `replay_running`) only if the text of a statement has the same
condition as the index, so a bound parameter would not do.
"""

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.replay import ReplayState

AWAITING_RETRY = f"{State.AWAITING_RETRY:d}"
BLOCKED = f"{State.BLOCKED:d}"
FAILED = f"{State.FAILED:d}"
WAITING = f"({AWAITING_RETRY}, {BLOCKED})"
ANY = f"({AWAITING_RETRY}, {BLOCKED}, {FAILED})"
RUNNING = f"'{ReplayState.RUNNING}'"
