"""Owners who rotate the secret of a subscription that is read, and readers who come with its old key or its new one.

What is drawn for them has randomness of its own, so that the world of a seed without them is what it was."""

from collections.abc import Iterator
from math import inf
from random import Random
from typing import TYPE_CHECKING

from gateway.tests.answer import Answer
from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import HOUR, MINUTE
from gateway.tests.world.model import sayings
from gateway.tests.world.model.wishes import Secrets, Wish

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

UNAUTHORISED = 401
UNKNOWN = "not known yet"
"""Stands for a secret that the gateway makes until it has said it."""
CLOCK = 1.0
"""The seconds by which the end of an overlap may be off."""


class ReaderSecrets:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"readers' secrets {clients.world.seed}")
        drawn, wanted = self._random.choice((0.0, 0.2)), clients.world.plan.rotations
        self._often = drawn if wanted is None else wanted
        """How likely one is rotated whenever something is done with a subscription that is read."""
        self._keys: dict[Wish, dict[str, str]] = {}
        """The key of each secret."""

    # --- What owners do -----------------------------------------------------------------------------------------------

    def learn(self, wish: Wish, secret: str, key: str) -> None:
        """The gateway says a secret, and the key that it makes."""
        self._keys.setdefault(wish, {})[secret] = key

    async def act(self, node: JointNode, wishes: list[Wish]) -> bool:
        """Rotate the secret of one of these, or end a rotation, if it is time for that."""
        if not wishes or self._random.random() >= self._often:
            return False
        wish = self._random.choice(wishes)
        if wish.secrets.last.next is not None and self._random.random() < 0.5:
            await self._promote(node, wish)
        else:
            await self._rotate(node, wish)
        return True

    async def _rotate(self, node: JointNode, wish: Wish) -> None:
        before, hours, now = wish.secrets.last, self._random.choice((0, 1, 1, 24)), self._world.time.now
        current, lasts = before.current if before.next is None or now < before.until else before.next, hours * HOUR
        change = wish.secrets.begin(Secrets(current, UNKNOWN, now + lasts) if hours else Secrets(UNKNOWN), now)

        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None
            if not asked.is_done:
                if not wish.deleted.last and (before.next is None or now > before.at_last + MINUTE):
                    self._world.fail(sayings.READERS_KEY.rule, f"{asked}, although no rotation is under way")
                wish.forget(change)
                return
            made, change.done = asked.answer.json["secret"], asked.done_at
            change.value = Secrets(current, made, now + lasts, asked.done_at + lasts) if hours else Secrets(made)
            self.learn(wish, made, asked.answer.json["readerKey"])

        path, body = f"/v1/subscriptions/{wish.id}/secret/rotate", {"overlapHours": hours}
        what = f"rotate {wish} {hours} h"
        await self._clients.ask(node, ClientCall(what, "POST", path, body, about=wish, on_done=learn))

    async def _promote(self, node: JointNode, wish: Wish) -> None:
        before = wish.secrets.last
        assert before.next is not None
        change = wish.secrets.begin(Secrets(before.next), self._world.time.now)

        def settle(asked: ClientCall) -> None:
            if asked.is_done:
                change.done = asked.done_at
            else:
                wish.forget(change)

        path = f"/v1/subscriptions/{wish.id}/secret/promote"
        await self._clients.ask(node, ClientCall(f"promote {wish}", "POST", path, about=wish, on_done=settle))

    # --- What readers do ----------------------------------------------------------------------------------------------

    def key(self, wish: Wish) -> str:
        """One of the keys that a reader knows, most often the newest."""
        keys = [*self._keys[wish].values()]
        return keys[-1] if len(keys) == 1 or self._random.random() < 0.7 else self._random.choice(keys)

    def newest_key(self, wish: Wish) -> str:
        return [*self._keys[wish].values()][-1]

    def check(self, wish: Wish, key: str, begun: float, answer: Answer) -> bool:
        """Hold the answer to a reader with this key against what is known of its secret. Returns whether it was
        refused, and rightly."""
        now, slack = self._world.time.now, self._world.model.slack.told
        secret = next(each for each, of in self._keys[wish].items() if of == key)
        opens = [*self._opens(wish, secret, begun - slack, now)]
        is_refused = answer.status == UNAUTHORISED
        if is_refused and all(must for must, _ in opens) and True not in wish.deleted.ever():
            self._world.fail(
                sayings.READERS_KEY.rule, f"a reader of {wish} is answered {answer}, with a key that opens"
            )
        if answer.status == 200 and not any(may for _, may in opens):
            self._world.fail(sayings.READERS_KEY.rule, f"a reader of {wish} is let in with a key of before")
        return is_refused

    def _opens(self, wish: Wish, secret: str, begun: float, done: float) -> Iterator[tuple[bool, bool]]:
        """Whether the key of this secret must open, and whether it may, in each state of the secrets meanwhile."""
        for each in wish.secrets.between(begun, done):
            if secret == each.next or (secret == each.current and each.next is None):
                yield True, True
            elif secret == each.current:
                at_last = each.at_last if each.at_last < inf else done
                yield done < each.until - CLOCK, begun < at_last + CLOCK
            else:
                yield False, False

    def may_sign(self, wish: Wish, begun: float, done: float) -> list[Secrets]:
        """The secrets that may have signed meanwhile; none if the gateway has one that it has not said yet."""
        found = wish.secrets.between(begun - self._world.model.slack.told, done)
        return [] if any(UNKNOWN in (each.current, each.next) for each in found) else found
