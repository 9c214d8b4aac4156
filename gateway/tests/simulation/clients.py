"""Those who call the gateway: writers of documents, owners of subscriptions. They keep what they were told.

Each call goes in as the command that the API's handler would submit. A client whose call ended without an answer
repeats it with its key, to this process or the next; one without a key never learns what became of it.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from gateway.tests.simulation.history import Again, Asked, Change, Secrets, Skipped, Subscriber, Told

from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.commands.overlay import Command, IdempotencyKey
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.subscriptions import (
    CreateSubscription,
    DeleteSubscription,
    PatchSubscription,
    PromoteSecret,
    RetryDelivery,
    RotateSecret,
)
from signalpost.domain.delivery.replay import What
from signalpost.domain.documents import sample
from signalpost.domain.errors import CallerError, OutcomeUnknown, TooMany, Unavailable
from signalpost.domain.event import EventType
from signalpost.domain.timestamps import SECOND, parse_timestamp

if TYPE_CHECKING:
    from gateway.tests.simulation.life import Life
    from gateway.tests.simulation.world import World

KEY_KEPT = 20 * 3600 * SECOND
"""For so long a call is repeated; a gateway forgets its key after 24 h."""
_ELSEWHERE = {"status": "created", "createdAt": "2026-01-01T00:00:00.000000+00:00", "sourceApp": "other"}
"""What an import says beside a new document's fields."""
_ALL_DELAYS = ((10, 60, 300), (10, 60, 300), (10, 60, 300), (), (1, 2, 4, 8))


