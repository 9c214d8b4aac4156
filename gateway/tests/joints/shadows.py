"""Shadows of webhooks, whose endpoints are owners' too: what they get, beside originals that know nothing of it.

They, and their endpoints, have randomness of their own, so that nothing else in the world of a seed is drawn in
another way. What the model says of originals is what it says without shadows: a shadow changes none of it."""

import hashlib
import hmac
from collections.abc import Mapping
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.history import Attempt, ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.joints.plan import HOUR
from gateway.tests.joints.receivers import Endpoint
from gateway.tests.world.model import sayings
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.old_signatures import is_signed_so
from gateway.tests.world.model.wishes import Wish
from gateway.tests.world.network import SentRequest

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

SECRET = "a secret of the shadow"
RULE = "shadow"
DOMAIN = "shadow.example"
"""None of an original, so that a shadow has headers of its own."""
LATE = 60.0
"""The seconds by which an attempt may begin after the hour in which an event is wanted: it was chosen before."""


class Shadow:
    def __init__(self, host: str, original: Wish, endpoint: Endpoint, after: int, *, is_well: bool) -> None:
        """`after` is the last event that was there when it was asked for, which it does not get."""
        self.host = host
        self.original = original
        self.endpoint = endpoint
        self.after = after
        self.is_well = is_well
        """Whether its endpoint takes everything."""
        self.wish = Wish(host, "webhook", 0.0, frozenset())
        """Stands for it in what is known of attempts."""
        self.made_after = inf
        """The last event that was there when it was answered, so that it gets all later ones."""
        self.attempts: dict[int, list[Attempt]] = {}
        """What was sent to it, by the event."""


class Shadows:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"in the shadow {clients.world.seed}")
        self._left = self._random.choice((0, 0, 1)) * self._random.choice((1, 2))
        self._at = self._random.uniform(0.05, 0.6) * self._world.plan.acts
        self.by_host: dict[str, Shadow] = {}
        self._under_way: dict[SentRequest, Attempt] = {}

    async def begin(self, node: JointNode) -> None:
        """Make a shadow, if it is time for one."""
        if not self._left or self._clients.acts < self._at:
            return
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
        after = len(self._world.log.events)
        shadow = self.by_host[host] = Shadow(host, original, endpoint, after, is_well=is_well)

        def learn(asked: ClientCall) -> None:
            if asked.is_done:
                assert asked.answer is not None
                shadow.wish.id, shadow.made_after = asked.answer.json["id"], len(self._world.log.events)
            elif not original.deleted.last:
                self._world.fail(RULE, f"{asked}")

        body = {"shadowOf": original.id, "url": f"https://{host}/", "headers": {}, "secret": SECRET}
        await self._clients.ask(
            node, ClientCall(f"shadow {original}", "POST", "/v1/subscriptions", body, about=shadow, on_done=learn)
        )

    def heal(self) -> None:
        for each in self.by_host.values():
            each.endpoint.is_well = True

    # --- What they get ------------------------------------------------------------------------------------------------

    def sent(self, sent: SentRequest) -> None:
        """A request to the endpoint of a shadow was sent."""
        world, shadow = self._world, self.by_host[sent.host]
        world.read_log()
        event = next(each for each in reversed(world.log.events) if each.id == sent.event_id)
        attempt = Attempt(shadow.wish, event, world.time.now, sent.process, sent.host, sent.headers, sent.body)
        world.trace(f"sends {attempt}")
        if why := self._why_not(shadow, event, attempt):
            world.fail(RULE, f"{attempt} {why}")
        also = shadow.wish.sign_also.between(attempt.at - world.model.slack.under_way, attempt.at)
        if not any(is_signed_so(attempt.headers, attempt.body, each) for each in also):
            world.fail(sayings.SIGNED_APART.rule, f"{attempt} is signed as {attempt.headers}, not as {also}")
        shadow.attempts.setdefault(event.sequence, []).append(attempt)
        self._under_way[sent] = attempt

    def ended(self, sent: SentRequest) -> None:
        """A process learned the outcome of such a request, or cut it short."""
        attempt = self.pop(sent)
        assert attempt is not None
        attempt.ended_at = self._world.time.now
        if sent.is_cut:
            attempt.is_lost = True
        else:
            attempt.ok = sent.is_delivered

    def pop(self, sent: SentRequest) -> Attempt | None:
        """The attempt of a request, which is under way no longer; None if it went to no shadow."""
        return self._under_way.pop(sent, None)

    def _why_not(self, shadow: Shadow, event: LoggedEvent, attempt: Attempt) -> str | None:
        """Why a shadow is not to get this; None if it may."""
        headers, at, slack = attempt.headers, attempt.at, self._world.model.slack
        original = shadow.original
        if event.sequence <= shadow.after:
            return "is from before it was made"
        if any(self._world.is_recorded(each) for each in shadow.attempts.get(event.sequence, ())):
            return "was sent to it before"
        if headers.get("signalpost-shadow") != "true" or attempt.is_replay or attempt.number != 1:
            return f"comes with {headers}"
        if original.wants_type(event) is False:
            return "is of a type that its original does not want"
        if original.deleted.at(at - slack.of(original)) == [True]:
            return "although its original was deleted"
        waits = [0.0 if each is None else each.seconds for each in original.after.ever()]
        if at > event.at + max(waits) + HOUR + LATE:
            return "is too old"
        signed = hmac.new(SECRET.encode(), attempt.body, hashlib.sha512).hexdigest()
        if attempt.body != event.body or headers["plexus-webhook-signature"] != signed:
            return "is not the event, or signed with another secret"
        return None

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
        if status == "failed" and all(each.ok for each in attempts) and told["cause"]["code"] != "backlog_skipped":
            self._world.fail(RULE, f"{status} is told of event {event.sequence} at {found.host}, after {attempts}")
        return True

    async def finished(self, node: JointNode) -> None:
        """Everything has come to its end."""
        for each in self.by_host.values():
            if self._must_get_all(each):
                for event in self._world.log.events[int(each.made_after) :]:
                    if each.original.wants_type(event) and event.sequence not in each.attempts:
                        self._world.fail(RULE, f"event {event.sequence} never came to the shadow of {each.original}")
            if each.wish.id and not each.original.deleted.last:
                path = f"/v1/subscriptions/{each.wish.id}/comparison"
                self._check_comparison(each, await self._clients.read(node, path))

    def _must_get_all(self, shadow: Shadow) -> bool:
        """Whether nothing keeps it from anything that its original asks for by type."""
        plan, original = self._world.plan, shadow.original
        is_calm = plan.nodes == 1 and plan.wires is None and not (plan.kills or plan.troubles or plan.freezes)
        always = not any(original.when.ever()) and not any(original.after.ever()) and not self._world.model.erased
        return is_calm and always and shadow.is_well and shadow.made_after < inf and not any(original.deleted.ever())

    def _check_comparison(self, shadow: Shadow, found: dict[str, Any] | None) -> None:
        both = [each for each in shadow.attempts if (shadow.original.name, each) in self._world.attempts_of]
        if found is None or not found["agree"] <= found["compared"] <= len(both):
            self._world.fail(RULE, f"{len(both)} events came to {shadow.original} and its shadow, not {found}")
