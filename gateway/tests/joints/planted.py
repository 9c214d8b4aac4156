"""Does it bite? Faults planted where two parts of the gateway meet, one at a time; the worlds of joints should find
each, by what clients and receivers see: a traceback does not count. `make planted-joints` tells after how many seeds
each was found, and by which rule."""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from gateway.tests.joints.plan import Plan, draw_offers, draw_rotations
from gateway.tests.joints.runner import simulate
from gateway.tests.simulation.planting import Faults
from msgspec.structs import replace

from signalpost.commands import audit, deliveries, documents, subscriptions
from signalpost.commands.command import Decision, RequestedRetry
from signalpost.commands.deliveries import RetryDelivery, RetryQueued
from signalpost.commands.documents import DeleteDocument, DocumentDeleted, Effect, ImportDocument
from signalpost.destinations.webhook import RequestKind, Signatures, Webhook
from signalpost.domain import old_signature, shadow, subscription_patch
from signalpost.domain.delivery.lane import Lane
from signalpost.domain.delivery.reading import ReadLane
from signalpost.domain.delivery.rehearsal import LaterEvents
from signalpost.domain.documents import document as document_rules
from signalpost.domain.event import EVERY_TYPE
from signalpost.domain.language import conditions
from signalpost.domain.language.conditions import Change, Comparison
from signalpost.domain.subscription import Subscription
from signalpost.domain.wishes import Wishes
from signalpost.engine.connectors.courier import Courier
from signalpost.engine.connectors.endpoint_tokens import EndpointTokens, NoToken, TokensOfEndpoints
from signalpost.engine.directory import Directory
from signalpost.engine.lanes import lanes, still_wanted
from signalpost.engine.lanes.attempts import Attempts
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.lanes.lane_worker import LaneWorker
from signalpost.engine.lanes.readers import Readers
from signalpost.engine.lanes.replay_feeder import ReplayFeeder
from signalpost.engine.lanes.still_wanted import StillWanted
from signalpost.runtime.logger import log
from signalpost.store.sqlite.nouns import erasures

FAULTS = Faults(simulate, most=200)
fault = FAULTS.fault


def living(draw: Callable[[Random], Plan]) -> Callable[[int, Path], object]:
    """Lives through worlds in which what a fault breaks happens often."""
    return lambda seed, folder: simulate(seed, folder, draw(Random(seed)))


# --- Conditions beside replays and retries ----------------------------------------------------------------------------


FAULTS.answers("takes every retry by hand", deliveries, "why_not_again", None)


@fault("goes by the condition that a subscription began with", LaneWorker, "_read_wishes")
def _(right: Any) -> Any:
    def read_wishes(self: LaneWorker) -> Any:
        known = getattr(self, "wishes", None)
        return right(self) if known is None else known

    return read_wishes


@fault("takes true for 1 where it looks what changed", document_rules, "is_same")
def _(_right: Any) -> Any:
    return lambda one, other: bool(one == other)


@fault("takes what has no facts for one that got some", conditions, "is_empty")
def _(_right: Any) -> Any:
    return lambda value: value is None or value == ""


@fault("forgets what was before in conditions about changes", Change, "_why_unmet")
def _(right: Any) -> Any:
    return lambda self, subject: right(replace(self, was=lambda _subject: None), subject)


@fault("never excludes", Comparison, "negated")
def _(_right: Any) -> Any:
    return lambda self: self


@fault("lets the last condition of several decide", conditions.AllOf, "why_not")
def _(_right: Any) -> Any:
    return lambda self, subject: self.parts[-1].why_not(subject)


# --- Where a subscription begins --------------------------------------------------------------------------------------


@fault("begins one event later than it was told", lanes, "_new_lane")
def _(right: Any) -> Any:
    return lambda subscription: replace(right(subscription), head=subscription.starts_after + 1)


@fault("begins at the end of the log, wherever it was told to", subscriptions, "_starts_after")
def _(_right: Any) -> Any:
    return lambda _begins, stamp: stamp.sequence - 1


