"""Removes what is old enough, in batches so small that other writes hardly wait."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from signalpost.domain.delivery.delivery import State
from signalpost.store.packing.lanes import decode_health
from signalpost.store.packing.sequences import pack_sequences, unpack_sequences
from signalpost.store.statements import Row

ATTEMPTS_EACH: Final = 20
"""How many attempts take as long to remove as one event does."""

ANNOUNCE: Final = "UPDATE tenant SET next_floor = $2 WHERE id = $1 AND next_floor < $2"
ENDS: Final = "SELECT floor, last_sequence FROM tenant WHERE id = $1"
MOVE_FLOOR: Final = "UPDATE tenant SET floor = $2 WHERE id = $1"
DELETED_SUBSCRIPTIONS: Final = "SELECT number FROM subscription WHERE deleted_at IS NOT NULL"
REMOVE_RETRIES: Final = "DELETE FROM retry WHERE subscription_number = $1"
REMOVE_REPLAYS: Final = "DELETE FROM replay WHERE subscription_number = $1"
_LANES: Final = (
    "SELECT s.number, s.id, l.head, l.open, l.health FROM subscription s"
    " JOIN lane l ON l.subscription_number = s.number WHERE s.tenant_id = $1"
)
_WAITING: Final = (
    "SELECT count(*) FROM delivery WHERE subscription_number = $1 AND sequence < $2"  # noqa: S608
    f" AND state IN ({State.AWAITING_RETRY:d}, {State.BLOCKED:d})"
)
_GIVE_UP: Final = "UPDATE lane SET version = version + 1, open = $2, health = $3 WHERE subscription_number = $1"
_encode = msgspec.json.Encoder().encode


async def give_up_below(
    ask: Callable[..., Awaitable[list[Row]]], unpack_id: Callable[[Any], str], tenant_id: int, floor: int
) -> dict[str, int]:
    """For a log without a node at work on it: note in each lane's health what it took in and did not deliver below
    `floor`. Returns by subscription how much each loses there, with what it never took in, which its owner finds
    missing when it starts."""
    lost = {}
    for number, identity, head, packed, health in await ask(_LANES, tenant_id):
        opened = unpack_sequences(packed)
        left = [sequence for sequence in opened if sequence >= floor]
        [(waiting,)] = await ask(_WAITING, number, floor)
        taken_in = len(opened) - len(left) + waiting
        if taken_in:
            known = decode_health(health)
            noted = _encode(replace(known, lost=known.lost + taken_in))
            await ask(_GIVE_UP, number, pack_sequences(left), noted)
        if total := taken_in + max(0, floor - 1 - head):
            lost[unpack_id(identity)] = total
    return lost


class RetentionStore(Protocol):
    """Removes old rows. Each call is one transaction, so a crash between two of them leaves nothing half removed."""

    async def announce_floor(self, tenant_id: int, floor: int) -> None:
        """Let the owners of lanes know that what is below `floor` is about to be removed; see `TenantMark`."""
        ...

    async def is_awaited(self, tenant_id: int, floor: int) -> bool:
        """Whether a lane of a tenant, as it was last recorded, has something below `floor` that is neither settled nor
        given up."""
        ...

    async def prune_log(self, tenant_id: int, floor: int, limit: int) -> int:
        """Remove at most `limit` events below `floor`, oldest first, with their attempts and exception rows. Where they
        have more than `ATTEMPTS_EACH` times as many attempts that are removed one by one, it is fewer events.

        Returns how many events were removed.
        """
        ...

    async def prune_replays(self, tenant_id: int, kept_since: int, limit: int) -> int:
        """Remove replays of a tenant that ended before `kept_since`, at most `limit` of them. Returns how many."""
        ...

    async def prepare(self, now: int, days: int) -> bool:
        """Make room for what will be written today and in the next `days` days, if the database needs that. Returns
        False if an operator has to do it, because this gateway's database user may not."""
        ...

    async def prune_leftovers(self, now: int, limit: int) -> int:
        """Remove answers to idempotent requests that have expired, secrets in answers that are shown no more, and what
        deleted subscriptions left: at most `limit` rows of each. Returns how many rows were removed or changed."""
        ...
