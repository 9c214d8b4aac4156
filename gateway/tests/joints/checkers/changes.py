"""Each change makes of a document what was asked for, and an event if anything changed."""

from typing import TYPE_CHECKING

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.documents import Subject
from gateway.tests.joints.history import ClientCall
from gateway.tests.world.model import sayings
from gateway.tests.world.model.documents import is_same, patched

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode


class Changes(Checker):
    def answered(self, asked: ClientCall) -> None:
        subject = asked.about
        if not isinstance(subject, Subject) or not asked.is_done or asked.method != "PATCH":
            return
        events = self.world.log.of(subject.id)
        made = next((each for each in events if each.id == asked.event_id), None)
        if made is None:
            if not is_same(patched(events[-1].document, asked.body), events[-1].document):
                self.fail(f"{asked} made no event: {sayings.UNCHANGED}")
        elif made.before is None or not is_same(patched(made.before, asked.body), made.document):
            self.fail(f"{asked} made {made.document} of {made.before}")
        elif is_same(made.before, made.document):
            self.fail(f"{asked} made an event, and changed nothing: {sayings.UNCHANGED}")

    async def finished(self, node: "JointNode") -> None:
        for subject in self.world.clients.documents.all:
            if subject.is_imported:
                found = await self.world.clients.read(node, f"/v1/documents/{subject.id}")
                title, expected = None if found is None else found["title"], subject.versioned.title
                if title != expected:
                    self.world.fail(
                        "versions",
                        f"{subject.word} is {title!r}, not {expected!r} of version {subject.versioned.version}",
                    )
