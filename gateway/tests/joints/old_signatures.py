"""Owners who came from another system: their webhooks sign as that did, too, until its receivers are changed.

They have a randomness of their own, so that the world of a seed without them is what it was."""

from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.world.model.old_signatures import HEADERS, OldSigning
from gateway.tests.world.model.wishes import Wish

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

OVERS = ("{body}", "{timestamp},{body}", "{id}.{timestamp}.{body}")
PREFIXES = ("", "v0=", "t={timestamp},v1=")
MOST = 2


class OldSignatures:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"signed also {clients.world.seed}")
        self._often = self._random.choice((0.0, 0.0, 0.2))
        """How likely one changes whenever a client does something."""

    async def act(self, node: JointNode) -> None:
        """Change how one webhook or shadow signs also, if it is time for that."""
        wish = self._clients.draw_webhook(self._random, self._often)
        if wish is not None:
            await self._change(node, wish)

    async def _change(self, node: JointNode, wish: Wish) -> None:
        """Another list: none, or new signatures, or those that were there with another secret or another form."""
        before = {each.header: each for each in wish.sign_also.last}
        kept = [self._changed(each) for each in before.values() if self._random.random() < 0.6]
        free = [header for header in HEADERS if header not in before]
        count = self._random.randint(0, min(MOST - len(kept), len(free)))
        signatures = (*kept, *map(self._new, self._random.sample(free, count)))
        change = wish.sign_also.begin(signatures, self._world.time.now)

        def settle(asked: ClientCall) -> None:
            if asked.is_done:
                change.done = asked.done_at
            else:
                wish.sign_also.changes.remove(change)

        body = {"signAlso": [_given(each, before.get(each.header)) for each in signatures]}
        what = f"{wish} signs also {[*signatures]}"
        asked = ClientCall(what, "PATCH", f"/v1/subscriptions/{wish.id}", body, about=wish, on_done=settle)
        await self._clients.ask(node, asked)

    def _new(self, header: str) -> OldSigning:
        random = self._random
        return OldSigning(
            header,
            f"old secret {random.getrandbits(32):x}",
            random.choice(("sha256", "sha512", "sha1")),
            random.choice(("hex", "base64")),
            random.choice(OVERS),
            random.choice(PREFIXES),
        )

    def _changed(self, signature: OldSigning) -> OldSigning:
        """The same, or with the secret or all else of another one."""
        other = self._new(signature.header)
        return self._random.choice((signature, signature._replace(secret=other.secret),
                                    other._replace(secret=signature.secret)))  # fmt: skip


def _given(signature: OldSigning, before: OldSigning | None) -> Mapping[str, Any]:
    """What is sent: without the secret, if the header had that before."""
    given = signature._asdict()
    if before is not None and before.secret == signature.secret:
        del given["secret"]
    return given
