"""What is wrong with nodes, and with the gateway as a whole."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.delivery.attention import CERTIFICATE_ENDS_NOW, CERTIFICATE_SOON
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.operations.kinds import Severity
from signalpost.domain.timestamps import DAY, HOUR, MINUTE, SECOND, readable
from signalpost.engine.directory import Directory
from signalpost.engine.fleet.lane_owner import LaneOwner, NodeLoss
from signalpost.engine.maintenance.audit_end import AuditEnd
from signalpost.engine.maintenance.disk_reserve import MB, DiskReserve
from signalpost.engine.maintenance.preparation import Preparation
from signalpost.store.nouns.fleet import FleetStore, NodeShown
from signalpost.store.store import Store

KEY_ENDS_SOON: Final = 14 * DAY
BACKUP_IS_OLD: Final = 26 * HOUR
LOW_FROM: Final = 2
"""The disk is low once less than so many times its reserve is free."""
LOST_FOR: Final = 10 * MINUTE
"""How long the loss of a node is a fact: longer than a notice waits for the one before it."""
BACK_WITHIN: Final = 2 * MINUTE
"""Within this time another node starts on the machine of one that was lost, or people are told."""
ENDS_SOON: Final = HOUR
"""A node that is lost within this time of its start may end again and again: people are told though another started."""
SIZE_EVERY: Final = MINUTE
GATEWAY: Final = "the gateway"


class NodeFacts:
    """About this node's disk, and about nodes that it found dead."""

    kinds: Final = frozenset({"diskLow", "refusesDocuments", "nodeLost"})

    def __init__(
        self, disk: DiskReserve, lane_owner: LaneOwner, fleet: FleetStore, host: str, is_first: Callable[[], bool]
    ) -> None:
        self._disk = disk
        self._lane_owner = lane_owner
        self._fleet = fleet
        self._host = host or GATEWAY
        self._is_first = is_first
        self._hosts: frozenset[str] | None = None
        """The machines that have a node, known to the node that tells what is no node's own."""
        self._looked_at = 0

    def sees(self, condition: ConditionRow) -> bool:
        """A node sees its own machine, the first one also those without a node, such as a container that was replaced.
        Some nodes only know of a loss, and they may be lost, too; that it was some time ago, every node knows."""
        if condition.kind == "nodeLost":
            return self._looked_at >= condition.since + LOST_FOR
        if condition.subject == self._host:
            return True
        return self._hosts is not None and condition.subject not in self._hosts

    async def facts(self, now: int) -> list[Fact]:
        self._looked_at = now
        losses = [loss for loss in self._lane_owner.lost.values() if now < loss.found_at + LOST_FOR]
        nodes = await self._fleet.nodes() if losses or self._is_first() else []
        self._hosts = frozenset(node.process.host or GATEWAY for node in nodes) if self._is_first() else None
        return [*self._of_disk(now), *_of_lost(losses, nodes, now)]

    def _of_disk(self, now: int) -> Iterator[Fact]:
        disk = self._disk
        if not disk.reserve or disk.free >= LOW_FROM * disk.reserve:
            return
        for kind in ("diskLow",) if disk.is_kept else ("diskLow", "refusesDocuments"):
            yield Fact(
                kind=kind,
                tenant_id=OPERATIONS_TENANT,
                subject=self._host,
                name=self._host,
                since=now,
                detail=f"{disk.free // MB:,} MB are free, and DISK_RESERVE_MB keeps {disk.reserve // MB:,}.",
            )


def _of_lost(losses: Iterable[NodeLoss], nodes: Sequence[NodeShown], now: int) -> Iterator[Fact]:
    """About machines whose node was lost, unless another one started there at once: the lanes are taken over by then,
    and nothing is left to do."""
    for lost, found_at in losses:
        host = lost.process.host
        is_back = any(node.process.host == host and node.joined_at > lost.beat_at for node in nodes)
        if lost.beat_at + lost.silent_for < lost.joined_at + ENDS_SOON:
            why = "It had run for less than an hour."
        elif not is_back and now >= found_at + BACK_WITHIN:
            why = "None has started there since."
        else:
            continue
        machine = host or GATEWAY
        yield Fact(
            kind="nodeLost",
            tenant_id=OPERATIONS_TENANT,
            subject=machine,
            name=machine,
            since=found_at,
            detail=f"The beats of node {lost.id} stopped before {readable(found_at)}. {why}",
        )


