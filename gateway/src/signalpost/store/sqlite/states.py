"""States as statements name them.

They are literals because SQLite uses an index of some rows alone (`delivery_parked`, `replay_running`) only where the
text of a statement says what the index says.
"""

from signalpost.domain.delivery.delivery import State
from signalpost.domain.delivery.replay import ReplayState

AWAITING_RETRY = f"{State.AWAITING_RETRY:d}"
BLOCKED = f"{State.BLOCKED:d}"
FAILED = f"{State.FAILED:d}"
WAITING = f"({AWAITING_RETRY}, {BLOCKED})"
ANY = f"({AWAITING_RETRY}, {BLOCKED}, {FAILED})"
RUNNING = f"'{ReplayState.RUNNING}'"
