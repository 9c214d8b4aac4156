"""Commands that create, change and delete subscriptions."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypedDict

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp, moved_on
from signalpost.commands.documents import check_precondition
from signalpost.domain import oauth, own_tls
from signalpost.domain import old_signature as old_signatures
from signalpost.domain import shadow as shadows
from signalpost.domain import subscription as rules
from signalpost.domain.beginning import Beginning
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay, ReplayState
from signalpost.domain.errors import FieldError, Invalid, NotFound
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.language.values import is_same
from signalpost.domain.new_webhook import endpoint_members
from signalpost.domain.objective import Objective
from signalpost.domain.subscription import Delay, Filters, Ordering, Subscription
from signalpost.domain.subscription_patch import meant_changes
from signalpost.domain.subscription_requests import ReadRequest, SubscriptionPatch, SubscriptionRequest


class SubscriptionCreated(Struct, frozen=True):
    subscription: Subscription


class SubscriptionChanged(Struct, frozen=True):
    """`subscription` is what it is after the command, also if nothing changed."""

    subscription: Subscription


class SubscriptionDeleted(Struct, frozen=True):
    subscription: Subscription


class SubscriptionCommand(BaseCommand, frozen=True, kw_only=True):
    subscription_id: str
    if_match: frozenset[str] | None = None

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Subscription, self.subscription_id),))

    def _found(self, view: BatchView, now: int) -> Subscription:
        found = view.row(Subscription, self.subscription_id, self.tenant_id)
        if found is None or found.deleted_at is not None:
            raise subscription_not_found()
        check_precondition(self.if_match, found.etag)
        return found.with_secrets_of(now)


class _CommonMembers(TypedDict):
    """The members that every kind of subscription has, and that a new one says alike."""

    id: str
    tenant_id: int
    number: int
    status: Literal["active", "paused"]
    when: Mapping[str, Any] | None
    after: Delay | None
    objective: Objective | None
    contacts: tuple[str, ...]
    starts_after: int
    filters: Filters
    created_at: int
    updated_at: int


class _NewSubscription(SubscriptionCommand, frozen=True, kw_only=True):
    """`subscription_id` is the id of the new subscription. Unless it `begins` in the past, it starts at the end of the
    log, as the tenant's lock knows it: it gets exactly the events that are committed after it."""

    audited_as: ClassVar[str] = "subscription.create"
    adds: ClassVar[type[Subscription]] = Subscription
    begins: Beginning | None = None

    def _members(self, wanted: "_Wanted", view: BatchView, stamp: Stamp) -> _CommonMembers:
        """Raises Invalid."""
        return _CommonMembers(
            id=self.subscription_id,
            tenant_id=self.tenant_id,
            number=view.next_number(Subscription),
            status=wanted.status,
            when=wanted.when,
            after=wanted.after,
            objective=wanted.objective,
            contacts=wanted.contacts,
            starts_after=_starts_after(self.begins, stamp),
            filters=((0, rules.bits_of(wanted.event_types)),),
            created_at=stamp.at,
            updated_at=stamp.at,
        )


class CreateSubscription(_NewSubscription, frozen=True, kw_only=True):
    """`retry_delays` are for a subscription that names none. `key_pair` is None if it does not sign with one."""

    new: SubscriptionRequest
    secret: str
    retry_delays: tuple[int, ...]
    key_pair: KeyPair | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionCreated]:
        new = self.new
        made = Subscription(
            **self._members(new, view, stamp),
            name=rules.name_of_unnamed(new.url) if new.name is UNSET else new.name,
            url=new.url,
            secret=self.secret,
            headers=new.headers,
            key_pair=self.key_pair,
            **endpoint_members(new, stamp.now),
            ordering=new.ordering,
            rate_limit=new.rate_limit,
            retry_delays=self.retry_delays if new.retry_delays is UNSET else new.retry_delays,
            trace=new.trace,
        )
        return Decision(result=SubscriptionCreated(made), rows=(made,))


class CreateConnectorSubscription(_NewSubscription, frozen=True, kw_only=True):
    """Creates a subscription of a kind other than the webhook. The caller has had the kind check `config`, `when` and
    `after`. `url` is the first origin of the connection."""

    kind: str
    connection_id: str
    url: str
    name: str
    config: Mapping[str, Any]
    when: Mapping[str, Any] | None = None
    after: Delay | None = None
    objective: Objective | None = None
    contacts: tuple[str, ...] = ()
    event_types: tuple[str, ...]
    status: Literal["active", "paused"] = "active"
    ordering: Ordering = "loose"
    rate_limit: int | None = None
    retry_delays: tuple[int, ...]

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Subscription, self.subscription_id), RowKey(Connection, self.connection_id)))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionCreated]:
        _check_connection(view, self.tenant_id, self.connection_id, self.kind)
        made = Subscription(
            **self._members(self, view, stamp),
            name=self.name,
            kind=self.kind,
            connection_id=self.connection_id,
            config=self.config,
            url=self.url,
            secret="",
            headers={},
            ordering=self.ordering,
            rate_limit=self.rate_limit,
            retry_delays=self.retry_delays,
        )
        return Decision(result=SubscriptionCreated(made), rows=(made,))


