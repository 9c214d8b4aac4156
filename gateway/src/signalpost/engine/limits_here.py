"""What the limits of a tenant leave to this node: its part of what the tenant may do at all nodes together."""

from collections.abc import Callable
from math import ceil, inf

from signalpost.engine.directory import Directory
from signalpost.runtime.clock import Clock
from signalpost.sharing.tenant_rates import TenantRates


class LimitsHere:
    def __init__(
        self,
        clock: Clock,
        directory: Directory,
        lease: float,
        api_nodes: Callable[[], int],
        lanes_here_of: Callable[[int], int],
    ) -> None:
        """`lease` is infinite if there can be no other node. `api_nodes` says how many nodes answer, and
        `lanes_here_of` how many lanes of a tenant this one owns."""
        self._directory = directory
        self._is_alone = lease == inf
        self._api_nodes = api_nodes
        self._lanes_here_of = lanes_here_of
        self._changes = TenantRates(clock, "change_rate", "changes of documents", self.share_of)

    def share_of(self, per_second: int) -> int:
        """This node's part of what a tenant may ask for in a second of all nodes that answer. Each may be asked once a
        second at least, so that all together may be asked a little more often than that."""
        return ceil(per_second / self._api_nodes())

    def take_change(self, tenant_id: int) -> None:
        """Count a change of a document. Raises TooMany beyond what the tenant may change in a second."""
        if (limits := self._directory.limits_of(tenant_id)) and (most := limits.changes_per_second) is not None:
            self._changes.take(tenant_id, most)

    async def import_turn(self, tenant_id: int) -> None:
        """Wait until the tenant may make one more change in this second: an import is not refused, but read more
        slowly."""
        if (limits := self._directory.limits_of(tenant_id)) and (most := limits.changes_per_second) is not None:
            await self._changes.turn(tenant_id, most)

    def in_flight_of(self, tenant_id: int) -> int | None:
        """This node's part of the attempts that a tenant may have in flight: as great as its part of the lanes."""
        limits = self._directory.limits_of(tenant_id)
        if limits is None or limits.in_flight is None:
            return None
        if self._is_alone:
            return limits.in_flight
        lanes, here = self._directory.lane_count_of(tenant_id), self._lanes_here_of(tenant_id)
        return ceil(limits.in_flight * max(1, here) / max(1, here, lanes))
