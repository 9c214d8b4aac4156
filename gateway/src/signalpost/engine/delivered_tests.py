"""A delivered test closes the breaker of its endpoint (C16), whichever node sent it.

The node with the lane does so at once. Any other has the row of the subscription say so, which the owner of the lane
reads a moment later; if none does then, the next owner begins with a probe.
"""

from signalpost.commands.subscriptions import NoteDeliveredTest
from signalpost.domain.errors import SignalpostError
from signalpost.domain.subscription import Subscription
from signalpost.engine.committer import Committer
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lanes import Lanes
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks


class DeliveredTests:
    def __init__(self, lanes: Lanes, directory: Directory, committer: Committer, tasks: Tasks) -> None:
        self._lanes = lanes
        self._directory = directory
        self._committer = committer
        self._tasks = tasks

    def note(self, tested: Subscription) -> None:
        """Take up that a test of a subscription, or of one that is not saved yet, was delivered."""
        if self._lanes.note_delivered_test(tested):
            return
        if self._directory.subscription(tested.tenant_id, tested.id) is not None:
            self._tasks.start(self._tell_owner(tested))

    async def _tell_owner(self, tested: Subscription) -> None:
        command = NoteDeliveredTest(tenant_id=tested.tenant_id, subscription_id=tested.id, url=tested.url)
        try:
            lane = await self._lanes.views.of(tested)
            if lane.standing.health.breaker.failures:
                await self._committer.submit(command)
        except SignalpostError as error:  # it was deleted just now, or nothing can be committed
            log.warning("a delivered test could not be told", subscription=tested.id, error=str(error))