class CreateReadSubscription(_NewSubscription, frozen=True, kw_only=True):
    """Creates a subscription whose events its customer reads: in order, and nothing is retried."""

    new: ReadRequest
    secret: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionCreated]:
        new = self.new
        made = Subscription(
            **self._members(new, view, stamp),
            name="Read by its customer" if new.name is UNSET else new.name,
            kind=new.kind,
            url="",
            secret=self.secret,
            headers={},
            ordering="strict",
            rate_limit=None,
            retry_delays=(),
        )
        return Decision(result=SubscriptionCreated(made), rows=(made,))


_Wanted = SubscriptionRequest | CreateConnectorSubscription | ReadRequest
"""What says which events a new subscription gets, and who is told of it."""


class PatchSubscription(SubscriptionCommand, frozen=True, kw_only=True):
    """New event types count for later events, everything else at once. The caller has had the kind check the config
    and, for a new connection, gives the `url` that it leads to. A URL as it is shown changes nothing. The values of
    headers are not sent to another origin than the one that they were given for. If the backlog is skipped, what was
    asked for before is skipped too: retries by hand that have not begun, and replays that run. The shadow of a
    subscription follows it. `shadow_of` is the original of a shadow. `key_pair` is for one that is to
    sign with one and has none."""

    audited_as: ClassVar[str] = "subscription.change"
    patch: SubscriptionPatch
    url: str | UnsetType = UNSET
    shadow_of: str | None = None
    key_pair: KeyPair | None = None

    @property
    def reads(self) -> Reads:
        named = () if self.patch.connection is UNSET else (RowKey(Connection, self.patch.connection),)
        running = (RowKey(Replay, self.subscription_id, "running of"),) if self.patch.skip_backlog else ()
        original = () if self.shadow_of is None else (RowKey(Subscription, self.shadow_of),)
        return Reads(rows=(*with_shadow(self.subscription_id), *original, *named, *running))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        found = self._found(view, stamp.now)
        last = stamp.sequence - 1
        original = None if found.shadow_of is None else view.row(Subscription, found.shadow_of, self.tenant_id)
        changes = meant_changes(found, self.patch, original, self.key_pair)
        if "connection" in changes:
            changes["connection_id"] = changes.pop("connection")
            changes["url"] = self.url
            _check_connection(view, self.tenant_id, changes["connection_id"], found.kind)
        if "event_types" in changes:
            changes["filters"] = rules.refiltered(found.filters, last, rules.bits_of(changes.pop("event_types")))
        if found.status == "disabled" and "status" in changes:
            changes |= {"disabled_at": None, "disabled_because": None, "revived_at": stamp.now}
        cancelled = []
        if changes.pop("skip_backlog") or (found.shadow_of is not None and _is_resume(found, changes)):
            if not _is_resume(found, changes):
                detail = "Only a resume can skip the backlog: set status active while the subscription is not active."
                raise Invalid([FieldError("/skipBacklog", "not_a_resume", detail)])
            changes |= {"skip_to": last, "skip_version": found.version + 1, "skipped_at": stamp.at}
            cancelled = [replay.cancelled(stamp.at) for replay in running_replays(view, found)]
        if changes.get("url", found.url) != found.url:
            changes["url_since"] = stamp.at
        if changes.get("headers", found.headers) != found.headers:
            changes["headers_since"] = stamp.at
        if not is_same(changes.get("when", found.when), found.when):
            changes["when_since"] = stamp.at
        changes["unsubscribed"] = _still_unsubscribed(found, changes.get("contacts", found.contacts))
        patched = replace(found, **changes)
        check_apart(patched)
        if changes.keys() & {"url", "client_certificate", "authorities"}:
            own_tls.check_usable(patched.client_certificate, patched.authorities, patched.url, stamp.now)
        if original is not None:
            shadows.check_apart(original.url, patched.url)
            patched = shadows.following(patched, original, last, stamp.at)
        if is_same(patched, found):
            return Decision(result=SubscriptionChanged(found))
        patched = moved_on(patched, stamp.at)
        followed = _followed(view, patched, stamp)
        return Decision(result=SubscriptionChanged(patched), rows=(patched, *followed, *cancelled))


