"""In the end a rehearsal says of each subscription what the model says it sends, and what a change of it would send."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.checkers import Checker
from gateway.tests.world.model.wishes import Condition, Wait, Wish

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode

PERIOD = {"from": "2000-01-01T00:00:00Z"}


class Rehearsing(Checker):
    async def finished(self, node: "JointNode") -> None:
        there = [wish for wish in self.world.wishes.values() if not wish.deleted.last]
        for wish, other in zip(there, [*there[1:], *there[:1]], strict=True):
            await self._check(node, wish, {}, wish.when.last, wish.after.last, None)
            types, when, wait = other.types.last, other.when.last, other.after.last
            change = {"eventTypes": sorted(types), "when": when, "after": _body_of(wait)}
            await self._check(node, wish, change, when, wait, types)

    async def _check(
        self,
        node: "JointNode",
        wish: Wish,
        change: Mapping[str, Any],
        when: Condition,
        wait: Wait | None,
        types: frozenset[str] | None,
    ) -> None:
        """`types` are those that count for every event; None for those of each event's time."""
        answer = await node.call("POST", f"/v1/subscriptions/{wish.id}/rehearsals", {**PERIOD, "change": change})
        if answer.status != 200:
            self.fail(f"of {wish}: {answer}")
            return
        model = self.world.model
        now = [model.would_have_sent(wish, each, wish.when.last, wish.after.last, None) for each in model.log.events]
        then = [model.would_have_sent(wish, each, when, wait, types) for each in model.log.events]
        if None in now or None in then:
            return
        told, sides = answer.json, [*zip(now, then, strict=True)]
        if told["cannot"]:
            self.fail(f"of {wish}: {told['cannot']} cannot be made, such as {told['examples']['cannot'][0]}")
        expected = {
            "now": sum(map(bool, now)),
            "then": sum(map(bool, then)),
            "both": sides.count((True, True)),
            "more": sides.count((False, True)),
            "less": sides.count((True, False)),
        }
        found = {name: told[name] for name in expected}
        if found != expected:
            self.fail(f"of {wish} with {change}: {found}, not {expected}")


def _body_of(wait: Wait | None) -> Mapping[str, Any] | None:
    if wait is None:
        return None
    return {"seconds": int(wait.seconds)} | ({} if wait.still is None else {"if": wait.still})
