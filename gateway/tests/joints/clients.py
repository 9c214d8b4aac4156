"""The clients of the gateway: each call goes through the API, and is repeated with its `Idempotency-Key` until
there is an answer, by this process or the next."""

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING, Any

from gateway.tests.answer import Answer
from gateway.tests.joints.api_of_node import OPERATOR_KEY
from gateway.tests.joints.certificates import Certificates
from gateway.tests.joints.documents import Documents
from gateway.tests.joints.endpoint_tokens import EndpointTokens
from gateway.tests.joints.guests import Guests
from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.key_pairs import KeyPairs
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.old_signatures import OldSignatures
from gateway.tests.joints.owners import Owners
from gateway.tests.joints.reads import Reads
from gateway.tests.joints.shadows import Shadows
from gateway.tests.world.model.wishes import Wish

if TYPE_CHECKING:
    from gateway.tests.joints.joint_world import JointWorld

COMES_AGAIN = (429, 503)
"""The answers after which a client asks once more."""
AGAIN_AFTER = 0.5


class Clients:
    """All of a world's. They outlive the gateway's processes."""

    def __init__(self, world: "JointWorld") -> None:
        self.world = world
        self.random = world.random
        self.open: dict[ClientCall, JointNode] = {}
        """Calls without an answer, and the process that was asked last."""
        self.acts = 0
        self._keys = 0
        self.documents = Documents(self)
        self.owners = Owners(self)
        self.guests = Guests()
        self.shadows = Shadows(self)
        self.old_signatures = OldSignatures(self)
        self.key_pairs = KeyPairs(self)
        self.endpoint_tokens = EndpointTokens(self)
        self.certificates = Certificates(self)
        self.reads = Reads(self)

    async def live(self, node: JointNode) -> None:
        """Do one thing after the other, as long as there is something to do."""
        world = self.world
        while self.acts < world.plan.acts:
            await asyncio.sleep(self.random.choice(world.plan.pauses) * self.random.uniform(0.5, 1.5))
            self.acts += 1
            await self.owners.begin_in_the_past(node)
            await self.shadows.act(node)
            await self.old_signatures.act(node)
            await self.key_pairs.act(node)
            await self.endpoint_tokens.act(node)
            await self.certificates.act(node)
            await self.reads.act(node)
            is_owner = self.random.random() < world.plan.owning
            await (self.owners.act(node) if is_owner else self.documents.act(node))
            await world.follow_erasures(node)

    @property
    def webhooks(self) -> list[Wish]:
        """The webhooks that are there, and the shadows whose originals are not busy."""
        shadows = [each for each in self.shadows.by_host.values() if each.is_there]
        shadows = [each for each in shadows if not self.is_busy(each.original)]
        wishes = [each for each in self.owners.wishes.values() if each.is_webhook and not each.deleted.last]
        return [*wishes, *(each.wish for each in shadows)]

    def draw_webhook(self, random: Random, often: float) -> Wish | None:
        """A webhook or shadow to change; None if it is not time for that."""
        if random.random() >= often:
            return None
        fit = [each for each in self.webhooks if each.id and not self.is_busy(each)]
        return random.choice(fit) if fit else None

    def is_busy(self, about: object) -> bool:
        """Whether a client still waits for an answer about this document or subscription."""
        return any(each.about is about for each in self.open)

    async def ask(self, node: JointNode, asked: ClientCall) -> None:
        """Call the API until there is an answer that tells the outcome."""
        self._keys += 1
        asked.key = f"key-{self._keys}"
        asked.begun = self.world.time.now
        self.open[asked] = node
        self.world.trace(f"asks: {asked}")
        await self._until_answered(node, asked)

    async def ask_again(self, node: JointNode) -> None:
        """Repeat whatever a process did not answer that has ended."""
        for asked, at in list(self.open.items()):
            if at.is_dead and self.open.get(asked) is at:
                self.open[asked] = node
                await self._until_answered(node, asked)

    async def _until_answered(self, node: JointNode, asked: ClientCall) -> None:
        while True:
            answer = await self._call(node, asked)
            if node.is_dead:
                raise asyncio.CancelledError  # nobody hears what it would say
            if _status(asked, answer) not in COMES_AGAIN:
                break
            await asyncio.sleep(AGAIN_AFTER)
        asked.answer, asked.done_at = answer, self.world.time.now
        del self.open[asked]
        self.world.trace(f"answered: {asked}")
        self.world.read_log()
        if asked.on_done is not None:
            asked.on_done(asked)
        self.world.answered(asked)

    async def _call(self, node: JointNode, asked: ClientCall) -> Answer:
        if asked.by == "guest":
            return await self.guests.call(node, asked)
        return await node.call(
            asked.method,
            asked.path,
            asked.body,
            headers={} if asked.as_it_is is not None else {"idempotency-key": asked.key},
            key=OPERATOR_KEY if asked.by == "operator" else self.owners.key,
            as_it_is=asked.as_it_is,
        )

    async def read(self, node: JointNode, path: str) -> Any:
        """What a GET answers."""
        answer = await node.call("GET", path)
        return answer.json if answer.status == 200 else None

    def uuid(self) -> str:
        """A new id."""
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _status(asked: ClientCall, answer: Answer) -> int:
    """The status of a call, or of the line that it imports."""
    problem = json.loads(answer.body).get("problem") if asked.as_it_is is not None and answer.status == 200 else None
    return answer.status if problem is None else int(problem["status"])
