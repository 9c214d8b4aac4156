"""Shadows of webhooks, whose endpoints are owners' too: what they get, what their owners do with them, and that nothing
of it costs their originals anything.

What is drawn for them, and what their endpoints answer, has randomness of its own, so that nothing is drawn in another
way in the world of a seed without shadows. What the model says of originals is what it says without shadows. A
promotion is a change of an original's URL, headers and secrets like any other: so an original sends every event that it
would have sent, once, at once, and to the endpoint that it has by then."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import HOUR
from gateway.tests.joints.receivers import Endpoint
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.verdicts import MUST, Earlier
from gateway.tests.world.model.wishes import Skip, Wish
from gateway.tests.world.network import SentRequest
from gateway.tests.world.timeline import Change, Timeline

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

RULE = "shadow"
DOMAIN = "shadow.example"
"""None of an original, so that a shadow begins with headers of its own."""
LATE = 60.0
"""The seconds by which an attempt may begin after the hour in which an event is wanted: it was chosen before."""
ACTING = 0.2
"""How often something is done with a shadow, of the times that clients do anything."""


class Shadow:
    def __init__(self, wish: Wish, original: Wish, endpoint: Endpoint, *, is_well: bool) -> None:
        self.wish = wish
        """What it wants: of events what its original wants, to an endpoint of its own."""
        self.original = original
        self.endpoint = endpoint
        """What answers where it was sent to first."""
        self.is_well = is_well
        """Whether that takes everything."""
        self.is_promoted = False
        """Whether a promotion was asked for."""
        self.attempts: dict[int, list[Attempt]] = {}
        """What was sent to it, by the event."""

    @property
    def host(self) -> str:
        """The host that it was sent to first."""
        return self.wish.name

    @property
    def is_there(self) -> bool:
        return bool(self.wish.id) and not self.wish.deleted.last and not self.original.deleted.last

    @property
    def has_headers_of_original(self) -> bool:
        """Whether both are at one origin, so that it has the headers of its original."""
        return _host(self.wish) == _host(self.original)

    def __repr__(self) -> str:
        return f"shadow of {self.original}"


Act = Callable[[JointNode, Shadow], Awaitable[None]]
"""Something that an owner does with a shadow."""


class Shadows:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"in the shadow {clients.world.seed}")
        drawn = self._random.choice((0, 0, 1)) * self._random.choice((1, 2))
        self._left = drawn if self._world.plan.shadows is None else self._world.plan.shadows
        self._at = self._random.uniform(0.05, 0.6) * self._world.plan.acts
        self._later = Random(f"a shadow's life {clients.world.seed}")
        self.by_host: dict[str, Shadow] = {}
        """The shadows, by the host that each was sent to first."""
        self._under_way: dict[SentRequest, Attempt] = {}
        self._acts: Mapping[Act, float] = {
            self._promote: 3, self._pause_or_resume: 4, self._move: 2, self._remove: 0.4,
        }  # fmt: skip
        """What owners do with a shadow, and how often."""

    # --- What is done with them ---------------------------------------------------------------------------------------

    async def act(self, node: JointNode) -> None:
        """Make a shadow if it is time for one, or do something with one now and then."""
        if self._left and self._clients.acts >= self._at:
            await self._begin(node)
        elif self.by_host and self._later.random() < ACTING:
            idle = [each for each in self.by_host.values() if self._is_idle(each)]
            if idle:
                shadow = self._later.choice(idle)
                act = self._later.choices(list(self._acts), list(self._acts.values()))[0]
                await act(node, shadow)

    def _is_idle(self, shadow: Shadow) -> bool:
        return shadow.is_there and not any(map(self._clients.is_busy, (shadow, shadow.wish, shadow.original)))

    async def _begin(self, node: JointNode) -> None:
        owners = self._clients.owners
        shadowed = [each.original for each in self.by_host.values()]
        fit = [each for each in owners.wishes.values() if each.is_webhook and each.id and each not in shadowed]
        fit = [each for each in fit if not each.deleted.last and not self._clients.is_busy(each)]
        if not fit:
            return
        self._left -= 1
        self._world.read_log()
        original, host = self._random.choice(fit), f"s{len(self.by_host)}.{DOMAIN}"
        endpoint = Endpoint(self._world.plan, self._random)
        endpoint.is_well = is_well = self._random.random() < 0.5
        wish = self._wish(host, original)
        shadow = self.by_host[host] = Shadow(wish, original, endpoint, is_well=is_well)

        def learn(asked: ClientCall) -> None:
            if asked.is_done:
                assert asked.answer is not None
                made, last = asked.answer.json, len(self._world.log.events)
                if not wish.starts_after <= made["startsAfter"] <= last:
                    self._world.fail(RULE, f"{asked} begins after {made['startsAfter']}")
                wish.id, wish.starts_after, wish.made_at = made["id"], made["startsAfter"], asked.done_at
            elif not original.deleted.last:
                self._world.fail(RULE, f"{asked}")

        body = {
            "shadowOf": original.id, "url": wish.url.last, "headers": wish.headers.last,
            "secret": wish.secrets.last.current,
        }  # fmt: skip
        await self._clients.ask(
            node, ClientCall(f"shadow {original}", "POST", "/v1/subscriptions", body, about=shadow, on_done=learn)
        )

    def _wish(self, host: str, original: Wish) -> Wish:
        """What a new shadow wants. Which events, and when, is what its original wants, in the same moment."""
        headers = self._headers(host)
        wish = Wish(
            host, "webhook", self._world.time.now, frozenset(), delays=(), url=f"https://{host}/", headers=headers,
            secret=f"secret of {host}",
        )  # fmt: skip
        wish.types, wish.when, wish.after = original.types, original.when, original.after
        wish.starts_after = len(self._world.log.events)
        return wish

    def _headers(self, host: str) -> Mapping[str, str]:
        """New headers, given for this host."""
        headers = {"x-of": f"shadow {self._later.randrange(10_000)}"}
        self._clients.owners.origins.setdefault(headers["x-of"], set()).add(host)
        return headers

    async def _promote(self, node: JointNode, shadow: Shadow) -> None:
        """Both swap their endpoints, with all that is said of them."""
        wish, original, now = shadow.wish, shadow.original, self._world.time.now
        anyway, url = self._later.random() < 0.7, wish.url.last
        is_untried = not any(each.ok is not False and each.url == url for each in self._attempts(shadow))
        changes = [
            *_swapped(wish.url, original.url, now),
            *_swapped(wish.headers, original.headers, now),
            *_swapped(wish.secrets, original.secrets, now),
            *_swapped(wish.sign_also, original.sign_also, now),
            *_swapped(wish.has_key_pair, original.has_key_pair, now),
            *_swapped(wish.oauth, original.oauth, now),
            *_swapped(wish.certificate, original.certificate, now),
        ]
        shadow.is_promoted = True

        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None
            self._settle(shadow, changes, asked)
            if asked.is_done:
                self._check_promoted(asked, original, url)
                tried_since = any(each.ok is not False and each.url == url for each in self._attempts(shadow))
                if not anyway and is_untried and not tried_since:
                    self._world.fail(RULE, f"{asked}, although its endpoint never took anything")
            elif anyway:
                self._world.fail(RULE, f"{asked}: {asked.answer.body.decode()}")

        path = f"/v1/subscriptions/{wish.id}/promote"
        what = f"promote the {shadow}{' anyway' if anyway else ''}"
        await self._clients.ask(node, ClientCall(what, "POST", path, {"anyway": anyway}, about=original, on_done=learn))

    def _check_promoted(self, asked: ClientCall, original: Wish, url: str) -> None:
        """What a promotion answers is the original, which has the shadow's endpoint."""
        assert asked.answer is not None
        told = asked.answer.json
        if told["id"] != original.id or not told["url"].endswith(url.removeprefix("https://")):
            self._world.fail(RULE, f"{asked} answers {told['id']} at {told['url']}, not {original.id} at {url}")

    async def _pause_or_resume(self, node: JointNode, shadow: Shadow) -> None:
        if shadow.wish.status.last == "paused":
            await self._resume(node, shadow)
            return
        change = shadow.wish.status.begin("paused", self._world.time.now)
        await self._patch(node, shadow, "pause", {"status": "paused"}, [change])

    async def _resume(self, node: JointNode, shadow: Shadow) -> None:
        """Resume a shadow, which goes on at the end of the log."""
        self._world.read_log()
        least, begun = len(self._world.log.events), self._world.time.now
        change = shadow.wish.status.begin("active", begun)
        asked = await self._patch(node, shadow, "resume", {"status": "active"}, [change])
        if asked.is_done:
            shadow.wish.skips.append(Skip(least, len(self._world.log.events), begun, asked.done_at))

    async def _move(self, node: JointNode, shadow: Shadow) -> None:
        """Another URL, where it is or where it was first."""
        wish, now = shadow.wish, self._world.time.now
        host = self._later.choice((_host(wish), shadow.host))
        url = f"https://{host}/{self._later.randrange(1, 10_000)}"
        body: dict[str, Any] = {"url": url}
        changes: list[Change[Any]] = [wish.url.begin(url, now)]
        if host != _host(shadow.original):
            body["headers"] = self._headers(host)
            changes.append(wish.headers.begin(body["headers"], now))
        elif wish.headers.last != shadow.original.headers.last:
            changes.append(wish.headers.begin(shadow.original.headers.last, now))
        await self._patch(node, shadow, f"move to {body}", body, changes)

    async def _remove(self, node: JointNode, shadow: Shadow) -> None:
        change = shadow.wish.deleted.begin(value=True, mark=self._world.time.now)
        path = f"/v1/subscriptions/{shadow.wish.id}"
        settle = partial(self._settle, shadow, [change])
        asked = ClientCall(f"remove the {shadow}", "DELETE", path, about=shadow.original, on_done=settle)
        await self._clients.ask(node, asked)

    async def _patch(
        self, node: JointNode, shadow: Shadow, what: str, body: Mapping[str, Any], changes: list[Change[Any]]
    ) -> ClientCall:
        def learn(asked: ClientCall) -> None:
            self._settle(shadow, changes, asked)
            may_be_refused = "url" in body and (body["url"] == shadow.original.url.last or shadow.wish.is_bound)
            if not asked.is_done and not may_be_refused:
                assert asked.answer is not None
                self._world.fail(RULE, f"{asked}: {asked.answer.body.decode()}")

        path = f"/v1/subscriptions/{shadow.wish.id}"
        asked = ClientCall(f"{what} the {shadow}", "PATCH", path, body, about=shadow.original, on_done=learn)
        await self._clients.ask(node, asked)
        return asked

    def _settle(self, shadow: Shadow, changes: list[Change[Any]], asked: ClientCall) -> None:
        for change in changes:
            if asked.is_done:
                change.done = asked.done_at
            else:
                shadow.wish.forget(change)
                shadow.original.forget(change)

    def heal(self) -> None:
        for each in self.by_host.values():
            each.endpoint.is_well = True

    async def resume_all(self, node: JointNode) -> None:
        """Whatever is paused gets events again."""
        for each in self.by_host.values():
            if each.wish.status.last == "paused" and self._is_idle(each):
                await self._resume(node, each)

    def begin_headers(self, original: Wish) -> list[Change[Any]]:
        """An original's URL or headers are about to be changed. Its shadow has the headers of it if both are at one
        origin by then. Returns what changes with the original."""
        found = self._of(original)
        if found is None or not found.has_headers_of_original or found.wish.headers.last == original.headers.last:
            return []
        return [found.wish.headers.begin(original.headers.last, self._world.time.now)]

    def forget(self, original: Wish, change: Change[Any]) -> None:
        """A change of an original was refused."""
        found = self._of(original)
        if found is not None:
            found.wish.forget(change)

    # --- What they get ------------------------------------------------------------------------------------------------

    def _of(self, original: Wish) -> Shadow | None:
        return next((each for each in self.by_host.values() if each.original is original), None)

    def names_beside(self, wish: Wish) -> list[str]:
        """The names of an original and its shadow, of which this is one; none if it is of neither."""
        pairs = ((each.wish, each.original) for each in self.by_host.values())
        return [each.name for pair in pairs if wish in pair for each in pair]

    def original_at(self, host: str) -> Wish | None:
        """The original that may be sent to where its shadow was first; None if the host is that of no shadow."""
        return self.by_host[host].original if host in self.by_host else None

    def sent(self, sent: SentRequest, original: Wish) -> bool:
        """A request was sent to an endpoint of an original or its shadow. Returns whether it is the shadow's."""
        world, shadow = self._world, self._of(original)
        if "signalpost-shadow" not in sent.headers or shadow is None:
            return False
        world.read_log()
        event = next(each for each in reversed(world.log.events) if each.id == sent.event_id)
        url = f"https://{sent.host}{sent.path}"
        attempt = Attempt(
            shadow.wish, event, world.time.now, sent.process, url, sent.headers, sent.body, sent.certificate
        )
        world.trace(f"sends {attempt}")
        if why := self._why_not(shadow, event, attempt):
            world.fail(RULE, f"{attempt} {why}")
        for each in world.checkers:
            each.shadowed(attempt)
        shadow.attempts.setdefault(event.sequence, []).append(attempt)
        self._under_way[sent] = attempt
        return True

    def ended(self, sent: SentRequest) -> bool:
        """A process learned the outcome of a request, or cut it short. Returns whether it is a shadow's."""
        attempt = self.pop(sent)
        if attempt is None:
            return False
        attempt.ended_at = self._world.time.now
        if sent.is_cut:
            attempt.is_lost = True
        else:
            attempt.ok, attempt.is_uncounted = sent.is_delivered, sent.is_unauthorised
        return True

    def pop(self, sent: SentRequest) -> Attempt | None:
        """The attempt of a request, which is under way no longer; None if it went to no shadow."""
        return self._under_way.pop(sent, None)

    def _why_not(self, shadow: Shadow, event: LoggedEvent, attempt: Attempt) -> str | None:
        """Why a shadow is not to get this; None if it may."""
        headers, at, model = attempt.headers, attempt.at, self._world.model
        made = [each for each in shadow.attempts.get(event.sequence, ()) if not each.is_uncounted]
        if any(map(self._world.is_recorded, made)):
            return "was sent to it before"
        if headers["signalpost-shadow"] != "true" or attempt.is_replay or attempt.number != 1:
            return f"comes with {headers}"
        if shadow.original.deleted.at(at - model.slack.of(shadow.original)) == [True]:
            return "although its original was deleted"
        waits = [0.0 if each is None else each.seconds for each in shadow.wish.after.ever()]
        if at > event.at + max(waits) + HOUR + LATE:
            return "is too old"
        under_way = tuple((each.at, self._world.over_at(each)) for each in made)
        why = model.why_not(shadow.wish, event, at, Earlier(under_way=under_way))
        return None if why is None else f"must not be sent: {why}"

    def _attempts(self, shadow: Shadow) -> list[Attempt]:
        return [attempt for each in shadow.attempts.values() for attempt in each]

    # --- In the end ---------------------------------------------------------------------------------------------------

    async def unsettled(self, node: JointNode) -> str | None:
        """What one has still to do; None if none has."""
        for each in self.by_host.values():
            found = await self._clients.read(node, f"/v1/subscriptions/{each.wish.id}") if each.wish.id else None
            if found is not None and (found["health"]["lag"] or found["health"]["waiting"]):
                return f"{each.host}: {found['health']}"
        return None

    def told(self, event: LoggedEvent, told: Mapping[str, Any]) -> bool:
        """The API tells of a delivery. Returns whether it is one of a shadow."""
        found = next((each for each in self.by_host.values() if each.wish.id == told["subscriptionId"]), None)
        if found is None:
            return False
        attempts, status = found.attempts.get(event.sequence, []), told["status"]
        if status == "delivered" and not any(each.ok for each in attempts):
            self._world.fail(RULE, f"{status} is told of event {event.sequence} at {found.host}, after {attempts}")
        is_seen = told["cause"]["code"] != "backlog_skipped" and not found.wish.wants_tokens
        if status == "failed" and all(each.ok for each in attempts) and is_seen:
            self._world.fail(RULE, f"{status} is told of event {event.sequence} at {found.host}, after {attempts}")
        return True

    async def finished(self, node: JointNode) -> None:
        """Everything has come to its end."""
        for each in self.by_host.values():
            if self._must_get_all(each):
                for event in self._world.log.events:
                    verdict = self._world.model.in_the_end(each.wish, event, self._world.time.now)
                    if verdict == MUST and event.sequence not in each.attempts:
                        self._world.fail(RULE, f"event {event.sequence} never came to the {each}")
            await self._check_shown(node, each)

    def _must_get_all(self, shadow: Shadow) -> bool:
        """Whether nothing keeps it from anything that its original asks for."""
        plan, is_gone = self._world.plan, any(shadow.original.deleted.ever()) or any(shadow.wish.deleted.ever())
        is_calm = plan.nodes == 1 and plan.wires is None and not (plan.kills or plan.troubles or plan.freezes)
        is_there = shadow.wish.made_at < inf and not is_gone
        return is_calm and is_there and shadow.is_well and not shadow.is_promoted and not shadow.wish.wants_tokens

    async def _check_shown(self, node: JointNode, shadow: Shadow) -> None:
        """Whether the API tells of a shadow what its owners made of it."""
        wish, original = shadow.wish, shadow.original
        if not wish.id:
            return
        found = await self._clients.read(node, f"/v1/subscriptions/{wish.id}")
        if (found is not None) is not shadow.is_there:
            self._world.fail(RULE, f"the {shadow} is shown as {found}")
        if found is None:
            return
        if found["status"] != wish.status.last or not found["url"].endswith(wish.url.last.removeprefix("https://")):
            self._world.fail(RULE, f"the {shadow} is {found['status']} at {found['url']}, not at {wish.url.last}")
        compared = await self._clients.read(node, f"/v1/subscriptions/{wish.id}/comparison")
        both = [each for each in shadow.attempts if (original.name, each) in self._world.attempts_of]
        # An attempt for which no token came is compared too, and nothing was sent to the endpoint.
        most = inf if wish.wants_tokens or original.wants_tokens else len(both)
        if compared is None or not compared["agree"] <= compared["compared"] <= most:
            self._world.fail(RULE, f"{len(both)} events came to {original} and its shadow, not {compared}")


def _host(wish: Wish) -> str:
    return urlsplit(wish.url.last).netloc


def _swapped(one: Timeline[Any], other: Timeline[Any], at: float) -> tuple[Change[Any], Change[Any]]:
    """Begin with what the other has."""
    ones, others = one.last, other.last
    return one.begin(others, at), other.begin(ones, at)