class Clients:
    """All of a world's. They outlive the gateway's processes."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.random = world.random
        self.documents: dict[int, list[str]] = {tenant: [] for tenant in world.tenants}
        self.etags: dict[str, str] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.open: dict[Asked, None] = {}
        """To be repeated."""
        self.busy: set[str] = set()
        """Subscriptions whose owner waits for an answer: one change of each at a time."""
        self.calls = 0
        self.writes = 0

    # --- Asking -------------------------------------------------------------------------------------------------------

    def uuid(self) -> str:
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def _key(self, tenant: int) -> IdempotencyKey:
        self.calls += 1
        return IdempotencyKey(tenant, f"key-{self.calls}", self.calls.to_bytes(8, "big"))

    def _maybe_key(self, tenant: int) -> IdempotencyKey | None:
        return self._key(tenant) if self.random.random() < 0.6 else None

    async def ask(self, life: "Life", asked: Asked) -> None:
        world = self.world
        asked.tries += 1
        if asked.tries == 1:
            asked.first_at, asked.first_wall = world.time.now, world.wall
            world.asked(asked)
        else:
            world.trace("repeats", asked)
        self.open.pop(asked, None)
        life.waiting[asked] = None
        error: Exception | None = None
        answer = None
        try:
            async with asyncio.timeout(self._patience(asked)):
                answer = await life.engine.submit(asked.command)
            told = Told.DONE
        except TimeoutError:
            self.world.counts["client gone"] += 1
            told = Told.UNKNOWN
        except CallerError as refused:
            told, error = Told.REFUSED, refused
        except OutcomeUnknown as unknown:
            told, error = Told.UNKNOWN, unknown
        except Unavailable as unavailable:
            told, error = Told.NOTHING, unavailable
        except Exception as defect:
            told, error = Told.UNKNOWN, defect
        if not life.is_dead:  # else nobody hears it
            del life.waiting[asked]
            self.hear(asked, told, answer, error)

    def _patience(self, asked: Asked) -> float | None:
        """Seconds that the client waits; None: as long as it takes."""
        is_hasty = asked.subscription is None and self.random.random() < 0.03
        return self.random.uniform(0, 3 * self.world.plan.commit_seconds) if is_hasty else None

    def lost(self, life: "Life") -> None:
        """A process ended: its clients never hear the answers that they wait for."""
        for asked in list(life.waiting):
            self.hear(asked, Told.UNKNOWN, None, None)
        life.waiting.clear()

    def hear(self, asked: Asked, told: Told, answer: Any, error: Exception | None) -> None:
        asked.answer, asked.error, asked.told = answer, error, told
        if told is Told.UNKNOWN:
            asked.may_have_happened = True
        if told is Told.NOTHING and asked.may_have_happened:
            asked.told = Told.UNKNOWN
        asked.answered_at = self.world.time.now
        is_owners = asked.subscription is not None
        repeatable = asked.is_keyed and asked.kind != "reuse" and (is_owners or self.random.random() < 0.8)
        fresh = self.world.wall - asked.first_wall < KEY_KEPT
        if told in (Told.UNKNOWN, Told.NOTHING) and repeatable and (fresh or is_owners):
            assert fresh, "an owner's call was left open for too long: the world must not leap so far"
            self.open[asked] = None
        else:
            for settled in asked.on_settled:
                settled(asked)
        self.world.told(asked)

    async def repeat_open(self, life: "Life") -> None:
        for asked in list(self.open):
            if self.world.wall - asked.first_wall < KEY_KEPT:
                await self.ask(life, asked)
            else:
                del self.open[asked]
                asked.told = Told.UNKNOWN if asked.may_have_happened else Told.NOTHING
                for settled in asked.on_settled:
                    settled(asked)

    # --- Documents ----------------------------------------------------------------------------------------------------

    async def write(self, life: "Life") -> None:
        """Change documents, now and then, as long as the process lives."""
        random, world = self.random, self.world
        while self.writes < world.plan.writes_most:
            burst = random.choice(world.plan.bursts)
            await asyncio.gather(*(self.ask(life, self._change(life)) for _ in range(burst)))
            await asyncio.sleep(random.choice(world.plan.pauses))

    def _change(self, life: "Life") -> Asked:
        random = self.random
        self.writes += 1
        tenant = random.choice(self.world.tenants)
        documents = self.documents[tenant]
        chance = random.random()
        if not documents or (chance < 0.15 and len(documents) < self.world.plan.documents_most):
            return self._create(tenant)
        document = random.choice(documents)
        if chance < 0.8:
            return self._patch(tenant, document)
        if chance < 0.9:
            return self._import(tenant, document if random.random() < 0.7 else self.uuid())
        if chance < 0.93:
            return self._patch_nothing(tenant, document)
        if chance < 0.94:
            return self._poison(tenant)
        if chance < 0.95:
            return self._use_again(tenant, document)
        return self._delete(tenant, document)

    def _fields(self) -> dict[str, Any]:
        return {
            "type": "letter",
            "title": self._marker(),
            "ownerEmail": "o@example.com",
            "authorEmail": "a@example.com",
        }

    def _marker(self) -> str:
        return f"t{self.writes}"

    def _create(self, tenant: int) -> Asked:
        document = self.uuid()
        command = CreateDocument(
            tenant_id=tenant, document_id=document, checked=self._fields(), source_app="simulation",
            idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        asked = Asked("create", command, self._marker())
        asked.on_settled.append(lambda _: self.documents[tenant].append(document))
        return asked

    def _patch(self, tenant: int, document: str) -> Asked:
        etag = self.etags.get(document)
        precondition = frozenset({etag}) if etag is not None and self.random.random() < 0.2 else None
        command = PatchDocument(
            tenant_id=tenant, document_id=document, checked={"title": self._marker()}, if_match=precondition,
            idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        return self._follow_etag(Asked("patch", command, self._marker()), document)

    def _patch_nothing(self, tenant: int, document: str) -> Asked:
        command = PatchDocument(
            tenant_id=tenant, document_id=document, checked={"type": "letter"}, idempotency=self._maybe_key(tenant)
        )
        return self._follow_etag(Asked("patch nothing", command), document)

    def _import(self, tenant: int, document: str) -> Asked:
        if document not in self.documents[tenant]:
            self.documents[tenant].append(document)
        version = self.random.choice((None, self.writes, self.random.randrange(self.writes + 1)))
        command = ImportDocument(
            tenant_id=tenant, document_id=document, checked={**self._fields(), **_ELSEWHERE}, source_version=version,
            idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        return self._follow_etag(Asked("import", command, self._marker()), document)

    def _poison(self, tenant: int) -> Asked:
        """Something that the database itself refuses, and that no check had caught."""
        command = ImportDocument(
            tenant_id=tenant, document_id=self.uuid(), checked={**self._fields(), **_ELSEWHERE}, source_version=1 << 70
        )
        return Asked("poison", command, self._marker())

    def _use_again(self, tenant: int, document: str) -> Asked:
        """Another change under a key that was used."""
        recent = (asked for asked in self.world.calls[-30:] if asked.subscription is None and asked.tenant == tenant)
        used = [asked for asked in recent if asked.is_keyed]
        if not used:
            return self._patch(tenant, document)
        earlier = self.random.choice(used)
        assert earlier.command.idempotency is not None
        key = earlier.command.idempotency._replace(request_hash=f"another {self.writes}".encode())
        command = PatchDocument(
            tenant_id=tenant, document_id=document, checked={"title": self._marker()}, idempotency=key
        )
        asked = Asked("reuse", command, self._marker())
        asked.must_be_refused = earlier.told is Told.DONE and self.world.wall - earlier.first_wall < KEY_KEPT
        return asked

    def _delete(self, tenant: int, document: str) -> Asked:
        command = DeleteDocument(tenant_id=tenant, document_id=document, idempotency=self._maybe_key(tenant))
        return Asked("delete", command)

    def _follow_etag(self, asked: Asked, document: str) -> Asked:
        def follow(settled: Asked) -> None:
            if settled.answer is not None:
                self.etags[document] = dict(settled.answer.headers)["etag"]

        asked.on_settled.append(follow)
        return asked

    # --- Subscriptions ------------------------------------------------------------------------------------------------

    async def own(self, life: "Life") -> None:
        """Change subscriptions, now and then."""
        random = self.random
        while True:
            await asyncio.sleep(random.choice(self.world.plan.pauses) + random.random())
            subscriber = self._idle_one()
            if subscriber is None:
                continue
            act = random.choices(
                [self._refilter, self._pause, self._resume, self._retry, self._replay, self._rotate, self._promote,
                 self._reorder, self._limit, self._move, self._redelay, self._cancel, self._try, self._remove],
                [4, 2, 4, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0.3],
            )[0]  # fmt: skip
            await act(life, subscriber)

    def _idle_one(self) -> Subscriber | None:
        idle = [
            each
            for each in self.subscribers.values()
            if each.key not in self.busy and each.starts_after is not None and not each.deleted.last
        ]
        return self.random.choice(idle) if idle else None

    async def subscribe(self, life: "Life", key: str, tenant: int, **given: Any) -> None:
        random = self.random
        given = {
            "eventTypes": random.choice((7, 7, 7, 7, 2, 3, 5)),
            "ordering": random.choice(("loose", "loose", "strict")),
            "rateLimit": random.choice((None, None, None, None, 2, 20)),
            "retryDelays": random.choice(_ALL_DELAYS),
            "secret": self._secret(),
            **given,
        }
        world = self.world
        last = world.last(life, tenant)
        subscriber = Subscriber(key, tenant, self.uuid(), world.time.now, last, {**given, "path": "/1", "header": "1"})
        self.subscribers[key] = subscriber
        checked = {name: value for name, value in given.items() if name not in ("retryDelays", "secret")}
        command = CreateSubscription(
            tenant_id=tenant,
            subscription_id=subscriber.id,
            checked={**checked, "url": f"https://{key}/1", "headers": {"x-version": "1"}},
            secret=given["secret"],
            retry_delays=given["retryDelays"],
            idempotency=self._key(tenant),
        )
        asked = self._owned("subscribe", command, subscriber)

        def learn(settled: Asked) -> None:
            assert settled.answer is not None
            subscriber.starts_after = msgspec.json.decode(settled.answer.body)["startsAfter"]

        asked.on_settled.append(learn)
        await self.ask(life, asked)

    def _secret(self) -> str:
        random = self.random
        return random.choice(
            (f"secret-{random.getrandbits(64):x}", "whsec_" + b64encode(random.randbytes(32)).decode())
        )

    def _owned(self, kind: str, command: Command, subscriber: Subscriber, *changes: Change[Any]) -> Asked:
        asked = Asked(f"{kind} {subscriber.key}", command, "", subscriber)
        self.busy.add(subscriber.key)

        def settle(_settled: Asked) -> None:
            self.busy.discard(subscriber.key)

        asked.on_settled.append(settle)
        asked.on_settled += [partial(self._settle, change) for change in changes]
        return asked

    def _settle(self, change: Change[Any], asked: Asked) -> None:
        if asked.told is Told.DONE:
            change.done = self.world.time.now
        else:
            assert asked.subscription is not None
            asked.subscription.void(change)

    def _patch_of(self, subscriber: Subscriber, **checked: Any) -> PatchSubscription:
        return PatchSubscription(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, checked=checked,
            idempotency=self._key(subscriber.tenant),
        )  # fmt: skip

    async def _refilter(self, life: "Life", subscriber: Subscriber) -> None:
        world, types = self.world, self.random.randrange(1, 8)
        change = subscriber.filters.begin(types, world.last(life, subscriber.tenant))
        asked = self._owned(f"filter {types} of", self._patch_of(subscriber, eventTypes=types), subscriber)

        def settle(settled: Asked) -> None:
            if settled.told is Told.DONE:
                change.done = world.last(world.life, subscriber.tenant)
            else:
                subscriber.void(change)

        asked.on_settled.append(settle)
        await self.ask(life, asked)

    async def _pause(self, life: "Life", subscriber: Subscriber) -> None:
        change = subscriber.status.begin("paused", self.world.time.now)
        command = self._patch_of(subscriber, status="paused")
        await self.ask(life, self._owned("pause", command, subscriber, change))

    async def _resume(self, life: "Life", subscriber: Subscriber) -> None:
        world = self.world
        skips = subscriber.status.last == "paused" and self.random.random() < 0.25
        change = subscriber.status.begin("active", world.time.now)
        fields = {"status": "active", **({"skipBacklog": True} if skips else {})}
        asked = self._owned(
            "skip and resume" if skips else "resume", self._patch_of(subscriber, **fields), subscriber, change
        )
        if skips:
            last = world.last(life, subscriber.tenant)
            skip = Change(last, last, None)
            subscriber.skips.append(skip)

            def settle(settled: Asked) -> None:
                if settled.told is Told.DONE:
                    skip.done = world.last(world.life, subscriber.tenant)
                    flying = (d.sequence for d in world.deliveries.values() if d.subscriber is subscriber and d.flying)
                    subscriber.skipped.append(Skipped(skip.value, world.time.now, set(flying)))
                else:
                    subscriber.void(skip)

            asked.on_settled.append(settle)
        await self.ask(life, asked)

    async def resume_all(self, life: "Life") -> None:
        for subscriber in list(self.subscribers.values()):
            found = life.engine.subscription(subscriber.tenant, subscriber.id)
            if found is not None and found.status != "active":
                change = subscriber.status.begin("active", self.world.time.now)
                command = self._patch_of(subscriber, status="active")
                await self.ask(life, self._owned("resume", command, subscriber, change))

    async def _reorder(self, life: "Life", subscriber: Subscriber) -> None:
        ordering = "loose" if subscriber.ordering.last == "strict" else "strict"
        change = subscriber.ordering.begin(ordering, self.world.time.now)
        command = self._patch_of(subscriber, ordering=ordering)
        await self.ask(life, self._owned(f"order {ordering}", command, subscriber, change))

    async def _limit(self, life: "Life", subscriber: Subscriber) -> None:
        rate = self.random.choice((None, 2, 20))
        change = subscriber.rate_limit.begin(rate, self.world.time.now)
        command = self._patch_of(subscriber, rateLimit=rate)
        await self.ask(life, self._owned(f"limit to {rate}", command, subscriber, change))

    async def _redelay(self, life: "Life", subscriber: Subscriber) -> None:
        delays = self.random.choice(_ALL_DELAYS)
        change = subscriber.retry_delays.begin(delays, self.world.time.now)
        command = self._patch_of(subscriber, retryDelays=delays)
        await self.ask(life, self._owned(f"delays {delays} for", command, subscriber, change))

    async def _move(self, life: "Life", subscriber: Subscriber) -> None:
        number = str(int(subscriber.path.last[1:]) + 1)
        changes = (
            subscriber.path.begin(f"/{number}", self.world.time.now),
            subscriber.header.begin(number, self.world.time.now),
        )
        command = self._patch_of(subscriber, url=f"https://{subscriber.key}/{number}", headers={"x-version": number})
        await self.ask(life, self._owned("move", command, subscriber, *changes))

    async def _rotate(self, life: "Life", subscriber: Subscriber) -> None:
        made, hours = self._secret(), self.random.choice((0, 1, 1, 24))
        before = subscriber.secrets.last
        after = Secrets(made) if hours == 0 else Secrets(before.current, made)
        change = subscriber.secrets.begin(after, self.world.time.now)
        command = RotateSecret(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, secret=made, overlap_hours=hours,
            idempotency=self._key(subscriber.tenant),
        )  # fmt: skip
        asked = self._owned(f"rotate, {hours} h,", command, subscriber, change)

        def learn(settled: Asked) -> None:
            if settled.answer is not None and hours:
                ends = msgspec.json.decode(settled.answer.body)["rotationEndsAt"]
                # The rotation before, if its time was over, has come to its end with this one.
                current = before.next if before.next is not None else before.current
                change.value = Secrets(current, made, parse_timestamp(ends))

        asked.on_settled.append(learn)
        await self.ask(life, asked)

    async def _promote(self, life: "Life", subscriber: Subscriber) -> None:
        before = subscriber.secrets.last
        change = subscriber.secrets.begin(Secrets(before.next or before.current), self.world.time.now)
        command = PromoteSecret(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, idempotency=self._key(subscriber.tenant)
        )
        await self.ask(life, self._owned("promote", command, subscriber, change))

    async def _remove(self, life: "Life", subscriber: Subscriber) -> None:
        change = subscriber.deleted.begin(value=True, mark=self.world.time.now)
        command = DeleteSubscription(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, idempotency=self._key(subscriber.tenant)
        )
        await self.ask(life, self._owned("delete", command, subscriber, change))

    # --- Again --------------------------------------------------------------------------------------------------------

    async def _retry(self, life: "Life", subscriber: Subscriber) -> None:
        entries = self.world.entries[subscriber.tenant]
        if not entries:
            return
        entry = self.random.choice(entries[-40:])
        command = RetryDelivery(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, sequence=entry.sequence, event_type=entry.type,
            event_document_id=entry.document_id, idempotency=self._key(subscriber.tenant),
        )  # fmt: skip
        await self._again(life, subscriber, f"retry #{entry.sequence} of", command, entry.sequence, entry.sequence)

    async def _replay(self, life: "Life", subscriber: Subscriber) -> None:
        found = life.engine.subscription(subscriber.tenant, subscriber.id)
        if found is None:
            return
        head = life.engine.head(found)
        first = self.random.randrange(head + 1)
        last = min(head, first + self.random.choice((0, 5, 30, 1000)))
        what: What = self.random.choice(("failed", "all"))
        count, capped = await life.store.count_replayable(found, first, last, what)
        identity = self.uuid()
        command = StartReplay(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, replay_id=identity, what=what, from_at=0,
            to_at=self.world.wall, from_sequence=first, to_sequence=last, count=count, count_is_capped=capped,
            idempotency=self._key(subscriber.tenant),
        )  # fmt: skip
        await self._again(
            life, subscriber, f"replay {what} #{first} to {last} of", command, first, last, identity, what
        )

    async def _again(
        self,
        life: "Life",
        subscriber: Subscriber,
        kind: str,
        command: Command,
        first: int,
        last: int,
        replay_id: str | None = None,
        what: str = "retry",
    ) -> None:
        asked = self._owned(kind, command, subscriber)
        failed = frozenset(s for s in range(first, last + 1) if self.world.delivery(subscriber, s).is_given_up)
        again = Again(first, last, self.world.time.now, replay_id, what, failed, asked)
        subscriber.again.append(again)

        def settle(settled: Asked) -> None:
            if settled.told is not Told.DONE:
                subscriber.again.remove(again)

        asked.on_settled.append(settle)
        await self.ask(life, asked)

    async def _cancel(self, life: "Life", subscriber: Subscriber) -> None:
        replays = [again.replay_id for again in subscriber.again if again.replay_id is not None]
        if replays:
            command = CancelReplay(
                tenant_id=subscriber.tenant, subscription_id=subscriber.id, replay_id=self.random.choice(replays),
                idempotency=self._key(subscriber.tenant),
            )  # fmt: skip
            await self.ask(life, self._owned("cancel a replay of", command, subscriber))

    async def _try(self, life: "Life", subscriber: Subscriber) -> None:
        found = life.engine.subscription(subscriber.tenant, subscriber.id)
        if found is not None:
            event = sample.event(EventType.CREATED, subscriber.tenant, self.world.wall, self.random.getrandbits)
            try:
                await life.engine.test(found, event)
            except TooMany:
                self.world.trace("too many tests", subscriber)


Act = Callable[["Life", Subscriber], Any]
