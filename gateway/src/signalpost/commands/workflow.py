"""Commands that move documents through their workflow."""

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BatchView, Decision, Stamp
from signalpost.commands.documents import DocumentCommand
from signalpost.domain.documents import document, workflow
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import ChangeCause, Origin, Step
from signalpost.domain.documents.workflow import Action, ActionInput, Workflow
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import format_timestamp
from signalpost.sharing.command_queues import Queue


class ActionTaken(Struct, frozen=True):
    """`row` is the document after the action."""

    row: DocumentRow


class NothingExpired(Struct, frozen=True):
    """Someone signed, rejected, cancelled or deleted in time."""


class _StepOfWorkflow(DocumentCommand, frozen=True, kw_only=True):
    def _moved(self, row: DocumentRow, moved: Workflow, stamp: Stamp, step: Step) -> Decision[ActionTaken]:
        """Makes an event if the step changes what the document shows. The first of two approvals does not."""
        before = document.decode(row.body)
        if moved.status == before.status:
            kept = replace(row, workflow=moved)
            return Decision(
                result=ActionTaken(kept),
                document=kept,
                origin=Origin(ChangeCause.STEP, self.caller),
                step=step,
            )
        executed_at = format_timestamp(stamp.at) if moved.status == "executed" else before.executed_at
        after = replace(before, status=moved.status, executed_at=executed_at)
        changed = document.next_row(row, after, stamp.at, moved)
        former = document.former_values(before, after)
        decision = self._changed(changed, EventType.UPDATED, ChangeCause.STEP, ActionTaken(changed), former)
        return replace(decision, step=step)


class ActOnDocument(_StepOfWorkflow, frozen=True, kw_only=True):
    """Someone reviews, approves, signs, rejects, pauses, resumes or cancels, or asks others to."""

    action: Action
    given: ActionInput

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ActionTaken]:
        row = self._found(view)
        moved = workflow.act(workflow_of(row), self.action, self.given, stamp.now)
        step = Step(
            action=self.action,
            status=moved.status,
            by=self.given.by,
            reason=self.given.reason,
            participants=self.given.people,
            expires_at=self.given.expires_at,
        )
        return self._moved(row, moved, stamp, step)


class ExpireSignatureRequest(_StepOfWorkflow, frozen=True, kw_only=True):
    """Ends a signature request whose time has come by `as_of` (µs since the epoch). If someone signed, rejected or
    cancelled before, nothing is left to do."""

    as_of: int
    queue = Queue.BACKGROUND

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ActionTaken | NothingExpired]:
        row = self._row(view)
        if row is None or row.workflow is None or (moved := workflow.expired(row.workflow, self.as_of)) is None:
            return Decision(result=NothingExpired())
        return self._moved(row, moved, stamp, Step(action=Action.EXPIRE, status=moved.status))


def workflow_of(row: DocumentRow) -> Workflow:
    """The workflow of a document that is not deleted."""
    assert row.facets is not None
    return row.workflow or Workflow(row.facets.status)
