"""Owners who have a webhook sign with a key pair, too, and no longer.

They have a randomness of their own, so that the world of a seed without them is what it was."""

from random import Random
from typing import TYPE_CHECKING

from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients


class KeyPairs:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"key pairs {clients.world.seed}")
        self._often = self._random.choice((0.0, 0.0, 0.1))
        """How likely one is switched on or off whenever a client does something."""

    async def act(self, node: JointNode) -> None:
        """Switch the key pair of one webhook or shadow on or off, if it is time for that."""
        wish = self._clients.draw_webhook(self._random, self._often)
        if wish is None:
            return
        wanted = not wish.has_key_pair.last
        change = wish.has_key_pair.begin(wanted, self._world.time.now)

        def settle(asked: ClientCall) -> None:
            if asked.is_done:
                change.done = asked.done_at
            else:
                wish.has_key_pair.changes.remove(change)

        body, path = {"signWithKeyPair": wanted}, f"/v1/subscriptions/{wish.id}"
        what = f"{wish} signs {'with a key pair, too' if wanted else 'with no key pair'}"
        await self._clients.ask(node, ClientCall(what, "PATCH", path, body, about=wish, on_done=settle))