# --- Delays -----------------------------------------------------------------------------------------------------------


FAULTS.answers("waits for no delay", Wishes, "delayed_until", 0)


@fault("begins a delay anew where it comes to the event", Attempts, "begin")
def _(right: Any) -> Any:
    def begin(self: Attempts, worker: LaneWorker, delivery: Any, event: Any) -> None:
        delay = worker.subscription.delay
        if delay and delivery.is_delayed and not delivery.due:
            self._put_off(worker, delivery, self._clock.steady() + delay * 1_000_000)
        else:
            right(self, worker, delivery, event)

    return begin


@fault("rehearses a delay by what is so at the end of the log", LaterEvents, "_forget_after")
def _(_right: Any) -> Any:
    return lambda self, runs, ends_at: None


@fault("keeps the delay that a waiting delivery began with", LaneWorker, "_follow_delay")
def _(_right: Any) -> Any:
    def follow_delay(self: LaneWorker) -> None:
        self._delay = self.subscription.delay

    return follow_delay


@fault("does not ask after a delay what must still be so", Wishes, "asks_newest")
def _(_right: Any) -> Any:
    return property(lambda _: False)


@fault("asks of the event itself what must still be so", still_wanted, "newest_kept")
def _(_right: Any) -> Any:
    return lambda event, _newest: event


FAULTS.answers("skips nothing of a backlog that awaits its time", Lane, "_abandon_retries", 0)
FAULTS.answers("does what was asked for before the backlog was skipped", Subscription, "has_skipped_since", False)


# --- The latest wins --------------------------------------------------------------------------------------------------


FAULTS.answers("puts what is older over what is newer", Wishes, "asks_later", False)


@fault("gives way to a later event that nobody wants", StillWanted, "_later_wanted")
def _(_right: Any) -> Any:
    async def later_wanted(self: StillWanted, _wishes: Wishes, event: Any) -> Any:
        later, _ = await self._log.feed(event.tenant_id, event.sequence, EVERY_TYPE, event.document_id, 1)
        return next(iter(later), None)

    return later_wanted


@fault("gives way to a later event of another document", StillWanted, "_later_wanted")
def _(_right: Any) -> Any:
    async def later_wanted(self: StillWanted, _wishes: Wishes, event: Any) -> Any:
        later, _ = await self._log.feed(event.tenant_id, event.sequence, EVERY_TYPE, None, 1)
        return next(iter(later), None)

    return later_wanted


# --- Versions of changes ----------------------------------------------------------------------------------------------


FAULTS.answers("takes whatever came last", documents, "is_older", False)


@fault("forgets the version of a deletion", DeleteDocument, "_deletion")
def _(right: Any) -> Any:
    return lambda self, row, stamp: right(self, replace(row, source_version=None), stamp)


@fault("keeps nothing of a deletion of what was never there", DeleteDocument, "_known_to_be_gone")
def _(right: Any) -> Any:
    def known_to_be_gone(self: DeleteDocument, row: Any, version: int, stamp: Any) -> Any:
        if row is not None:
            return right(self, row, version, stamp)
        gone = document_rules.tombstone_of_unknown(self.document_id, stamp.at, version)
        return Decision(result=DocumentDeleted(gone, Effect.UNCHANGED))

    return known_to_be_gone


FAULTS.answers("brings back what was deleted", ImportDocument, "_check_revival", None)


@fault("makes an event of a patch that changes nothing", document_rules, "next_row")
def _(right: Any) -> Any:
    def next_row(row: Any, *given: Any, **named: Any) -> Any:
        changed = right(row, *given, **named)
        return replace(changed, body=changed.body[:-1] + b" }") if changed.body == row.body else changed

    return next_row


# --- Erasures beside what is under way --------------------------------------------------------------------------------


@fault("records what an endpoint said of an erased event", ErasedEvents, "out_of")
def _(_right: Any) -> Any:
    return lambda _self, flushes: flushes