class DisableSubscription(SubscriptionCommand, frozen=True, kw_only=True):
    """The gateway disables a subscription, for the reason that is given or because its endpoint has failed for days.
    Nothing is lost: its lane stays where it is. `if_match` names the state that was judged, so a change that a client
    made meanwhile wins."""

    audited_as: ClassVar[str] = "subscription.disable"
    because: str | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        found = self._found(view, stamp.now)
        disabled = found.disabled(stamp.at, self.because)
        return Decision(result=SubscriptionChanged(disabled), rows=(disabled,))


class NoteDeliveredTest(SubscriptionCommand, frozen=True, kw_only=True):
    """A test of its endpoint was delivered, at this URL. It is the same version of the subscription to its clients."""

    audited_as: ClassVar[str | None] = None
    url: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        found = self._found(view, stamp.now)
        if found.url != self.url:
            return Decision(result=SubscriptionChanged(found))
        tested = replace(found, tested_at=stamp.at)
        return Decision(result=SubscriptionChanged(tested), rows=(tested,))


class DeleteSubscription(SubscriptionCommand, frozen=True, kw_only=True):
    """The shadow of a subscription goes with it."""

    audited_as: ClassVar[str] = "subscription.delete"

    @property
    def reads(self) -> Reads:
        return Reads(rows=with_shadow(self.subscription_id))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionDeleted]:
        found = self._found(view, stamp.now)
        shadow = shadow_in(view, found)
        gone, *others = (_gone(each, stamp) for each in (found, shadow) if each is not None)
        return Decision(result=SubscriptionDeleted(gone), rows=(gone, *others))


def running_replays(view: BatchView, subscription: Subscription) -> list[Replay]:
    """The replays of a subscription that run."""
    return [
        replay
        for replay in view.rows_of(Replay)
        if replay.subscription_number == subscription.number and replay.state is ReplayState.RUNNING
    ]


def with_shadow(subscription_id: str) -> tuple[RowKey, ...]:
    """The keys of a subscription and its shadow."""
    return RowKey(Subscription, subscription_id), RowKey(Subscription, subscription_id, "shadow of")


def shadow_in(view: BatchView, original: Subscription) -> Subscription | None:
    """The shadow of a subscription; None if it has none."""
    found = (each for each in view.rows_of(Subscription) if each.shadow_of == original.id and each.deleted_at is None)
    return next(found, None)


def _followed(view: BatchView, original: Subscription, stamp: Stamp) -> tuple[Subscription, ...]:
    """The shadow of a subscription that changed, if it has one that changes with it. Raises Invalid if both would have
    the same URL."""
    shadow = shadow_in(view, original)
    if shadow is None:
        return ()
    shadows.check_apart(original.url, shadow.url)
    followed = shadows.following(shadow, original, stamp.sequence - 1, stamp.at)
    check_apart(followed)
    return () if followed is shadow else (moved_on(followed, stamp.at),)


def check_apart(found: Subscription) -> None:
    """Raises Invalid if two of what is sent beside the gateway's own would have one header."""
    old_signatures.check_apart(found.sign_also, found.headers)
    oauth.check_apart(found.oauth, (*found.headers, *(each.header for each in found.sign_also)))


def _is_resume(found: Subscription, changes: Mapping[str, Any]) -> bool:
    return found.status != "active" and changes.get("status") == "active"


def _gone(found: Subscription, stamp: Stamp) -> Subscription:
    return replace(
        found.promoted(stamp.now),
        version=found.version + 1,
        deleted_at=stamp.at,
        updated_at=stamp.at,
        secret="",
        headers={},
        sign_also=(),
        key_pair=None,
        next_key_pair=None,
        client_certificate=None,
        authorities=(),
        oauth=None,
        contacts=(),
        unsubscribed=(),
    )


def subscription_not_found() -> NotFound:
    return NotFound("subscription_not_found", "There is no subscription with this id.")


def _starts_after(begins: Beginning | None, stamp: Stamp) -> int:
    """The sequence after which a new subscription begins. Raises Invalid if its log does not reach there, or no longer
    does."""
    last = stamp.sequence - 1
    return last if begins is None else begins.in_log_up_to(last)


def _check_connection(view: BatchView, tenant_id: int, connection_id: str, kind: str) -> None:
    """Raises Invalid if a subscription of a kind cannot use a connection."""
    found = view.row(Connection, connection_id, tenant_id)
    if found is None or found.deleted_at is not None or found.kind != kind:
        detail = f"There is no connection of the kind {kind} with this id."
        raise Invalid([FieldError("/connection", "not_found", detail)])


def _still_unsubscribed(found: Subscription, contacts: Sequence[str]) -> tuple[str, ...]:
    """The new contacts who were contacts before and want to be told no more, however they are written now."""
    gone = {each.lower() for each in found.unsubscribed}
    return tuple(each for each in contacts if each.lower() in gone)
