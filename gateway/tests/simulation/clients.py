"""The clients of a simulated gateway: writers of documents, owners of subscriptions. They keep what they were told.

Each call goes in as the command that the API's handler would submit. A client whose call ended without an answer
repeats it with its key, to this process or the next; one without a key never learns what happened to it.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from gateway.tests.bodies import document_patch, new_document, snapshot, subscription_patch, subscription_request
from gateway.tests.simulation.history import CallStatus, ClientCall, Entry, Resend, Secrets, SkippedBacklog, Subscriber
from gateway.tests.world.process import LINKS
from gateway.tests.world.timeline import Change

from signalpost.api.rendering import respond
from signalpost.commands.command import Command, IdempotencyKey
from signalpost.commands.deliveries import RetryDelivery
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument
from signalpost.commands.replays import CancelReplay, StartReplay
from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.commands.subscriptions import CreateSubscription, DeleteSubscription, PatchSubscription
from signalpost.domain.delivery.replay import ReplayChoice, ReplayRange, What
from signalpost.domain.documents import sample
from signalpost.domain.errors import CallerError, OutcomeUnknown, TooMany, Unavailable
from signalpost.domain.event import EventType
from signalpost.domain.key_pair import stand_in
from signalpost.domain.timestamps import SECOND, parse_timestamp

if TYPE_CHECKING:
    from gateway.tests.simulation.process import SimulatedProcess
    from gateway.tests.simulation.seeded_world import SeededWorld

KEY_KEPT = 20 * 3600 * SECOND
"""For so long a call is repeated; a gateway forgets its key after 24 h."""
_ELSEWHERE = {"status": "created", "createdAt": "2026-01-01T00:00:00.000000+00:00", "sourceApp": "other"}
"""What an import says beside a new document's fields."""
_ALL_DELAYS = ((10, 60, 300), (10, 60, 300), (10, 60, 300), (), (1, 2, 4, 8))