FAULTS.answers("offers an erased event that it had read before", ErasedEvents, "covers", False)


FAULTS.answers("leaves the events of an erased document as they were", erasures, "_empty_events", 0)


@fault("says in the log what it sends", Attempts, "_carry")
def _(right: Any) -> Any:
    def carry(self: Attempts, worker: LaneWorker, delivery: Any, event: Any) -> None:
        log.info("an attempt begins", event=event.body.decode())
        right(self, worker, delivery, event)

    return carry


@fault("tells the audit what was in a deleted document", audit, "_changed")
def _(right: Any) -> Any:
    def changed(command: Any, decision: Any, view: Any) -> Any:
        for thing, tenant_id, changes in right(command, decision, view):
            told = {"body": {"old": decision.event_document.decode(), "new": None}} if decision.event_document else {}
            yield thing, tenant_id, {**changes, **told}

    return changed


# --- Replays of a part ------------------------------------------------------------------------------------------------


@fault("replays everything in place of a part", ReplayFeeder, "follow")
def _(right: Any) -> Any:
    return lambda self, replay: right(self, replace(replay, types=7, document_id=None))


@fault("goes on with a replay for what nobody wants", ReplayFeeder, "queue")
def _(right: Any) -> Any:
    def queue(self: ReplayFeeder, lane: Any, _unwanted: Any, *given: Any) -> None:
        right(self, lane, (), *given)

    return queue


# --- Where, with what, as whom ----------------------------------------------------------------------------------------


@fault("sends to where the subscription began", LaneWorker, "carrier")
def _(right: Any) -> Any:
    kept: dict[int, Any] = {}
    return property(lambda self: kept.setdefault(id(self), right.fget(self)))


@fault("signs with the old secret for ever", Signatures, "_signers")
def _(right: Any) -> Any:
    return lambda self, _now: right(self, 0)


@fault("takes a rotation for one that goes on for ever", Subscription, "with_secrets_of")
def _(_right: Any) -> Any:
    return lambda self, _now: self


@fault("keeps the secret with which another system signed before", old_signature, "with_secrets")
def _(right: Any) -> Any:
    def with_secrets(given: Any, before: Any) -> Any:
        secrets = {each.header: each.secret for each in before}
        return tuple(replace(each, secret=secrets.get(each.header, each.secret)) for each in right(given, before))

    return with_secrets


@fault("leaves out the additional headers of replays", Webhook, "_request")
def _(right: Any) -> Any:
    def request(self: Webhook, event: Any, attempt: int, kind: RequestKind, *given: Any) -> Any:
        made = right(self, event, attempt, kind, *given)
        if kind is not RequestKind.REPLAY:
            return made
        lines = [each for each in made.head.split(b"\r\n") if not each.startswith(b"x-of:")]
        return replace(made, head=b"\r\n".join(lines))

    return request


@fault("calls a retry of its own a replay", Webhook, "prepare")
def _(right: Any) -> Any:
    return lambda self, event, attempt, kind, *given: right(
        self, event, attempt, RequestKind.REPLAY if attempt > 1 else kind, *given
    )


@fault("fills in a connector's text once", Courier, "_filled")
def _(right: Any) -> Any:
    kept: dict[int, Any] = {}
    return lambda self, opened, subject: kept.setdefault(id(self), right(self, opened, subject))


# --- Shadows ----------------------------------------------------------------------------------------------------------


@fault("has a shadow sign as another system did where its original does", shadow, "following")
def _(right: Any) -> Any:
    def following(made: Subscription, original: Subscription, *given: Any) -> Any:
        return replace(right(made, original, *given), sign_also=original.sign_also)

    return following


def leaves(*names: str) -> Any:
    """A promotion that leaves these attributes where they were."""
    return lambda right: tuple(name for name in right if name not in names)


