"""What a patch of a subscription means: which of its attributes change, and whether that fits it."""

from collections.abc import Container, Mapping
from typing import Any, Final

from msgspec.structs import fields, replace

from signalpost.domain import old_signature as old_signatures
from signalpost.domain import own_tls
from signalpost.domain import shadow as shadows
from signalpost.domain.body import given
from signalpost.domain.checks import Bad, pointer
from signalpost.domain.endpoint import origin_of, parse_url
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.key_pair import KeyPair
from signalpost.domain.shown_url import meant_url
from signalpost.domain.subscription import POLL, WEBHOOK, Subscription, bits_of
from signalpost.domain.subscription_requests import SubscriptionPatch

_OF_CONNECTORS: Final = {"connection": "connection", "config": "config"}
_OF_WEBHOOKS: Final = {
    "url": "url",
    "headers": "headers",
    "sign_also": "signAlso",
    "trace": "trace",
    "sign_with_key_pair": "signWithKeyPair",
    "client_certificate": "clientCertificate",
    "authorities": "authorities",
    "oauth": "oauth",
}


def as_patched(found: Subscription, patch: SubscriptionPatch) -> Subscription:
    """What a patch makes of a subscription, as if it had been so from its beginning. Raises Invalid."""
    changes = meant_changes(found, patch)
    del changes["skip_backlog"]
    if "connection" in changes:
        changes["connection_id"] = changes.pop("connection")
    if "event_types" in changes:
        changes["filters"] = ((0, bits_of(changes.pop("event_types"))),)
    return replace(found, **changes)


def meant_changes(
    found: Subscription,
    patch: SubscriptionPatch,
    original: Subscription | None = None,
    key_pair: KeyPair | None = None,
) -> dict[str, Any]:
    """What a patch names, by attributes, with the URL that it means. `original` is that of a shadow, and `key_pair` is
    for one that has none and shall sign with one. Raises Invalid if it does not fit."""
    changes = given(patch)
    _check_fits(found.kind, changes)
    if found.shadow_of is not None:
        shadows.check_members(each.encode_name for each in fields(patch) if each.name in changes)
    if "url" in changes:
        changes["url"] = _meant_url(changes["url"], found.url)
    if "sign_also" in changes:
        changes["sign_also"] = old_signatures.with_secrets(changes["sign_also"], found.sign_also)
    if changes.pop("sign_with_key_pair", None) is not None:
        pairs = (found.key_pair or key_pair, found.next_key_pair) if patch.sign_with_key_pair else (None, None)
        changes["key_pair"], changes["next_key_pair"] = pairs
    if "client_certificate" in changes:
        changes["client_certificate"] = own_tls.read_certificate(patch.client_certificate)
    if "url" in changes:
        _check_keeps(found, changes)
    if "authorities" in changes:
        changes["authorities"] = own_tls.read_authorities(patch.authorities)
    if original is not None and shadows.has_headers_of(original, changes.get("url", found.url)):
        check_no_headers(changes)
    elif "url" in changes and "headers" not in changes:
        check_keeps_headers(found, changes["url"])
    return changes


def check_no_headers(named: Container[str]) -> None:
    """Raises Invalid if headers are among what is named of a shadow that has those of its original."""
    if "headers" in named:
        detail = "A shadow at the origin of its original has the headers of that. Change them there."
        raise Invalid([FieldError("/headers", "not_of_shadows", detail)])


def check_keeps_headers(found: Subscription, url: str) -> None:
    """Raises Invalid if the present headers would go to another origin: a caller who may change the URL may not read
    their values, and would read them there."""
    origin = parse_url(url).origin
    if found.headers and origin != origin_of(found.url):
        detail = f"Its value would now go to {origin}. Give headers again, all with their values; or {{}} for none."
        raise Invalid([FieldError(pointer("headers", name), "give_again", detail) for name in found.headers])


def _check_keeps(found: Subscription, changes: Mapping[str, Any]) -> None:
    """Raises Invalid if the present client certificate, or tokens of the present client, would go to another origin
    than they were given for."""
    origin = parse_url(changes["url"]).origin
    if origin == origin_of(found.url):
        return
    errors = []
    if found.client_certificate is not None and "client_certificate" not in changes:
        detail = f"It would now be offered to {origin}. Give it again, with its private key; or null for none."
        errors.append(FieldError("/clientCertificate", "give_again", detail))
    if found.oauth is not None and "oauth" not in changes:
        detail = f"Its tokens would now go to {origin}. Give it again, with its secret; or null for none."
        errors.append(FieldError("/oauth", "give_again", detail))
    if errors:
        raise Invalid(errors)


def _check_fits(kind: str, changes: Mapping[str, Any]) -> None:
    """Raises Invalid naming the members of a patch that subscriptions of a kind do not have."""
    if kind == WEBHOOK:
        foreign, detail = _OF_CONNECTORS, "A webhook has none."
    elif kind == POLL:
        foreign = _OF_CONNECTORS | _OF_WEBHOOKS | {"ordering": "ordering", "rate_limit": "rateLimit"}
        foreign |= {"retry_delays": "retryDelays"}
        detail = "Its events are read, in order and at the pace of their reader: nothing is sent."
    else:
        foreign = _OF_WEBHOOKS
        detail = "The connection and the config say where and how it is sent."
    errors = [FieldError(f"/{wire}", "not_allowed", detail) for name, wire in foreign.items() if name in changes]
    if errors:
        raise Invalid(errors)


def _meant_url(url: str, present: str) -> str:
    """The URL that a patch means. It may have been shown before another change. Raises Invalid."""
    try:
        return meant_url(url, present)
    except Bad as bad:
        raise Invalid([FieldError("/url", bad.code, bad.detail)]) from None
