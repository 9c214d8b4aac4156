"""Owners of subscriptions, and customers in the portal: what they ask for, and what they know of it."""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from gateway.tests.joints.history import Caller, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import HOUR, MINUTE
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Again, Condition, Secrets, Skip, Wait, Wish
from gateway.tests.world.timeline import Change, Timeline
from gateway.tests.world.vendors import SECRET

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

Act = Callable[[JointNode, Wish], Awaitable[None]]
"""Something that an owner asks for."""
TYPES = ("documentCreated", "documentUpdated", "documentDeleted")
CONDITIONS: tuple[Mapping[str, Any], ...] = (
    {"field": "document.additionalFacts.x", "is": 1},
    {"field": "document.additionalFacts.x", "is": True},
    {"field": "document.additionalFacts.x", "isNot": 1},
    {"field": "document.additionalFacts.x", "in": [0, 2]},
    {"field": "document.additionalFacts.x", "notIn": [False, True]},
    {"field": "document.additionalFacts.x", "exists": True},
    {"field": "document.additionalFacts.x", "atLeast": 1},
    {"field": "document.contractValue", "above": 10},
    {"field": "document.contractValue", "atMost": 10.5},
    {"field": "document.type", "is": "NDA"},
    {"field": "document.type", "startsWith": "let"},
    {"field": "document.status", "isNot": "other"},
    {"field": "document.title", "contains": "2"},
)
CHANGES: tuple[Mapping[str, Any], ...] = (
    {"field": "document.additionalFacts.x", "changed": True},
    {"field": "document.additionalFacts.x", "changedTo": 1},
    {"field": "document.additionalFacts.x", "changedFrom": True},
    {"field": "document.additionalFacts", "changed": True},
    {"field": "document.title", "changed": True},
    {"field": "document.contractValue", "changed": False},
    {"field": "document.type", "changedTo": "NDA"},
    {"field": "before.type", "is": "letter"},
)
FACTS = "document.additionalFacts"
CONDITIONS_OF_FACTS = tuple(each for each in CONDITIONS if each["field"].startswith(FACTS))
CHANGES_OF_FACTS = tuple(each for each in CHANGES if each["field"].startswith(FACTS))
UNKNOWN = sys.maxsize
"""The last event of a replay that is not answered yet: it ends with the log."""
FAVOURED = 4
"""How much more often owners do what they are busy with."""
KINDS = ("setting", "fake")
"""The kinds of connectors: one sets values, the other sends messages."""
SIGN_IN = {"signIn": "grant"}