fault("promotes an endpoint without its secret", shadow, "_OF_ENDPOINT")(leaves("secret"))
fault("promotes an endpoint without its headers", shadow, "_OF_ENDPOINT")(leaves("headers"))
FAULTS.answers("leaves a shadow alone, whatever becomes of its original", subscriptions, "shadow_in", None)


@fault("sends a shadow its backlog once it is resumed", subscriptions, "_is_resume")
def _(right: Any) -> Any:
    return lambda found, changes: found.shadow_of is None and right(found, changes)


# --- Tokens of endpoints ----------------------------------------------------------------------------------------------


@fault("goes on with the tokens of another client", TokensOfEndpoints, "of")
def _(right: Any) -> Any:
    def of(self: TokensOfEndpoints, subscription: Subscription) -> Any:
        kept = self._kept.get(subscription.number)
        return right(self, subscription) if kept is None or subscription.oauth is None else kept

    return of


@fault("sends without a token if none comes", EndpointTokens, "send")
def _(right: Any) -> Any:
    async def send(self: EndpointTokens, made: Any, done: Any, **named: Any) -> None:
        try:
            await self.authorization()
        except NoToken:
            self._transport.send(await made(), done)
        else:
            await right(self, made, done, **named)

    return send


# --- Client certificates ----------------------------------------------------------------------------------------------


@fault("goes on offering the certificate that it began with", Subscription, "tls")
def _(right: Any) -> Any:
    kept: dict[int, Any] = {}

    def tls(self: Subscription) -> Any:
        offered = right.fget(self)
        return offered if offered is None or not self.number else kept.setdefault(self.number, offered)

    return property(tls)


fault("promotes an endpoint without its certificate", shadow, "_OF_ENDPOINT", living(draw_offers))(
    leaves("client_certificate")
)


@fault("lets a certificate go with the URL to another origin", subscription_patch, "_check_keeps", living(draw_offers))
def _(_right: Any) -> Any:
    return lambda _found, _changes: None


# --- Readers ----------------------------------------------------------------------------------------------------------


@fault("settles all that was handed out, whatever part of it is acknowledged", ReadLane, "acknowledged")
def _(right: Any) -> Any:
    return lambda self, _through, now: right(self, None, now)


@fault("hands out what another reader has", ReadLane, "held_until")
def _(_right: Any) -> Any:
    return lambda _self, _now: None


@fault("hands out what was acknowledged", ReadLane, "without")
def _(_right: Any) -> Any:
    return lambda self, _settled: self


@fault("passes what has to wait", Readers, "_takes")
def _(right: Any) -> Any:
    async def takes(self: Readers, subscription: Any, wishes: Any, event: Any, found: Any, now: int) -> bool:
        if not await right(self, subscription, wishes, event, found, now):
            found.lane = found.lane.looked_up_to(event.sequence)
        return True

    return takes


@fault("takes a retry of what is read", RetryDelivery, "decide")
def _(right: Any) -> Any:
    def decide(self: RetryDelivery, view: Any, stamp: Any) -> Any:
        found = self._found(view, stamp.now)
        if not found.is_read:
            return right(self, view, stamp)
        retry = RequestedRetry(
            view.next_number(RequestedRetry), found.number, self.sequence, self.event_document_id, found.version
        )
        return Decision(result=RetryQueued(retry), retry=retry)

    return decide


@fault("keeps the keys of readers that it knew first", Directory, "_follow_reader", living(draw_rotations))
def _(right: Any) -> Any:
    return lambda self, known, now: None if known is not None and now.deleted_at is None else right(self, known, now)


@fault("lets a reader in with its old key for ever", Directory, "reader", living(draw_rotations))
def _(right: Any) -> Any:
    known: dict[bytes, tuple[int, str]] = {}

    def reader(self: Directory, digest: bytes, now: int) -> Subscription | None:
        found = right(self, digest, now) or self.subscription(*known.get(digest, (0, "")))
        if found is not None:
            known[digest] = found.tenant_id, found.id
        return found

    return reader


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
