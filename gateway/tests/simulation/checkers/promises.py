"""What a client was told is so: a change that was answered 2xx is in the log, one that was refused is not, and one
whose answer was "unknown" is there once or not at all. A repeat under its key makes nothing twice."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import CallStatus, ClientCall, Entry

from signalpost.api.http.response import Response
from signalpost.domain.errors import CallerError, Unavailable
from signalpost.domain.event import EventType

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess

_TYPES = {"create": {EventType.CREATED}, "patch": {EventType.UPDATED}, "reuse": {EventType.UPDATED},
          "import": {EventType.CREATED, EventType.UPDATED}, "delete": {EventType.DELETED}}  # fmt: skip


class Promises(Checker):
    def answered(self, call: ClientCall) -> None:
        refused = isinstance(call.error, CallerError | Unavailable) or call.kind == "poison"
        if call.error is not None and not refused:
            self.fail(f"{call} met a defect: {call.error!r}")
        if call.must_be_refused and call.status is CallStatus.DONE:
            self.fail(f"{call} had the key of another call, and was answered 2xx")
        if call.kind == "poison" and call.status is CallStatus.DONE:
            self.fail(f"{call} was answered 2xx")
        if call.status is CallStatus.DONE and call.kind == "patch nothing" and call.event_id is not None:
            self.fail("a patch that changed nothing made an event")

    def started(self, process: "SimulatedProcess") -> None:
        """Whatever happened before, what was answered is there."""
        self._check(process)

    def finished(self, process: "SimulatedProcess") -> None:
        self._check(process)
        deletions: dict[str, int] = {}
        by_title: dict[str, list[Entry]] = {}
        for tenant in self.world.tenants:
            for entry in self.world.entries[tenant]:
                if entry.type == EventType.DELETED:
                    deletions[entry.document_id] = deletions.get(entry.document_id, 0) + 1
                else:
                    by_title.setdefault(entry.title, []).append(entry)
        for call in self.world.calls:
            if call.kind == "delete":
                assert call.command.reads.document is not None
                _, document = call.command.reads.document
                deletions[document] = deletions.get(document, 0) - (
                    call.status in (CallStatus.DONE, CallStatus.UNKNOWN)
                )
                continue
            found = by_title.pop(call.marker, []) if call.marker else []
            if len(found) > 1:
                self.fail(f"{call} made {len(found)} events: {found}")
            if found and (call.status is CallStatus.REFUSED or call.status is CallStatus.NOTHING):
                self.fail(f"{call} was told that nothing was changed ({call.error!r}), and made {found}")
            if found and call.status is CallStatus.DONE and call.event_id != found[0].id:
                self.fail(f"{call} was told of event {call.event_id}, and made {found}")
        if by_title:
            self.fail(f"events that nobody asked for: {list(by_title.values())}")
        if any(count > 0 for count in deletions.values()):
            self.fail(f"more deletions than asked for: {deletions}")

    def _check(self, process: "SimulatedProcess") -> None:
        for tenant in self.world.tenants:
            self.world.read_log(process, tenant)
        by_id = {entry.id: entry for tenant in self.world.tenants for entry in self.world.entries[tenant]}
        for call in self.world.calls:
            if call.event_id is None:
                continue
            assert isinstance(call.answer, Response)
            entry = by_id.get(call.event_id)
            if entry is None:
                self.fail(f"{call} was answered {call.answer.status}, and its event is lost")
            elif (
                EventType(entry.type) not in _TYPES[call.kind]
                or call.command.reads.document != (call.tenant, entry.document_id)
                or (call.kind != "delete" and entry.title != call.marker)
            ):
                self.fail(f"{call} was told of another's event: {entry}")