class Owners:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = clients.random
        self.wishes: dict[str, Wish] = {}
        self._begins_at: JointNode | None = None
        self._later = deque(share * self._world.plan.acts for share in self._world.later)
        """When subscriptions are made that begin in the past, in things that clients have done."""
        self.key = ""
        """An API key of the role subscriber."""
        self.origins: dict[str, set[str]] = {}
        """The origins for which each value of a header was given."""
        self.connections: dict[str, str] = {}
        """The ids of the connections to the vendor, by kind."""
        self._habits: Mapping[str, Mapping[Act, float]] = {
            "secrets": {self._rotate: 2, self._promote: 1, self._move: 2},
            "backlogs": {self._pause: 2, self._resume: 3},
            "again": {self._retry: 8, self._replay: 4, self._replay_many: 1},
            "conditions": {self._rewhen: 3, self._rewait: 3, self._retype: 2},
            "": {self._reorder: 1, self._try: 2, self._disconnect: 1, self._remove: 0.2},
        }
        """What owners do, and how often, by what they may be busy with."""

    # --- New ones -----------------------------------------------------------------------------------------------------

    async def begin(self, node: JointNode) -> None:
        """Make the first subscriptions, unless that was done, through one node at a time."""
        plan = self._world.plan
        while self._begins_at is not None and not self._begins_at.is_dead:
            await asyncio.sleep(0.1)
        self._begins_at = node
        if not self.key:
            await self._clients.ask(node, self._make_key())
        for kind in KINDS if plan.connectors else ():
            if kind not in self.connections:
                await self._clients.ask(node, self._connect(kind))
        for number in range(len(self.wishes), plan.webhooks + plan.connectors):
            await self._subscribe(node, is_webhook=number < plan.webhooks)
        self._begins_at = None

    async def begin_in_the_past(self, node: JointNode) -> None:
        """Make a subscription that begins in the past, if it is time for one."""
        random, world = self._random, self._world
        if not self._later or self._clients.acts < self._later[0]:
            return
        self._later.popleft()
        world.read_log()
        is_webhook = not self.connections or random.random() < 0.5
        events = [each for each in world.log.events if each.at < world.time.now - MINUTE]
        if events and random.random() < 0.5:
            first = random.choice(events)
            begins = {"startsAt": world.written(first.at)}
            await self._subscribe(node, begins, first.sequence - 1, is_webhook=is_webhook)
        else:
            after = random.randint(0, len(world.log.events))
            await self._subscribe(node, {"startsAfter": after}, after, is_webhook=is_webhook)

    def _make_key(self) -> ClientCall:
        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None, asked
            self.key = asked.answer.json["key"]

        body = {"name": "owner", "role": "subscriber"}
        return ClientCall("make a key", "POST", "/v1/keys", body, about=self, on_done=learn)

    def _connect(self, kind: str) -> ClientCall:
        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None, asked
            assert asked.is_done, asked.answer
            self.connections[kind] = asked.answer.json["id"]

        body = {"kind": kind, "name": f"vendor of {kind}", "config": SIGN_IN}
        return ClientCall(f"connect {kind}", "POST", "/v1/connections", body, about=self, on_done=learn)

    async def _subscribe(
        self, node: JointNode, begins: Mapping[str, Any] | None = None, starts_after: int = 0, *, is_webhook: bool
    ) -> None:
        """`starts_after` is the sequence after which a subscription that `begins` in the past surely begins."""
        random, now = self._random, self._world.time.now
        name = f"s{len(self.wishes)}"
        few = TYPES if is_webhook else TYPES[:1]  # what nobody wants must not hide what came before it
        types, when, after = self.wanted_events(few)
        ordering, delays = random.choice(("loose", "loose", "strict")), random.choice(self._world.plan.retries)
        kind = "webhook" if is_webhook else KINDS[(len(self.wishes) - self._world.plan.webhooks) % len(KINDS)]
        body: dict[str, Any] = {
            "name": name, "eventTypes": types, "ordering": ordering, "retryDelays": delays, "when": when,
            "after": self.shown(after), **(begins or {}),
        }  # fmt: skip
        wish = Wish(
            name, kind, now, frozenset(types), latest_wins=kind == "setting", when=when, after=after,
            ordering=ordering, delays=delays, url=f"https://{name}.example/1", headers={"x-of": f"{name} 1"},
            secret=f"secret of {name}", text=f"{name}|{{{{ document.title }}}}",
        )  # fmt: skip
        if is_webhook:
            body |= {"url": wish.url.last, "headers": wish.headers.last, "secret": wish.secrets.last.current}
        else:
            body |= {"kind": kind, "connection": self.connections[kind], "config": {"text": wish.text.last}}
        wish.starts_after = starts_after
        self.wishes[name] = wish
        self.origins[wish.headers.last["x-of"]] = {f"{name}.example"}

        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None, asked
            gone = self._world.model.disconnected.between(asked.begun, asked.done_at)
            if not asked.is_done and any(kind in kinds for kinds in gone):
                wish.deleted = Timeline(value=True, mark=asked.begun)  # its name stays taken
                assert asked.answer.json["errors"][0]["code"] == "disconnected", asked.answer
                return
            assert asked.is_done, asked.answer
            made = asked.answer.json
            if begins is not None and made["startsAfter"] != starts_after:
                self._world.fail("beginning", f"{name} was to begin at {begins}, not after {made['startsAfter']}")
            wish.id, wish.starts_after, wish.made_at = made["id"], made["startsAfter"], asked.done_at

        await self._clients.ask(node, ClientCall(f"subscribe {name}", "POST", "/v1/subscriptions", body, about=wish,
                                            on_done=learn))  # fmt: skip

    def wanted_events(self, few: Sequence[str] = TYPES) -> tuple[Sequence[str], Condition, Wait | None]:
        """What a new subscription wants: types, of which `few` are one choice, condition and delay."""
        types = self._random.choice((TYPES, few, TYPES[1:], TYPES[:2], (self._random.choice(TYPES),)))
        return types, self._when(), self._wait()

    def shown(self, wait: Wait | None) -> dict[str, Any] | None:
        """A delay as the API wants it."""
        if wait is None:
            return None
        return {"seconds": int(wait.seconds)} | ({} if wait.still is None else {"if": wait.still})

    @property
    def _conditions(self) -> tuple[Mapping[str, Any], ...]:
        return CONDITIONS_OF_FACTS if self._world.plan.is_alike else CONDITIONS

    def _when(self) -> Condition:
        random = self._random
        if random.random() >= self._world.plan.conditions:
            return None
        changes = CHANGES_OF_FACTS if self._world.plan.is_alike else CHANGES
        one, other = (random.choice(random.choice((self._conditions, changes, changes))) for _ in range(2))
        return random.choice((one, one, {"not": one}, {"all": [one, other]}, {"any": [one, other]}))

    def _wait(self) -> Wait | None:
        random = self._random
        if random.random() >= self._world.plan.delays:
            return None
        still = random.choice((None, random.choice(self._conditions), random.choice(self._conditions)))
        return Wait(random.choice(self._world.plan.waits), still)

    # --- Changes ------------------------------------------------------------------------------------------------------

    async def change_read(self, node: JointNode, wish: Wish) -> None:
        """Ask for something about a subscription that is read."""
        acts: Mapping[Act, float] = {
            self._rewhen: 2, self._rewait: 2, self._retype: 2, self._pause: 3, self._resume: 4, self._remove: 0.2,
        }  # fmt: skip
        suited = [act for act in acts if self._suits(act, wish)]
        await self._random.choices(suited, [acts[each] for each in suited])[0](node, wish)

    async def resume_read(self, node: JointNode, wish: Wish) -> None:
        """Have readers handed events again."""
        await self._patch(node, wish, "resume", {"status": "active"}, self._begin(wish.status, "active"))

    async def act(self, node: JointNode) -> None:
        """Ask for something about some subscription."""
        random = self._random
        idle = [each for each in self.wishes.values() if each.id and not self._clients.is_busy(each)]
        if not idle:
            return
        often = self._world.plan.often
        acts = {
            act: weight * (FAVOURED if habit in often else 1)
            for habit, acts in self._habits.items()
            for act, weight in acts.items()
        }
        act = random.choices(list(acts), list(acts.values()))[0]
        suited = [each for each in idle if not each.deleted.last and self._suits(act, each)]
        await act(node, random.choice(suited or idle))

    def _suits(self, act: Act, wish: Wish) -> bool:
        """Whether there is something to do of this kind."""
        if act in (self._rotate, self._try):
            return wish.is_webhook
        if act == self._promote:
            return wish.secrets.last.next is not None
        if act == self._rewait:
            return wish.after.last is not None
        if act == self._disconnect:
            return not wish.is_webhook
        if act in (self._pause, self._resume):
            return (wish.status.last == "active") is (act == self._pause)
        return True

    async def _patch(
        self,
        node: JointNode,
        wish: Wish,
        what: str,
        body: Mapping[str, Any],
        *changes: Callable[[], Change[Any]],
        by: Caller = "operator",
    ) -> None:
        """Change a subscription. Each of `changes` begins what the model knows of it."""
        begun = [begin() for begin in changes]
        begun += self._clients.shadows.begin_headers(wish)
        asked = ClientCall(
            f"{what} {wish}", "PATCH", f"/v1/subscriptions/{wish.id}", body, about=wish,
            on_done=partial(self._settle, wish, begun), by=by,
        )  # fmt: skip
        await self._clients.ask(node, asked)

    def _settle(self, wish: Wish, changes: list[Change[Any]], asked: ClientCall) -> None:
        for change in changes:
            if asked.is_done:
                change.done = len(self._world.log.events) if change in wish.types.changes else asked.done_at
            else:
                wish.forget(change)
                self._clients.shadows.forget(wish, change)

    def _begin(self, timeline: Timeline[Any], value: Any) -> Callable[[], Change[Any]]:
        return lambda: timeline.begin(value, self._world.time.now)

    async def _retype(self, node: JointNode, wish: Wish) -> None:
        types = self._random.sample(TYPES, self._random.choice((1, 2, 3)))
        self._world.read_log()
        last = len(self._world.log.events)
        await self._patch(
            node, wish, f"types {types}", {"eventTypes": types}, lambda: wish.types.begin(frozenset(types), last)
        )

    async def _rewhen(self, node: JointNode, wish: Wish) -> None:
        when = self._random.choice((None, self._when(), wish.when.changes[0].value))
        await self._patch(node, wish, f"when {when}", {"when": when}, self._begin(wish.when, when))

    async def _rewait(self, node: JointNode, wish: Wish) -> None:
        wait = self._random.choice((None, self._wait()))
        await self._patch(node, wish, f"after {wait}", {"after": self.shown(wait)}, self._begin(wish.after, wait))

    async def _pause(self, node: JointNode, wish: Wish) -> None:
        await self._patch(node, wish, "pause", {"status": "paused"}, self._begin(wish.status, "paused"))

    async def _resume(self, node: JointNode, wish: Wish) -> None:
        if wish.status.last == "active":
            return
        resumed = self._begin(wish.status, "active")
        if self._random.random() < 0.5:
            await self._patch(node, wish, "resume", {"status": "active"}, resumed)
            return
        self._world.read_log()
        least, begun = len(self._world.log.events), self._world.time.now

        def settle(asked: ClientCall) -> None:
            self._settle(wish, [change], asked)
            if asked.is_done:
                wish.skips.append(Skip(least, len(self._world.log.events), begun, asked.done_at))

        change = resumed()
        body = {"status": "active", "skipBacklog": True}
        path = f"/v1/subscriptions/{wish.id}"
        await self._clients.ask(
            node, ClientCall(f"skip and resume {wish}", "PATCH", path, body, about=wish, on_done=settle)
        )

    async def _reorder(self, node: JointNode, wish: Wish) -> None:
        ordering = "loose" if wish.ordering.last == "strict" else "strict"
        await self._patch(node, wish, ordering, {"ordering": ordering}, self._begin(wish.ordering, ordering))

    async def _move(self, node: JointNode, wish: Wish) -> None:
        """Another URL and other headers, or another text."""
        number = self._random.randrange(1, 10_000)
        if not wish.is_webhook:
            text = f"{wish}|{{{{ document.title }}}} {number}"
            await self._patch(node, wish, "reword", {"config": {"text": text}}, self._begin(wish.text, text))
            return
        host = urlsplit(wish.url.last).netloc
        if self._random.random() < 0.4:
            host = self._random.choice((f"{wish}.example", f"{wish}.elsewhere.example"))
        url, headers = f"https://{host}/{number}", {"x-of": f"{wish} {number}"}
        both: dict[str, Any] = {"url": url, "headers": headers}
        changed = {name: both[name] for name in self._random.choice((("url",), ("headers",), ("url", "headers")))}
        begins = []
        if "url" in changed:
            begins.append(self._begin(wish.url, url))
        if "headers" in changed:
            begins.append(self._begin(wish.headers, headers))
            self.origins[headers["x-of"]] = {urlsplit(changed.get("url", wish.url.last)).netloc}
        await self._patch(node, wish, f"move to {changed}", changed, *begins, by=self._somebody())

    def _somebody(self) -> Caller:
        return self._random.choice(("operator", "subscriber", "guest"))

    async def _try(self, node: JointNode, wish: Wish) -> None:
        """Send a sample to an endpoint."""
        if not wish.is_webhook:
            return
        path = f"/v1/subscriptions/{wish.id}/test"
        await self._clients.ask(node, ClientCall(f"try {wish}", "POST", path, about=wish))

    async def _disconnect(self, node: JointNode, wish: Wish) -> None:
        """Have a connection forget its credentials, or give them again."""
        if wish.is_webhook:
            return
        gone, kind = self._world.model.disconnected, wish.kind
        path, is_gone = f"/v1/connections/{self.connections[kind]}", kind in gone.last
        change = gone.begin(gone.last - {kind} if is_gone else gone.last | {kind}, self._world.time.now)

        def settle(asked: ClientCall) -> None:
            if asked.is_done:
                change.done = asked.done_at
            else:
                gone.changes.remove(change)

        if is_gone:
            body = {"config": {**SIGN_IN, "key": SECRET}}
            asked = ClientCall(f"reconnect {kind}", "PATCH", path, body, about=gone, on_done=settle)
        else:
            asked = ClientCall(f"disconnect {kind}", "POST", f"{path}/disconnect", about=gone, on_done=settle)
        if not self._clients.is_busy(gone):
            await self._clients.ask(node, asked)
        else:
            gone.changes.remove(change)

    async def reconnect_all(self, node: JointNode) -> None:
        """Give every connection its credentials again."""
        for kind in list(self._world.model.disconnected.last):
            await self._disconnect(node, next(each for each in self.wishes.values() if each.kind == kind))

    async def _rotate(self, node: JointNode, wish: Wish) -> None:
        if not wish.is_webhook:
            return
        before, hours, now = wish.secrets.last, self._random.choice((0, 1, 1, 24)), self._world.time.now
        made, lasts = f"secret {self._random.getrandbits(32):x}", hours * HOUR
        current = before.current if before.next is None or now < before.until else before.next
        change = wish.secrets.begin(Secrets(current, made, now + lasts) if hours else Secrets(made), now)

        def settle(asked: ClientCall) -> None:
            if not asked.is_done and not wish.deleted.last and (before.next is None or now > before.at_last + MINUTE):
                self._world.fail("answers", f"{asked}, although no rotation is under way")
            change.value = change.value._replace(at_last=asked.done_at + lasts)
            self._settle(wish, [change], asked)

        body = {"secret": made, "overlapHours": hours}
        path = f"/v1/subscriptions/{wish.id}/secret/rotate"
        await self._clients.ask(
            node, ClientCall(f"rotate {wish} {hours} h", "POST", path, body, about=wish, on_done=settle)
        )

    async def _promote(self, node: JointNode, wish: Wish) -> None:
        before = wish.secrets.last
        if not wish.is_webhook or before.next is None:
            return
        change = wish.secrets.begin(Secrets(before.next), self._world.time.now)
        path = f"/v1/subscriptions/{wish.id}/secret/promote"
        settle = partial(self._settle, wish, [change])
        await self._clients.ask(node, ClientCall(f"promote {wish}", "POST", path, about=wish, on_done=settle))

    async def _remove(self, node: JointNode, wish: Wish) -> None:
        change = wish.deleted.begin(value=True, mark=self._world.time.now)
        settle = partial(self._settle, wish, [change])
        path = f"/v1/subscriptions/{wish.id}"
        await self._clients.ask(node, ClientCall(f"remove {wish}", "DELETE", path, about=wish, on_done=settle))

    async def sign_after_rotations(self, node: JointNode) -> None:
        """Once the rotations of an hour are over, see what signs then, and after another rotation."""
        now, alive = self._world.time.now, [each for each in self.wishes.values() if not each.deleted.last]
        rotating = [each for each in alive if each.secrets.last.next and each.secrets.last.at_last < now + HOUR]
        over = max((each.secrets.last.at_last for each in rotating), default=now)
        await asyncio.sleep(over + 2 * MINUTE - now)
        for wish in rotating:
            for act in (self._try, self._rotate, self._try):
                await act(node, wish)

    async def hurry_some(self, node: JointNode) -> None:
        """Take away some of the delays, for which much may wait, but none that ends with a question."""
        for wish in self.wishes.values():
            wait = wish.after.last
            if wait is not None and wait.still is None and not wish.deleted.last and self._random.random() < 0.5:
                await self._patch(node, wish, "no more delay", {"after": None}, self._begin(wish.after, None))

    async def resume_all(self, node: JointNode) -> None:
        """Whatever is paused or was disabled sends again."""
        for wish in self.wishes.values():
            if not wish.deleted.last:
                await self._patch(node, wish, "resume", {"status": "active"}, self._begin(wish.status, "active"))

    # --- Again --------------------------------------------------------------------------------------------------------

    async def _retry(self, node: JointNode, wish: Wish) -> None:
        events = self._world.log.events[wish.starts_after :]
        if not events:
            return
        event = self._random.choice(events[-20:])
        self._world.retried(wish, event)
        again = self._asked_again("retry", event.sequence, event.sequence)
        path = f"/v1/subscriptions/{wish.id}/deliveries/{event.id}/retry"
        asked = ClientCall(f"retry {event.sequence} of {wish}", "POST", path, by=self._somebody())
        await self._resend(node, wish, again, asked, event)

    async def _replay(self, node: JointNode, wish: Wish) -> None:
        again, body = self._some_replay()
        what = f"replay {again.what} {again.first} to {again.last} {again.types} {again.document_id} of {wish}"
        path = f"/v1/subscriptions/{wish.id}/replays"
        await self._resend(node, wish, again, ClientCall(what, "POST", path, body, by=self._somebody()))

    async def _replay_many(self, node: JointNode, _wish: Wish) -> None:
        """Across subscriptions."""
        again, body = self._some_replay()
        alive = [each for each in self.wishes.values() if each.id and not each.deleted.last]
        asked = ClientCall(f"replay {again.what} {again.first} to {again.last} everywhere", "POST", "/v1/replays", body)
        for each in alive:
            each.again.append(again)

        def settle(done: ClientCall) -> None:
            for each in alive:
                each.again.remove(again)
                if done.is_done:
                    each.again.append(self._accepted(again, done))

        asked.on_done, asked.about = settle, self
        await self._clients.ask(node, asked)

    def _some_replay(self) -> tuple[Again, dict[str, Any]]:
        random = self._random
        self._world.read_log()
        last = len(self._world.log.events)
        what: Literal["failed", "waiting", "all"] = random.choice(("failed", "failed", "waiting", "all", "all"))
        first = random.randrange(1, last + 2)
        again = self._asked_again(what, first, UNKNOWN)
        body: dict[str, Any] = {"fromSequence": first, "status": what}
        if random.random() < 0.3:
            again = again._replace(types=frozenset(random.sample(TYPES, 1)))
            body["eventTypes"] = list(again.types or ())
        if random.random() < 0.3 and last:
            again = again._replace(document_id=random.choice(self._world.log.events).document_id)
            body["externalId"] = again.document_id
        return again, body

    def _asked_again(self, what: Literal["retry", "failed", "waiting", "all"], first: int, last: int) -> Again:
        return Again(what, self._world.time.now, float("inf"), first, last, None, None)

    def _accepted(self, again: Again, asked: ClientCall) -> Again:
        """What was asked for, once it was answered. It is about no event that was made later."""
        return again._replace(answered=asked.done_at, last=min(again.last, len(self._world.log.events)))

    async def _resend(
        self, node: JointNode, wish: Wish, again: Again, asked: ClientCall, event: LoggedEvent | None = None
    ) -> None:
        wish.again.append(again)

        def settle(done: ClientCall) -> None:
            wish.again.remove(again)
            accepted = self._accepted(again, done)
            if done.is_done:
                wish.again.append(accepted)
            self._world.resent(wish, accepted, done, event)

        asked.on_done, asked.about = settle, wish
        await self._clients.ask(node, asked)
