"""What a client was told is so: a change that was answered 2xx is in the log, one that was refused is not, and one
whose answer was "unknown" is there once or not at all. A repeat under its key makes nothing twice."""

from typing import TYPE_CHECKING

from gateway.tests.simulation.checkers import Checker
from gateway.tests.simulation.history import Asked, Entry, Told

from signalpost.commands.overlay import Answer
from signalpost.domain.errors import CallerError, Unavailable
from signalpost.domain.event import EventType

if TYPE_CHECKING:
    from gateway.tests.simulation.life import Life

_TYPES = {"create": {EventType.CREATED}, "patch": {EventType.UPDATED}, "reuse": {EventType.UPDATED},
          "import": {EventType.CREATED, EventType.UPDATED}, "delete": {EventType.DELETED}}  # fmt: skip


class Promises(Checker):
    def told(self, asked: Asked) -> None:
        refused = isinstance(asked.error, CallerError | Unavailable) or asked.kind == "poison"
        if asked.error is not None and not refused:
            self.fail(f"{asked} met a defect: {asked.error!r}")
        if asked.must_be_refused and asked.told is Told.DONE:
            self.fail(f"{asked} had the key of another call, and was answered 2xx")
        if asked.kind == "poison" and asked.told is Told.DONE:
            self.fail(f"{asked} was answered 2xx")
        if asked.told is Told.DONE and asked.kind == "patch nothing" and asked.event_id is not None:
            self.fail("a patch that changed nothing made an event")

    def began(self, life: "Life") -> None:
        """Whatever happened before, what was answered is there."""
        self._check(life)

    def finished(self, life: "Life") -> None:
        self._check(life)
        deletions: dict[str, int] = {}
        by_title: dict[str, list[Entry]] = {}
        for tenant in self.world.tenants:
            for entry in self.world.entries[tenant]:
                if entry.type == EventType.DELETED:
                    deletions[entry.document_id] = deletions.get(entry.document_id, 0) + 1
                else:
                    by_title.setdefault(entry.title, []).append(entry)
        for asked in self.world.calls:
            if asked.kind == "delete":
                document = asked.command.document_id or ""
                deletions[document] = deletions.get(document, 0) - (asked.told in (Told.DONE, Told.UNKNOWN))
                continue
            found = by_title.pop(asked.marker, []) if asked.marker else []
            if len(found) > 1:
                self.fail(f"{asked} made {len(found)} events: {found}")
            if found and (asked.told is Told.REFUSED or asked.told is Told.NOTHING):
                self.fail(f"{asked} was told that nothing was changed ({asked.error!r}), and made {found}")
            if found and asked.told is Told.DONE and asked.event_id != found[0].id:
                self.fail(f"{asked} was told of event {asked.event_id}, and made {found}")
        if by_title:
            self.fail(f"events that nobody asked for: {list(by_title.values())}")
        if any(count > 0 for count in deletions.values()):
            self.fail(f"more deletions than asked for: {deletions}")

    def _check(self, life: "Life") -> None:
        for tenant in self.world.tenants:
            self.world.read_log(life, tenant)
        by_id = {entry.id: entry for tenant in self.world.tenants for entry in self.world.entries[tenant]}
        for asked in self.world.calls:
            if asked.event_id is None:
                continue
            assert isinstance(asked.answer, Answer)
            entry = by_id.get(asked.event_id)
            if entry is None:
                self.fail(f"{asked} was answered {asked.answer.status}, and its event is lost")
            elif (
                EventType(entry.type) not in _TYPES[asked.kind]
                or entry.document_id != asked.command.document_id
                or (asked.kind != "delete" and entry.title != asked.marker)
            ):
                self.fail(f"{asked} was told of another's event: {entry}")
