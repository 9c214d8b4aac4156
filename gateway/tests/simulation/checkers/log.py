"""A tenant's log is numbered 1, 2, 3 … in the order of the commits, `createdAt` strictly increases with the number, ids
are made of it, and no entry ever changes (C1, C2, C5). The world itself looks for gaps as it reads the log."""

import json
from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import CallStatus, Entry

from signalpost.domain.event import EventType
from signalpost.domain.timestamps import format_timestamp

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess


class Log(Checker):
    def started(self, process: "SimulatedProcess") -> None:
        self._check_unchanged(process)

    def finished(self, process: "SimulatedProcess") -> None:
        self._check_unchanged(process)
        for tenant in self.world.tenants:
            entries = self.world.entries[tenant]
            self._check_events(entries)
            self._check_documents(entries)
            self._check_order(tenant)
            self._check_retention(tenant)

    def _check_unchanged(self, process: "SimulatedProcess") -> None:
        for tenant in self.world.tenants:
            floor = self.world.floor[tenant]
            known = self.world.entries[tenant][floor - 1 :]
            found = process.log(tenant, 0)
            for entry, event in zip(known, found, strict=False):
                if (entry.sequence, entry.id, entry.body) != (event.sequence, event.id, event.body):
                    self.fail(f"{entry} was seen, and is now {event.sequence} {event.id}")
                    return
            if len(found) < len(known):
                self.fail(f"{known[len(found)]} was seen, and is gone")

    def _check_retention(self, tenant: int) -> None:
        """Only what is old enough is gone."""
        for entry in self.world.entries[tenant][: self.world.floor[tenant] - 1]:
            if self.world.is_kept(entry):
                self.fail(f"{entry} was removed before its time")

    def _check_events(self, entries: list[Entry]) -> None:
        last_at = 0
        for entry in entries:
            if entry.at <= last_at:
                self.fail(f"createdAt does not increase at {entry}")
            last_at = entry.at
            event = json.loads(entry.body)
            if list(event) != ["id", "type", "createdAt", "data"] or event["id"] != entry.id:
                self.fail(f"another form: {entry.body!r}")
            if event["createdAt"] != format_timestamp(entry.at) or event["type"] != EventType(entry.type).wire:
                self.fail(f"{entry} says otherwise in its body: {entry.body!r}")
            if int(entry.id.replace("-", "")[:12], 16) != entry.at // 1000 or entry.id[14] != "7":
                self.fail(f"the id of {entry} is not a UUIDv7 of its createdAt")

    def _check_documents(self, entries: list[Entry]) -> None:
        """Created, then updated, then deleted; and from the start once it is brought back."""
        live: set[str] = set()
        for entry in entries:
            if (entry.type == EventType.CREATED) == (entry.document_id in live):
                self.fail(f"{entry} of a document that {'is' if entry.document_id in live else 'is not'} there")
            if entry.type == EventType.DELETED:
                live.discard(entry.document_id)
            else:
                live.add(entry.document_id)

    def _check_order(self, tenant: int) -> None:
        """Nothing that was answered before another thing was asked comes after it."""
        by_id = {call.event_id: call for call in self.world.calls if call.status is CallStatus.DONE}
        latest, after = 0.0, None
        for entry in self.world.entries[tenant]:
            call = by_id.get(entry.id)
            if call is None:
                continue
            if call.answered_at < latest:
                self.fail(f"{entry} was answered before {after} was asked for, and comes after it")
                return
            if call.first_at > latest:
                latest, after = call.first_at, entry
