"""Subscriptions whose events customers read, and their readers: they ask, acknowledge all or a part, forget, come late
and are cut off with the process that they asked.

What is drawn for them has randomness of its own, so that the world of a seed without them is what it was. No other
checker sees them: nothing is sent to them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final

from gateway.tests.answer import Answer
from gateway.tests.joints.checkers.content import is_signed
from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.reader_secrets import ReaderSecrets
from gateway.tests.world.model import sayings
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.reading import SOON, Acknowledgement, Complaint, HandOut, ReadModel
from gateway.tests.world.model.wishes import Secrets, Wish

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

ACTING = 0.15
"""How often something is done with one, of the times that clients do anything."""
LEASES: Final = (1, 10, 60)
LIMITS = (1, 2, 3, 10, 250)
WAITS: Final = (0, 0, 0, 3, 20)
AWAY = (401, 429, 503)
"""The answers of a gateway that can do nothing now, or not with that key."""
PASSES = 50
"""How many pages are read at most where everything is read to its end."""


class ReadOnes:
    """A subscription that is read."""

    def __init__(self, wish: Wish, model: ReadModel) -> None:
        self.wish = wish
        self.model = model

    @property
    def is_there(self) -> bool:
        return bool(self.wish.id) and not self.wish.deleted.last

    def __repr__(self) -> str:
        return repr(self.wish)


class Reads:
    leases: Sequence[int] = LEASES
    waits: Sequence[int] = WAITS
    soon: float = SOON

    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"readers {clients.world.seed}")
        drawn = self._random.choice((0, 0, 1)) * self._random.choice((1, 2))
        wanted = clients.world.plan.readers
        self._left = drawn if wanted is None else wanted
        self._at = self._random.uniform(0.0, 0.2) * clients.world.plan.acts
        self._has_any = self._left > 0
        self.all: list[ReadOnes] = []
        self.secrets = ReaderSecrets(clients)
        self._vain = Random(f"in vain {clients.world.seed}")

    @property
    def wishes(self) -> list[Wish]:
        return [each.wish for each in self.all]

    # --- What owners do -----------------------------------------------------------------------------------------------

    async def act(self, node: JointNode) -> None:
        """Make a subscription if it is time for one, or change one now and then."""
        idle = self._idle
        if self._left and self._clients.acts >= self._at:
            self._left -= 1
            await self._begin(node)
        elif self.all and self._random.random() < ACTING:
            if idle:
                await self._clients.owners.change_read(node, self._random.choice(idle).wish)
        elif idle:
            await self._act_otherwise(node, idle)

    async def _act_otherwise(self, node: JointNode, idle: Sequence[ReadOnes]) -> None:
        """Do what is drawn with randomness of its own."""
        if not await self.secrets.act(node, [each.wish for each in idle]) and self._vain.random() < ACTING:
            await self._ask_in_vain(node, self._vain.choice(idle))

    @property
    def _idle(self) -> list[ReadOnes]:
        return [each for each in self.all if each.is_there and not self._clients.is_busy(each.wish)]

    async def _ask_in_vain(self, node: JointNode, read: ReadOnes) -> None:
        """Ask for events to be sent that are read."""
        path, events = f"/v1/subscriptions/{read.wish.id}", self._world.log.events
        replay = {"fromSequence": 1, "status": self._vain.choice(("failed", "all"))}
        asked = [("test", None), ("replays", replay)]
        asked += [(f"deliveries/{self._vain.choice(events).id}/retry", None)] if events else []
        name, body = self._vain.choice(asked)

        def settle(done: ClientCall) -> None:
            assert done.answer is not None
            is_refused = done.answer.status == 409 and done.answer.json["code"] == "is_read"
            if not is_refused and done.answer.status != 404:
                self._world.fail(sayings.NOT_SENT_AGAIN.rule, f"{done}: {done.answer.body.decode()}")

        what = f"{name} of {read}"
        await self._clients.ask(node, ClientCall(what, "POST", f"{path}/{name}", body, about=read, on_done=settle))

    async def _begin(self, node: JointNode) -> None:
        world, owners, name = self._world, self._clients.owners, f"read{len(self.all)}"
        world.read_log()
        types, when, after = owners.wanted_events()
        wish = Wish(name, "poll", world.time.now, frozenset(types), when=when, after=after, delays=())
        found = ReadOnes(wish, ReadModel(world.model, wish, self.soon))
        self.all.append(found)
        last = len(world.log.events)
        is_in_the_past = world.plan.keeps_days is None and self._random.random() < 0.5
        begins = {"startsAfter": self._random.randint(0, last)} if is_in_the_past else {}
        wish.starts_after = begins.get("startsAfter", last)

        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None
            assert asked.is_done, asked.answer
            made = asked.answer.json
            wish.id, wish.starts_after, wish.made_at = made["id"], made["startsAfter"], asked.done_at
            wish.secrets.changes[0].value = Secrets(made["secret"])
            self.secrets.learn(wish, made["secret"], made["readerKey"])

        body = {"kind": "poll", "name": name, "eventTypes": types, "when": when, "after": owners.shown(after), **begins}
        asked = ClientCall(f"subscribe {name}", "POST", "/v1/subscriptions", body, about=wish, on_done=learn)
        await self._clients.ask(node, asked)

    async def resume_all(self, node: JointNode) -> None:
        for each in self.all:
            if each.is_there:
                await self._clients.owners.resume_read(node, each.wish)

    # --- What readers do ----------------------------------------------------------------------------------------------

    async def live(self, node: JointNode) -> None:
        """Read, as one of several readers, as long as clients do something."""
        plan = self._world.plan
        while self._has_any and self._clients.acts < plan.acts:
            await asyncio.sleep(self._random.choice(plan.pauses) * self._random.uniform(0.2, 1.5))
            there = [each for each in self.all if each.is_there]
            if there:
                await self._read(node, self._random.choice(there))

    async def _read(self, node: JointNode, read: ReadOnes) -> None:
        random = self._random
        handed = await self._poll(
            node, read, random.choice(LIMITS), random.choice(self.waits), random.choice(self.leases)
        )
        does = random.random()
        if not handed.sequences or does < 0.25:
            return
        await asyncio.sleep(handed.lease + 1 if does < 0.35 else random.choice((0.0, 0.01, 2.0)))
        through = random.choice((handed.sequences[0] - 1, *handed.sequences)) if does < 0.6 else None
        await self._acknowledge(node, read, handed, through)
        if does > 0.9:
            await self._acknowledge(node, read, handed, None)

    async def _poll(self, node: JointNode, read: ReadOnes, limit: int, wait: int, lease: int) -> HandOut:
        world = self._world
        handed = HandOut(world.time.now, lease)
        read.model.hand_outs.append(handed)
        body = {"limit": limit, "wait": wait, "lease": lease}
        try:
            answer = await self._call(node, read, "poll", body)
        finally:
            handed.done = world.time.now
        if answer.status != 200:
            self._check_away(read, answer)
            return handed
        said = answer.json
        handed.is_answered, handed.receipt = True, said["receipt"] or ""
        handed.sequences = tuple(each["sequence"] for each in said["data"])
        world.trace(f"{read}: {handed}")
        if len(handed.sequences) > limit:
            world.fail("reading", f"{handed} has more than {limit}")
        world.read_log()
        self._check_lost(read, handed, said["lost"])
        for each in said["data"]:
            self._check_content(read, handed, each, node)
        self._complain(read, read.model.handed(handed) if handed.sequences else read.model.empty(handed))
        return handed

    async def _acknowledge(self, node: JointNode, read: ReadOnes, handed: HandOut, through: int | None) -> None:
        world = self._world
        said = Acknowledgement(handed, through, world.time.now)
        read.model.acknowledgements.append(said)
        body = {"receipt": handed.receipt} | ({} if through is None else {"through": through})
        try:
            answer = await self._call(node, read, "acknowledge", body)
        finally:
            said.done = world.time.now
        if answer.status == 200:
            said.is_answered, said.count = True, answer.json["acknowledged"]
            self._complain(read, read.model.acknowledged(said))
        elif answer.status == 409:
            said.is_answered = True
            self._complain(read, read.model.refused(said))
        else:
            self._check_away(read, answer)
        world.trace(f"{read}: {said}")

    async def _call(self, node: JointNode, read: ReadOnes, name: str, body: Mapping[str, Any]) -> Answer:
        key, begun = self._key(read), self._world.time.now
        answer = await node.call("POST", f"/v1/subscriptions/{read.wish.id}/{name}", body, key=key)
        if node.is_dead:
            raise asyncio.CancelledError  # nobody hears what it would say
        self.secrets.check(read.wish, key, begun, answer)
        return answer

    def _key(self, read: ReadOnes) -> str:
        return self.secrets.newest_key(read.wish) if self._world.is_healing else self.secrets.key(read.wish)

    def _check_away(self, read: ReadOnes, answer: Answer) -> None:
        """Whether the gateway could do nothing for a reader then. What a refused key says is checked elsewhere."""
        is_gone = answer.status == 404 and True in read.wish.deleted.ever()
        if answer.status not in AWAY and not is_gone:
            self._world.fail("reading", f"{read} is answered {answer}")

    def _check_lost(self, read: ReadOnes, handed: HandOut, lost: int) -> None:
        """No more is lost than what may have been removed."""
        removed = [each for each in self._world.log.events if self._world.model.is_perhaps_removed(each, handed.done)]
        if lost > sum(not read.model.is_surely_settled(each) for each in removed):
            self._world.fail("lost", f"{handed} of {read} says that {lost} events are lost, of {len(removed)}")

    def _check_content(self, read: ReadOnes, handed: HandOut, told: Mapping[str, Any], node: JointNode) -> None:
        """What a reader is handed is the event as it would be sent."""
        world, body, headers = self._world, told["body"].encode(), told["headers"]
        event = world.log.at(told["sequence"])
        attempt = Attempt(read.wish, event, handed.done, node.number, "", headers, body)
        if body != event.body or headers["webhook-id"] != event.id:
            world.fail("content", f"{handed} of {read} has {headers} and {body!r} as event {event.sequence}")
        elif not self._is_signed(attempt, handed):
            world.fail("signed", f"{handed} of {read} is signed with another secret")

    def _is_signed(self, attempt: Attempt, handed: HandOut) -> bool:
        """Whether it is signed as it may have been at the beginning of the call, at its end or between."""
        secrets = self.secrets.may_sign(attempt.wish, handed.begun, handed.done)
        begun = Attempt(attempt.wish, attempt.event, handed.begun, attempt.process, "", attempt.headers, attempt.body)
        return not secrets or any(is_signed(at, each) for at in (attempt, begun) for each in secrets)

    def _complain(self, read: ReadOnes, complaints: Iterable[Complaint]) -> None:
        for saying, what in complaints:
            self._world.fail(saying.rule, f"{read}: {what}: {saying}")

    # --- In the end ---------------------------------------------------------------------------------------------------

    async def unsettled(self, node: JointNode) -> str | None:
        """Read everything that is there. Returns what must still come; None if nothing must."""
        now = self._world.time.now
        for read in self.all:
            for _ in range(PASSES if read.is_there else 0):
                handed = await self._poll(node, read, LIMITS[-1], 0, 1)
                if not handed.sequences:
                    break
                await self._acknowledge(node, read, handed, None)
            if read.is_there and read.model.is_perhaps_held(now):
                return f"{read} is held"
            later = [each.sequence for each in self._world.log.events if read.model.waits(each, now)]
            if read.is_there and later:
                return f"{read}: {later} wait"
        return None

    def told(self, event: LoggedEvent, told: Mapping[str, Any]) -> bool:
        """The API tells of a delivery. Returns whether it is one that is read."""
        read = next((each for each in self.all if each.wish.id == told["subscriptionId"]), None)
        if read is None:
            return False
        is_told = told["status"] == "delivered"
        if is_told and not read.model.may_be_settled(event):
            self._world.fail("reading", f"event {event.sequence} of {read} is told to be delivered, and never was")
        if not is_told and read.model.is_surely_settled(event) and event.document_id not in self._world.model.erased:
            self._world.fail("reading", f"event {event.sequence} of {read} is told to be {told}, and was read")
        return True

    def finished(self) -> None:
        """Everything has come to its end."""
        for read in self.all:
            if read.is_there:
                self._complain(read, read.model.missing(self._world.time.now))