class FleetFacts:
    """What one node sees to for all."""

    kinds: Final = frozenset({"keyExpiring", "backupOld"})

    def __init__(self, store: Store, directory: Directory, is_first: Callable[[], bool]) -> None:
        self._store = store
        self._directory = directory
        self._is_first = is_first
        self._backed_up_at: int | None = None
        self._asked_at = 0

    def sees(self, condition: ConditionRow) -> bool:
        return self._is_first()

    async def facts(self, now: int) -> list[Fact]:
        return [*self._of_keys(now), *await self._of_backup(now)] if self._is_first() else []

    def _of_keys(self, now: int) -> Iterator[Fact]:
        for key in self._directory.all_keys():
            ends = key.expires_at
            if key.revoked_at is None and ends is not None and ends - KEY_ENDS_SOON <= now < ends:
                yield Fact(
                    kind="keyExpiring",
                    tenant_id=key.tenant_id,
                    subject=key.id,
                    name=key.name,
                    since=ends - KEY_ENDS_SOON,
                    detail=f"It ends at {readable(ends)}.",
                )

    async def _of_backup(self, now: int) -> list[Fact]:
        """A backup that was never made is nothing that `db backup` knows of: others may make it."""
        if now >= self._asked_at + SIZE_EVERY:
            self._backed_up_at, self._asked_at = (await self._store.size()).backed_up_at, now
        at = self._backed_up_at
        if at is None or now < at + BACKUP_IS_OLD:
            return []
        return [about_gateway("backupOld", at, f"It was made at {readable(at)}.")]


class PartitionFacts:
    """Known to the node that makes partitions ahead."""

    kinds: Final = frozenset({"partitionsMissing"})

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    def sees(self, condition: ConditionRow) -> bool:
        return self._preparation.lacks_since is not None

    async def facts(self, now: int) -> list[Fact]:
        since = self._preparation.lacks_since
        return [about_gateway("partitionsMissing", since)] if since else []


class AuditFacts:
    """About the end of the audit that this node keeps in its data directory."""

    kinds: Final = frozenset({"auditBroken"})

    def __init__(self, end: AuditEnd, host: str) -> None:
        self._end = end
        self._host = host

    def sees(self, condition: ConditionRow) -> bool:
        return condition.subject == self._host

    async def facts(self, now: int) -> list[Fact]:
        if not self._end.is_missed:
            return []
        host = self._host
        return [Fact(kind="auditBroken", tenant_id=OPERATIONS_TENANT, subject=host, name=host, since=now)]


class CertificateFacts:
    """About the certificate with which this machine's gateway speaks TLS."""

    kinds: Final = frozenset({"gatewayCertificateExpiring"})

    def __init__(self, ends: Callable[[], float], host: str, executor: Executor) -> None:
        """`ends` tells when it ends, seconds since the epoch; it reads files, so the `executor` calls it."""
        self._ends = ends
        self._host = host
        self._executor = executor

    def sees(self, condition: ConditionRow) -> bool:
        return condition.subject == self._host

    async def facts(self, now: int) -> list[Fact]:
        ends = round(await asyncio.get_running_loop().run_in_executor(self._executor, self._ends)) * SECOND
        if now < ends - CERTIFICATE_SOON:
            return []
        return [
            Fact(
                kind="gatewayCertificateExpiring",
                tenant_id=OPERATIONS_TENANT,
                subject=self._host,
                name=self._host,
                since=ends - CERTIFICATE_SOON,
                detail=f"It ends at {readable(ends)}.",
                severity=Severity.CRITICAL if now >= ends - CERTIFICATE_ENDS_NOW else None,
            )
        ]


def about_gateway(kind: str, since: int, detail: str = "") -> Fact:
    """A fact about the gateway as a whole."""
    return Fact(kind=kind, tenant_id=OPERATIONS_TENANT, subject=GATEWAY, name=GATEWAY, since=since, detail=detail)
