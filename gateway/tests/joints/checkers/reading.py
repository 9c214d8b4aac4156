"""In the end the API tells of each event what the model says, and a preview shows it."""

import re
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.model import sayings
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.verdicts import Duty
from gateway.tests.world.model.wishes import Wish

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode

CODES = {
    sayings.TYPE: "type_not_wanted",
    sayings.STARTS: "subscribed_later",
    sayings.WHEN: "skipped",
    sayings.STILL: "skipped",
}
"""The code of the cause for each sentence that forbids a delivery."""
PREVIEWED = 5
"""How many of the last events are looked at in a preview."""
GAVE_WAY = re.compile(r"Not sent: event (\S+) of the same document came later and was wanted too\.")


class Reading(Checker):
    async def finished(self, node: "JointNode") -> None:
        by_id = {wish.id: wish for wish in self.world.wishes.values() if not wish.deleted.last}
        model, now = self.world.model, self.world.time.now
        for event in self.world.log.events:
            if model.is_perhaps_removed(event, now):
                continue
            page = await self.world.clients.read(node, f"/v1/deliveries?eventId={event.id}&limit=250")
            for told in page["data"]:
                clients = self.world.clients
                if not clients.shadows.told(event, told) and not clients.reads.told(event, told):
                    self._check(by_id[told["subscriptionId"]], event, told)
        for wish in by_id.values():
            for event in self.world.log.events[-PREVIEWED:]:
                await self._check_preview(node, wish, event)

    def _check(self, wish: Wish, event: LoggedEvent, told: dict[str, Any]) -> None:
        world, code = self.world, told["cause"]["code"]
        if (gave_way := GAVE_WAY.search(told["cause"]["detail"])) is not None:
            self._check_place(wish, event, gave_way[1])
        if world.model.was_asked_again(wish, event, world.time.now):
            return
        verdict = world.model.in_the_end(wish, event, world.time.now)
        attempts = world.attempts_of.get((wish.name, event.sequence), [])
        taken = [each for each in attempts if each.ok and world.is_recorded(each)]
        if verdict.duty is Duty.MUST_NOT and verdict.saying in CODES and code != CODES[verdict.saying]:
            self.fail(f"event {event.sequence} at {wish} is told to be {told['cause']}: {verdict.saying}")
        if taken and attempts[-1] is taken[-1] and code != "delivered":
            self.fail(f"event {event.sequence} at {wish} is told to be {told['cause']}, although {taken[-1]}")
        if code == "delivered" and not any(each.ok is not False for each in attempts):
            self.fail(f"event {event.sequence} at {wish} is told to be delivered, and never was")

    def _check_place(self, wish: Wish, event: LoggedEvent, later_id: str) -> None:
        """Whether the event that is said to have taken this one's place may have done that."""
        world = self.world
        later = next(each for each in world.log.events if each.id == later_id)
        if not world.model.may_give_way(wish, event, later, world.time.now):
            told = f"event {event.sequence} at {wish} is told to give way to event {later.sequence}"
            world.fail(sayings.PLACE.rule, f"{told}: {sayings.PLACE}")

    async def _check_preview(self, node: "JointNode", wish: Wish, event: LoggedEvent) -> None:
        answer = await node.call("POST", f"/v1/subscriptions/{wish.id}/preview", {"eventId": event.id})
        if answer.status != 200:
            self.world.fail("preview", f"of event {event.sequence} at {wish}: {answer}")
            return
        would = self.world.model.would_send(wish, event, self.world.time.now)
        if would is not None and answer.json["wanted"] is not would:
            self.world.fail("preview", f"of event {event.sequence} at {wish}: {answer.json}, not {would}")
