"""Commands that make a shadow of a subscription, and that promote it."""

from typing import ClassVar

from msgspec import UNSET
from msgspec.structs import replace

from signalpost.commands.command import BatchView, Decision, Reads, RowKey, Stamp, moved_on
from signalpost.commands.subscriptions import (
    SubscriptionChanged,
    SubscriptionCommand,
    SubscriptionCreated,
    check_apart,
    shadow_in,
    subscription_not_found,
    with_shadow,
)
from signalpost.domain import shadow as rules
from signalpost.domain.errors import Conflict
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.new_webhook import endpoint_members
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription import Subscription
from signalpost.domain.subscription_patch import check_keeps_headers, check_no_headers


class CreateShadow(SubscriptionCommand, frozen=True, kw_only=True):
    """`subscription_id` is the id of the shadow. It begins at the end of the log."""

    audited_as: ClassVar[str] = "subscription.create"
    adds: ClassVar[type[Subscription]] = Subscription
    new: ShadowRequest
    secret: str
    key_pair: KeyPair | None = None

    @property
    def reads(self) -> Reads:
        return Reads(rows=with_shadow(self.new.shadow_of))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionCreated]:
        new, found = self.new, view.row(Subscription, self.new.shadow_of, self.tenant_id)
        original = original_for(new, found, None if found is None else shadow_in(view, found))
        made = Subscription(
            id=self.subscription_id,
            tenant_id=self.tenant_id,
            number=view.next_number(Subscription),
            name=rules.name_of_shadow(original) if new.name is UNSET else new.name,
            url=new.url,
            secret=self.secret,
            headers={} if new.headers is UNSET else new.headers,
            key_pair=self.key_pair,
            **endpoint_members(new, stamp.now),
            status=new.status,
            ordering="loose",
            rate_limit=None,
            retry_delays=(),
            trace=new.trace,
            shadow_of=original.id,
            starts_after=stamp.sequence - 1,
            filters=((0, original.filters[-1][1]),),
            created_at=stamp.at,
            updated_at=stamp.at,
        )
        following = rules.following(made, original, stamp.sequence - 1, stamp.at)
        made = replace(following, when_since=0, headers_since=0)
        check_apart(made)
        return Decision(result=SubscriptionCreated(made), rows=(made,))


class PromoteShadow(SubscriptionCommand, frozen=True, kw_only=True):
    """Swaps the endpoints of a shadow and its original, with their secrets and headers. `shadow_of` is the original's
    id. `not_ready` is why not, in a sentence; None if the shadow is ready, or is to be promoted anyway."""

    audited_as: ClassVar[str] = "subscription.promote-shadow"
    shadow_of: str
    not_ready: str | None = None

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Subscription, self.subscription_id), RowKey(Subscription, self.shadow_of)))

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        shadow = self._found(view, stamp.now)
        original = view.row(Subscription, self.shadow_of, self.tenant_id)
        if original is None or original.deleted_at is not None or shadow.shadow_of != original.id:
            raise subscription_not_found()
        if self.not_ready is not None:
            detail = f"{self.not_ready} To promote it all the same, send `anyway` with `true`."
            raise Conflict("shadow_not_ready", detail)
        swapped = rules.swapped(original.with_secrets_of(stamp.now), shadow, stamp.at)
        promoted = moved_on(swapped.original, stamp.at)
        return Decision(result=SubscriptionChanged(promoted), rows=(promoted, moved_on(swapped.shadow, stamp.at)))


def original_for(new: ShadowRequest, found: Subscription | None, shadow: Subscription | None) -> Subscription:
    """The original of a new shadow. `found` is the subscription that it names, if there is one, and `shadow` is the one
    which that has. Raises Invalid and Conflict if they do not fit."""
    original = rules.original_for(found, shadow)
    rules.check_apart(original.url, new.url)
    if rules.has_headers_of(original, new.url):
        check_no_headers(() if new.headers is UNSET else ("headers",))
    elif new.headers is UNSET:
        check_keeps_headers(original, new.url)
    return original


def not_a_shadow() -> Conflict:
    return Conflict("not_a_shadow", "This subscription is no shadow of another one.")
