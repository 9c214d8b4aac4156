"""What is kept of attempts is what happened: nothing is charged for which no endpoint was called, and an event that its
condition refuses costs no row (`docs/guides/sizing.md`)."""

from typing import TYPE_CHECKING

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.model import sayings

from signalpost.store.sqlite.codec import unpack_uuid

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode


class Rows(Checker):
    async def finished(self, node: "JointNode") -> None:
        world = self.world
        names = {wish.id: wish for wish in world.wishes.values() if not wish.deleted.last}
        for identity, sequence, rows, charged in world.rows(
            "SELECT s.id, a.sequence, count(*), sum(a.counted AND a.failure IS NOT 'token') FROM attempt a"
            " JOIN subscription s ON s.number = a.subscription_number GROUP BY s.id, a.sequence"
        ):
            wish = names.get(unpack_uuid(identity))
            if wish is None:
                continue
            made = len(world.attempts_of.get((wish.name, sequence), []))
            if charged > made:
                world.fail("charged", f"event {sequence} at {wish} is charged {charged} attempts, and {made} were made")
            verdict = world.model.in_the_end(wish, world.log.at(sequence), world.time.now)
            if not made and verdict.saying is sayings.WHEN and rows:
                self.fail(f"event {sequence}, which the condition of {wish} refuses, has {rows} rows")
