"""Commands that rotate the secret of a subscription (C21)."""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BatchView, Decision, Stamp, moved_on
from signalpost.commands.subscriptions import SubscriptionChanged, SubscriptionCommand
from signalpost.domain import subscription as rules
from signalpost.domain.errors import Conflict
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND


class SecretRotated(Struct, frozen=True):
    """`secret` is the new secret. The old one may still sign, too."""

    subscription: Subscription
    secret: str


class RotateSecret(SubscriptionCommand, frozen=True, kw_only=True):
    """Add a new secret to the old one for `overlap_hours`; 0 replaces the old one at once (C21). `key_pair` does the
    same beside the old pair, if there is one: so all that signs has one rotation, with one end."""

    audited_as: ClassVar[str] = "subscription.rotate-secret"
    secret: str
    overlap_hours: int
    key_pair: KeyPair | None = None

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SecretRotated]:
        found = self._found(view, stamp.now)
        _check_signs(found)
        pair = None if found.key_pair is None else self.key_pair
        if self.overlap_hours == 0:
            # A leaked secret must go even while a rotation is under way.
            rotating = replace(found, next_secret=self.secret, next_key_pair=pair)
            changed = rotating.promoted(stamp.now)
        elif found.next_secret is not None:
            detail = "A rotation is under way: promote its secret first, or rotate with overlapHours 0 to replace both."
            raise Conflict("rotation_under_way", detail)
        else:
            overlap = self.overlap_hours * 3600 * SECOND
            changed = replace(found, next_secret=self.secret, next_key_pair=pair, promote_at=stamp.now + overlap)
        rotated = moved_on(changed, stamp.at)
        return Decision(result=SecretRotated(rotated, self.secret), rows=(rotated,))


class PromoteSecret(SubscriptionCommand, frozen=True, kw_only=True):
    """Ends the overlap of a rotation: the new secret becomes the only one (C21)."""

    audited_as: ClassVar[str] = "subscription.promote-secret"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        found = self._found(view, stamp.now)
        _check_signs(found)
        if found.next_secret is None:
            raise Conflict("no_rotation", "No rotation is in progress, so there is no new secret to promote.")
        promoted = moved_on(found.promoted(stamp.now), stamp.at)
        return Decision(result=SubscriptionChanged(promoted), rows=(promoted,))


def _check_signs(found: Subscription) -> None:
    """Raises Conflict for a subscription that has no secret."""
    if found.kind not in rules.SIGNING:
        raise Conflict("no_secret", "This subscription has no secret: it uses a connection.")
