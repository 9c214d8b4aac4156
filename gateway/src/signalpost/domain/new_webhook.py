"""What a new webhook says about its endpoint, beside URL and headers: read, and found to go together."""

from typing import TypedDict

from msgspec import UNSET

from signalpost.domain import oauth, old_signature, own_tls
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.old_signature import OldSignature
from signalpost.domain.own_tls import Certificate, ClientCertificate
from signalpost.domain.shadow import ShadowRequest
from signalpost.domain.subscription_requests import SubscriptionRequest


class EndpointMembers(TypedDict):
    """The members of a subscription that say it."""

    sign_also: tuple[OldSignature, ...]
    client_certificate: ClientCertificate | None
    authorities: tuple[Certificate, ...]
    oauth: OAuthClient | None


def endpoint_members(new: SubscriptionRequest | ShadowRequest, now: int) -> EndpointMembers:
    """Raises Invalid if they do not go together."""
    headers = {} if new.headers is UNSET else new.headers
    sign_also = old_signature.with_secrets(new.sign_also, ())
    certificate = own_tls.read_certificate(new.client_certificate)
    authorities = own_tls.read_authorities(new.authorities)
    old_signature.check_apart(sign_also, headers)
    oauth.check_apart(new.oauth, (*headers, *(each.header for each in sign_also)))
    own_tls.check_usable(certificate, authorities, new.url, now)
    return EndpointMembers(
        sign_also=sign_also, client_certificate=certificate, authorities=authorities, oauth=new.oauth
    )
