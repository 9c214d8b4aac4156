"""A shadow: a second endpoint that gets what a subscription's endpoint gets, so that the answers of both can be
compared and the new one promoted.

A shadow is a subscription. Which events it gets, and when, is copied from its original, by every change of the original
in the same commit: so its lane needs no other row, whichever node has it. Its endpoint is its own, with the secret, and
with the headers too unless both endpoints have one origin.

Nothing of a shadow may cost the original anything. It is sent to last, in slots of its own. Each event is sent to it
once at most, while it is less than an hour old, and no notice tells of it if that fails.
"""

from collections.abc import Iterable
from typing import Annotated, Final, Literal, NamedTuple, Protocol

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from signalpost.domain.body import Body
from signalpost.domain.checks import MAX_TEXT_CHARACTERS
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.endpoint import EndpointUrl, Headers, origin_of
from signalpost.domain.errors import Conflict, FieldError, Invalid
from signalpost.domain.fields import Text, Uuid
from signalpost.domain.key_pair import SignWithKeyPair
from signalpost.domain.language.values import is_same
from signalpost.domain.oauth import OAuthGiven
from signalpost.domain.old_signature import SignAlso
from signalpost.domain.own_tls import Authorities, ClientCertificateGiven
from signalpost.domain.subscription import WEBHOOK, Subscription, refiltered
from signalpost.domain.subscription_requests import Secret, Trace

_OF_ORIGINAL: Final = "A shadow has that of its original. Change it there."
_NONE: Final = "A shadow has none: nothing is sent to it twice, and nobody is told about it."
_FROM_NOW_ON: Final = "A shadow begins at the end of the log."
NOT_OF_SHADOWS: Final = {
    **dict.fromkeys(("eventTypes", "when", "after", "rateLimit"), _OF_ORIGINAL),
    **dict.fromkeys(("ordering", "retryDelays", "objective", "contacts"), _NONE),
    **dict.fromkeys(("startsAfter", "startsAt"), _FROM_NOW_ON),
}
"""What other subscriptions have and a shadow does not, with what to tell a caller who sends it."""
_OF_ENDPOINT: Final = (
    "url", "secret", "next_secret", "promote_at", "headers", "sign_also", "trace",
    "key_pair", "next_key_pair", "client_certificate", "authorities", "oauth",
)  # fmt: skip
"""What a promotion swaps: all that is said about an endpoint, so that each receiver goes on verifying what it gets."""


class ShadowRequest(Body, frozen=True, kw_only=True):
    """A new shadow of a subscription."""

    shadow_of: Uuid
    kind: Literal["webhook"] = WEBHOOK
    name: Text | UnsetType = UNSET
    url: EndpointUrl
    headers: Headers | UnsetType = UNSET
    sign_also: SignAlso = ()
    sign_with_key_pair: SignWithKeyPair = False
    client_certificate: ClientCertificateGiven | None = None
    authorities: Authorities | None = None
    oauth: OAuthGiven | None = None
    secret: Secret | UnsetType = UNSET
    status: Literal["active", "paused"] = "active"
    trace: Trace = False


class Promotion(Body, frozen=True, kw_only=True):
    """How a shadow is promoted."""

    anyway: Annotated[
        bool, Meta(description="Promote it even if its endpoint fails, or has not taken an event yet.")
    ] = False


def check_members(named: Iterable[str]) -> None:
    """Raises Invalid if there are some that shadows do not have among members, named as clients do."""
    wrong = [FieldError(f"/{name}", "not_of_shadows", NOT_OF_SHADOWS[name]) for name in named if name in NOT_OF_SHADOWS]
    if wrong:
        raise Invalid(wrong)


def original_for(found: Subscription | None, shadow: Subscription | None) -> Subscription:
    """The subscription that a new shadow names. `found` is None if there is none, and `shadow` is the one that it has.
    Raises Invalid and Conflict."""
    if found is None or found.deleted_at is not None:
        raise _no_original("not_found", "There is no subscription with this id.")
    if found.kind != WEBHOOK:
        raise _no_original("not_a_webhook", f"Only a webhook can have a shadow, and this is of the kind {found.kind}.")
    if found.shadow_of is not None:
        raise _no_original("is_a_shadow", "This is a shadow itself. Name its original.")
    if shadow is not None:
        raise Conflict("shadow_exists", f"The subscription has a shadow already: {shadow.id}. Delete that first.")
    return found


def _no_original(code: str, detail: str) -> Invalid:
    return Invalid([FieldError("/shadowOf", code, detail)])


def name_of_shadow(original: Subscription) -> str:
    """The name of a shadow that was given none."""
    return f"Shadow of {original.name}"[:MAX_TEXT_CHARACTERS]


def has_headers_of(original: Subscription, url: str) -> bool:
    """Whether a shadow at a URL has the headers of its original. Their values were given for one origin, and go to no
    other."""
    return origin_of(url) == origin_of(original.url)


def following(shadow: Subscription, original: Subscription, last: int, at: int) -> Subscription:
    """A shadow as its original wants it to be from now on; the same if it is so. `last` is the end of the log."""
    with_headers = has_headers_of(original, shadow.url)
    followed = replace(
        shadow,
        filters=refiltered(shadow.filters, last, original.filters[-1][1]),
        when=original.when,
        after=original.after,
        rate_limit=original.rate_limit,
        headers=original.headers if with_headers else shadow.headers,
    )
    if is_same(followed, shadow):
        return shadow
    return replace(
        followed,
        when_since=shadow.when_since if is_same(followed.when, shadow.when) else at,
        headers_since=shadow.headers_since if followed.headers == shadow.headers else at,
    )


def check_apart(original_url: str, shadow_url: str) -> None:
    """Raises Invalid if a subscription and its shadow have the same URL."""
    if original_url == shadow_url:
        detail = "A subscription and its shadow must have different URLs. To swap them, promote the shadow."
        raise Invalid([FieldError("/url", "same_url", detail)])


def comparable_since(original: Subscription, shadow: Subscription) -> int:
    """Since when both have been sent to the URLs that they have, and to no others."""
    return max(shadow.created_at, shadow.moved_at, original.moved_at)


class Pair(NamedTuple):
    original: Subscription
    shadow: Subscription


def swapped(original: Subscription, shadow: Subscription, at: int) -> Pair:
    """Both with the endpoint of the other."""
    return Pair(_with_endpoint_of(shadow, original, at), _with_endpoint_of(original, shadow, at))


def _with_endpoint_of(other: Subscription, one: Subscription, at: int) -> Subscription:
    has = {name: getattr(other, name) for name in _OF_ENDPOINT}
    secret_since = one.secret_since if other.secret == one.secret else at
    headers_since = one.headers_since if other.headers == one.headers else at
    return replace(one, **has, url_since=at, secret_since=secret_since, headers_since=headers_since)


class ShadowHealth(Protocol):
    """What a promotion has to know of an endpoint."""

    @property
    def breaker(self) -> Breaker: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def delivered_at(self) -> int | None: ...


def why_not_ready(shadow: Subscription, health: ShadowHealth) -> str | None:
    """A sentence why a shadow is not promoted unless that is asked for; None if there is no reason."""
    if shadow.status == "disabled":
        return "The shadow is disabled, because its endpoint failed for days."
    if health.breaker.failures:
        return f"The endpoint of the shadow fails: {health.last_error or 'its last attempt was not accepted.'}"
    if health.delivered_at is None or health.delivered_at < shadow.url_since:
        return "The endpoint of the shadow has not taken an event yet."
    return None