class Clients:
    """All of a world's. They outlive the gateway's processes."""

    def __init__(self, world: "SeededWorld") -> None:
        self.world = world
        self.random = world.random
        self.documents: dict[int, list[str]] = {tenant: [] for tenant in world.tenants}
        self.etags: dict[str, str] = {}
        self.subscribers: dict[str, Subscriber] = {}
        self.open: dict[ClientCall, None] = {}
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

    async def ask(self, process: "SimulatedProcess", call: ClientCall) -> None:
        world = self.world
        call.tries += 1
        if call.tries == 1:
            call.first_at, call.first_wall = world.time.now, world.wall.now
            world.called(call)
        else:
            world.trace("repeats", call)
        self.open.pop(call, None)
        process.waiting[call] = None
        error: Exception | None = None
        answer = None
        try:
            async with asyncio.timeout(self._patience(call)):
                answer = respond(await process.engine.submit(call.command), LINKS)
            status = CallStatus.DONE
        except TimeoutError:
            self.world.counts["client gone"] += 1
            status = CallStatus.UNKNOWN
        except CallerError as refused:
            status, error = CallStatus.REFUSED, refused
        except OutcomeUnknown as unknown:
            status, error = CallStatus.UNKNOWN, unknown
        except Unavailable as unavailable:
            status, error = CallStatus.NOTHING, unavailable
        except Exception as defect:
            status, error = CallStatus.UNKNOWN, defect
        if not process.is_dead:  # else nobody hears it
            del process.waiting[call]
            self.hear(call, status, answer, error)

    def _patience(self, call: ClientCall) -> float | None:
        """Seconds that the client waits; None: as long as it takes."""
        is_hasty = call.subscription is None and self.random.random() < 0.03
        return self.random.uniform(0, 3 * self.world.plan.commit_seconds) if is_hasty else None

    def lost(self, process: "SimulatedProcess") -> None:
        """A process ended: its clients never hear the answers that they wait for."""
        for call in list(process.waiting):
            self.hear(call, CallStatus.UNKNOWN, None, None)
        process.waiting.clear()

    def hear(self, call: ClientCall, status: CallStatus, answer: Any, error: Exception | None) -> None:
        call.answer, call.error, call.status = answer, error, status
        if status is CallStatus.UNKNOWN:
            call.may_have_happened = True
        if status is CallStatus.NOTHING and call.may_have_happened:
            call.status = CallStatus.UNKNOWN
        call.answered_at = self.world.time.now
        is_owners = call.subscription is not None
        repeatable = call.is_keyed and call.kind != "reuse" and (is_owners or self.random.random() < 0.8)
        fresh = self.world.wall.now - call.first_wall < KEY_KEPT
        if status in (CallStatus.UNKNOWN, CallStatus.NOTHING) and repeatable and (fresh or is_owners):
            assert fresh, "an owner's call was left open for too long: the world must not leap so far"
            self.open[call] = None
        else:
            for settled in call.on_settled:
                settled(call)
        self.world.answered(call)

    async def repeat_open(self, process: "SimulatedProcess") -> None:
        for call in list(self.open):
            if self.world.wall.now - call.first_wall < KEY_KEPT:
                await self.ask(process, call)
            else:
                del self.open[call]
                call.status = CallStatus.UNKNOWN if call.may_have_happened else CallStatus.NOTHING
                for settled in call.on_settled:
                    settled(call)

    # --- Documents ----------------------------------------------------------------------------------------------------

    async def write(self, process: "SimulatedProcess") -> None:
        """Change documents, now and then, as long as the process lives."""
        random, world = self.random, self.world
        while self.writes < world.plan.writes_most:
            burst = random.choice(world.plan.bursts)
            await asyncio.gather(*(self.ask(process, self._change(process)) for _ in range(burst)))
            await asyncio.sleep(random.choice(world.plan.pauses))

    def _change(self, process: "SimulatedProcess") -> ClientCall:
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

    def _create(self, tenant: int) -> ClientCall:
        document = self.uuid()
        command = CreateDocument(
            tenant_id=tenant, document_id=document, new=new_document(**self._fields()), source_app="simulation",
            idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        call = ClientCall("create", command, self._marker())
        call.on_settled.append(lambda _: self.documents[tenant].append(document))
        return call

    def _patch(self, tenant: int, document: str) -> ClientCall:
        etag = self.etags.get(document)
        precondition = frozenset({etag}) if etag is not None and self.random.random() < 0.2 else None
        command = PatchDocument(
            tenant_id=tenant, document_id=document, patch=document_patch(title=self._marker()), if_match=precondition,
            idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        return self._follow_etag(ClientCall("patch", command, self._marker()), document)

    def _patch_nothing(self, tenant: int, document: str) -> ClientCall:
        command = PatchDocument(
            tenant_id=tenant,
            document_id=document,
            patch=document_patch(type="letter"),
            idempotency=self._maybe_key(tenant),
        )
        return self._follow_etag(ClientCall("patch nothing", command), document)

    def _import(self, tenant: int, document: str) -> ClientCall:
        if document not in self.documents[tenant]:
            self.documents[tenant].append(document)
        version = self.random.choice((None, self.writes, self.random.randrange(self.writes + 1)))
        command = ImportDocument(
            tenant_id=tenant, document_id=document, snapshot=snapshot(**self._fields(), **_ELSEWHERE),
            source_version=version, idempotency=self._maybe_key(tenant),
        )  # fmt: skip
        return self._follow_etag(ClientCall("import", command, self._marker()), document)

    def _poison(self, tenant: int) -> ClientCall:
        """Something that the database itself refuses, and that no check had caught."""
        command = ImportDocument(
            tenant_id=tenant,
            document_id=self.uuid(),
            snapshot=snapshot(**self._fields(), **_ELSEWHERE),
            source_version=1 << 70,
        )
        return ClientCall("poison", command, self._marker())

    def _use_again(self, tenant: int, document: str) -> ClientCall:
        """Another change under a key that was used."""
        recent = (call for call in self.world.calls[-30:] if call.subscription is None and call.tenant == tenant)
        used = [call for call in recent if call.is_keyed]
        if not used:
            return self._patch(tenant, document)
        earlier = self.random.choice(used)
        assert earlier.command.idempotency is not None
        key = earlier.command.idempotency._replace(request_hash=f"another {self.writes}".encode())
        command = PatchDocument(
            tenant_id=tenant, document_id=document, patch=document_patch(title=self._marker()), idempotency=key
        )
        call = ClientCall("reuse", command, self._marker())
        call.must_be_refused = earlier.status is CallStatus.DONE and self.world.wall.now - earlier.first_wall < KEY_KEPT
        return call

    def _delete(self, tenant: int, document: str) -> ClientCall:
        command = DeleteDocument(tenant_id=tenant, document_id=document, idempotency=self._maybe_key(tenant))
        return ClientCall("delete", command)

    def _follow_etag(self, call: ClientCall, document: str) -> ClientCall:
        def follow(settled: ClientCall) -> None:
            if settled.answer is not None:
                self.etags[document] = dict(settled.answer.headers)["etag"]

        call.on_settled.append(follow)
        return call

    # --- Subscriptions ------------------------------------------------------------------------------------------------

    async def own(self, process: "SimulatedProcess") -> None:
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
                [4, 2, 4, 6, 3, 2, 2, 1, 1, 1, 1, 1, 1, 0.3],
            )[0]  # fmt: skip
            await act(process, subscriber)

    def _idle_one(self) -> Subscriber | None:
        idle = [
            each
            for each in self.subscribers.values()
            if each.key not in self.busy and each.starts_after is not None and not each.deleted.last
        ]
        return self.random.choice(idle) if idle else None

    async def subscribe(self, process: "SimulatedProcess", key: str, tenant: int, **given: Any) -> None:
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
        last = world.last(process, tenant)
        subscriber = Subscriber(key, tenant, self.uuid(), world.time.now, last, {**given, "path": "/1", "header": "1"})
        self.subscribers[key] = subscriber
        changed = {"url": f"https://{key}/1", "headers": {"x-version": "1"}}
        body = {name: value for name, value in given.items() if name not in ("retryDelays", "secret")} | changed
        command = CreateSubscription(
            tenant_id=tenant,
            subscription_id=subscriber.id,
            new=subscription_request(**body),
            secret=given["secret"],
            key_pair=stand_in(given["secret"]) if subscriber.has_key_pair else None,
            retry_delays=given["retryDelays"],
            idempotency=self._key(tenant),
        )
        call = self._owned("subscribe", command, subscriber)

        def learn(settled: ClientCall) -> None:
            assert settled.answer is not None
            subscriber.starts_after = msgspec.json.decode(settled.answer.body)["startsAfter"]

        call.on_settled.append(learn)
        await self.ask(process, call)

    def _secret(self) -> str:
        random = self.random
        return random.choice(
            (f"secret-{random.getrandbits(64):x}", "whsec_" + b64encode(random.randbytes(32)).decode())
        )

    def _owned(self, kind: str, command: Command[Any], subscriber: Subscriber, *changes: Change[Any]) -> ClientCall:
        call = ClientCall(f"{kind} {subscriber.key}", command, "", subscriber)
        self.busy.add(subscriber.key)

        def settle(_settled: ClientCall) -> None:
            self.busy.discard(subscriber.key)

        call.on_settled.append(settle)
        call.on_settled += [partial(self._settle, change) for change in changes]
        return call

    def _settle(self, change: Change[Any], call: ClientCall) -> None:
        if call.status is CallStatus.DONE:
            change.done = self.world.time.now
        else:
            assert call.subscription is not None
            call.subscription.void(change)

    def _patch_of(self, subscriber: Subscriber, **given: Any) -> PatchSubscription:
        return PatchSubscription(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, patch=subscription_patch(**given),
            idempotency=self._key(subscriber.tenant),
        )  # fmt: skip

    async def _refilter(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        world, types = self.world, self.random.randrange(1, 8)
        change = subscriber.filters.begin(types, world.last(process, subscriber.tenant))
        call = self._owned(f"filter {types} of", self._patch_of(subscriber, eventTypes=types), subscriber)

        def settle(settled: ClientCall) -> None:
            if settled.status is CallStatus.DONE:
                change.done = world.last(world.process, subscriber.tenant)
            else:
                subscriber.void(change)

        call.on_settled.append(settle)
        await self.ask(process, call)

    async def _pause(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        change = subscriber.status.begin("paused", self.world.time.now)
        command = self._patch_of(subscriber, status="paused")
        await self.ask(process, self._owned("pause", command, subscriber, change))

    async def _resume(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        world = self.world
        skips = subscriber.status.last == "paused" and self.random.random() < 0.25
        change = subscriber.status.begin("active", world.time.now)
        fields = {"status": "active", **({"skipBacklog": True} if skips else {})}
        call = self._owned(
            "skip and resume" if skips else "resume", self._patch_of(subscriber, **fields), subscriber, change
        )
        if skips:
            last = world.last(process, subscriber.tenant)
            skip = Change(last, last, None)
            subscriber.skips.append(skip)

            def settle(settled: ClientCall) -> None:
                if settled.status is CallStatus.DONE:
                    skip.done = world.last(world.process, subscriber.tenant)
                    in_flight = (
                        d.sequence for d in world.deliveries.values() if d.subscriber is subscriber and d.in_flight
                    )
                    subscriber.skipped.append(SkippedBacklog(skip.value, world.time.now, set(in_flight)))
                else:
                    subscriber.void(skip)

            call.on_settled.append(settle)
        await self.ask(process, call)

    async def resume_all(self, process: "SimulatedProcess") -> None:
        for subscriber in list(self.subscribers.values()):
            found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
            if found is not None and found.status != "active":
                change = subscriber.status.begin("active", self.world.time.now)
                command = self._patch_of(subscriber, status="active")
                await self.ask(process, self._owned("resume", command, subscriber, change))

    async def _reorder(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        ordering = "loose" if subscriber.ordering.last == "strict" else "strict"
        change = subscriber.ordering.begin(ordering, self.world.time.now)
        command = self._patch_of(subscriber, ordering=ordering)
        await self.ask(process, self._owned(f"order {ordering}", command, subscriber, change))

    async def _limit(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        rate = self.random.choice((None, 2, 20))
        change = subscriber.rate_limit.begin(rate, self.world.time.now)
        command = self._patch_of(subscriber, rateLimit=rate)
        await self.ask(process, self._owned(f"limit to {rate}", command, subscriber, change))

    async def _redelay(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        delays = self.random.choice(_ALL_DELAYS)
        change = subscriber.retry_delays.begin(delays, self.world.time.now)
        command = self._patch_of(subscriber, retryDelays=delays)
        await self.ask(process, self._owned(f"delays {delays} for", command, subscriber, change))

    async def _move(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        number = str(int(subscriber.path.last[1:]) + 1)
        changes = (
            subscriber.path.begin(f"/{number}", self.world.time.now),
            subscriber.header.begin(number, self.world.time.now),
        )
        command = self._patch_of(subscriber, url=f"https://{subscriber.key}/{number}", headers={"x-version": number})
        await self.ask(process, self._owned("move", command, subscriber, *changes))

    async def _rotate(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        made, hours = self._secret(), self.random.choice((0, 1, 1, 24))
        before = subscriber.secrets.last
        after = Secrets(made) if hours == 0 else Secrets(before.current, made, instead=before.next)
        change = subscriber.secrets.begin(after, self.world.time.now)
        command = RotateSecret(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, secret=made, overlap_hours=hours,
            key_pair=stand_in(made), idempotency=self._key(subscriber.tenant),
        )  # fmt: skip
        call = self._owned(f"rotate, {hours} h,", command, subscriber, change)

        def learn(settled: ClientCall) -> None:
            if settled.answer is not None and hours:
                ends = msgspec.json.decode(settled.answer.body)["rotationEndsAt"]
                # The rotation before, if its time was over, has come to its end with this one.
                current = before.next if before.next is not None else before.current
                change.value = Secrets(current, made, parse_timestamp(ends))

        call.on_settled.append(learn)
        await self.ask(process, call)

    async def _promote(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        before = subscriber.secrets.last
        change = subscriber.secrets.begin(Secrets(before.next or before.current), self.world.time.now)
        command = PromoteSecret(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, idempotency=self._key(subscriber.tenant)
        )
        await self.ask(process, self._owned("promote", command, subscriber, change))

    async def _remove(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        change = subscriber.deleted.begin(value=True, mark=self.world.time.now)
        command = DeleteSubscription(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, idempotency=self._key(subscriber.tenant)
        )
        await self.ask(process, self._owned("delete", command, subscriber, change))

    # --- Again --------------------------------------------------------------------------------------------------------

    async def _retry(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        """Retry one event by hand; some owners click a second or a third time while the first attempt is in flight."""
        entry = self._to_retry(subscriber)
        if entry is None:
            return
        for _ in range(self.random.choice((1, 1, 2, 3))):
            command = RetryDelivery(
                tenant_id=subscriber.tenant, subscription_id=subscriber.id, sequence=entry.sequence,
                event_type=entry.type, event_document_id=entry.document_id, idempotency=self._key(subscriber.tenant),
            )  # fmt: skip
            kind = f"retry #{entry.sequence} of"
            await self._resend(process, subscriber, kind, command, entry.sequence, entry.sequence)
            await asyncio.sleep(self.random.uniform(0.0, 0.06))

    def _to_retry(self, subscriber: Subscriber) -> Entry | None:
        """An event to retry by hand: one that is in flight, or waits for its retry, or was given up, or any one."""
        entries = self.world.entries[subscriber.tenant]
        seen = [delivery for delivery in self.world.deliveries.values() if delivery.subscriber is subscriber]
        kinds = (
            [delivery for delivery in seen if delivery.in_flight],
            [delivery for delivery in seen if not delivery.in_flight and not delivery.is_over],
            [delivery for delivery in seen if delivery.is_given_up],
        )
        chosen = self.random.choice((*kinds, None))
        if chosen:
            return self.world.entry(subscriber.tenant, self.random.choice(chosen).sequence)
        return self.random.choice(entries[-40:]) if entries else None

    async def _replay(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
        if found is None:
            return
        head = process.engine.lanes.views.head(found)
        first = self.random.randrange(head + 1)
        last = min(head, first + self.random.choice((0, 5, 30, 1000)))
        what: What = self.random.choice(("failed", "all"))
        count, capped = await process.store.replays.count(found, first, last, ReplayChoice(what))
        identity = self.uuid()
        command = StartReplay(
            tenant_id=subscriber.tenant, subscription_id=subscriber.id, replay_id=identity, choice=ReplayChoice(what),
            range=ReplayRange(from_at=0, to_at=self.world.wall.now, from_sequence=first, to_sequence=last), count=count,
            count_is_capped=capped, idempotency=self._key(subscriber.tenant),
        )  # fmt: skip
        await self._resend(
            process, subscriber, f"replay {what} #{first} to {last} of", command, first, last, identity, what
        )

    async def _resend(
        self,
        process: "SimulatedProcess",
        subscriber: Subscriber,
        kind: str,
        command: Command[Any],
        first: int,
        last: int,
        replay_id: str | None = None,
        what: str = "retry",
    ) -> None:
        call = self._owned(kind, command, subscriber)
        failed = frozenset(s for s in range(first, last + 1) if self.world.delivery(subscriber, s).is_given_up)
        resend = Resend(first, last, self.world.time.now, replay_id, what, failed, call)
        subscriber.resends.append(resend)

        def settle(settled: ClientCall) -> None:
            if settled.status is not CallStatus.DONE:
                subscriber.resends.remove(resend)

        call.on_settled.append(settle)
        await self.ask(process, call)

    async def _cancel(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        replays = [resend.replay_id for resend in subscriber.resends if resend.replay_id is not None]
        if replays:
            command = CancelReplay(
                tenant_id=subscriber.tenant, subscription_id=subscriber.id, replay_id=self.random.choice(replays),
                idempotency=self._key(subscriber.tenant),
            )  # fmt: skip
            await self.ask(process, self._owned("cancel a replay of", command, subscriber))

    async def _try(self, process: "SimulatedProcess", subscriber: Subscriber) -> None:
        found = process.engine.directory.subscription(subscriber.tenant, subscriber.id)
        if found is not None:
            event = sample.event(EventType.CREATED, subscriber.tenant, self.world.wall.now, self.random.getrandbits)
            try:
                await process.engine.endpoint_tests.run(found, event)
            except TooMany:
                self.world.trace("too many tests", subscriber)


Act = Callable[["SimulatedProcess", Subscriber], Any]
