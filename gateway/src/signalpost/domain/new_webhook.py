"""What a new webhook says about its endpoint, beside URL and headers: read, and found to go together."""

from typing import Any

from msgspec import UNSET

from signalpost.domain import oauth, old_signature, own_tls
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription_requests import SubscriptionRequest


def endpoint_members(new: SubscriptionRequest | ShadowRequest, now: int) -> dict[str, Any]:
    """The members of a subscription that say it. Raises Invalid."""
    headers = {} if new.headers is UNSET else new.headers
    sign_also = old_signature.with_secrets(new.sign_also, ())
    certificate = own_tls.read_certificate(new.client_certificate)
    authorities = own_tls.read_authorities(new.authorities)
    old_signature.check_apart(sign_also, headers)
    oauth.check_apart(new.oauth, (*headers, *(each.header for each in sign_also)))
    own_tls.check_usable(certificate, authorities, new.url, now)
    return {
        "sign_also": sign_also,
        "client_certificate": certificate,
        "authorities": authorities,
        "oauth": new.oauth,
    }
