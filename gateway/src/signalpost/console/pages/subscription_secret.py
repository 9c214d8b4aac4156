"""What every request to an endpoint carries beside the event: the signatures of the secret and of a key pair,
additional headers, signatures of other systems and a token; and the certificates with which it is sent."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, to_builtins

from signalpost.api.routing.shapes.subscriptions import SecretStatus, Subscription
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages.subscription import EndpointTest, back, patch, read, tested
from signalpost.console.pages.subscriptions import HEADER_ROWS, typed_headers
from signalpost.domain.old_signature import MAX_OLD_SIGNATURES, OldSignatureShown
from signalpost.domain.subscription import SIGNING, WEBHOOK

TAB = "/secret"


class SecretView(Struct, frozen=True):
    subscription: Subscription
    version: str
    """The version that is shown, so that a form changes no other one."""
    secret: SecretStatus | None
    """What is known of the secret; None for what has none."""
    header_rows: int = HEADER_ROWS
    most_old: int = MAX_OLD_SIGNATURES

    @property
    def old(self) -> Sequence[OldSignatureShown]:
        """The signatures of other systems that are sent."""
        return self.subscription.sign_also or ()

    @property
    def at(self) -> str:
        """What points at the signature that the form would add."""
        return f"/signAlso/{len(self.old)}"

    @property
    def labels(self) -> Mapping[str, str]:
        return {
            f"{self.at}/header": "Header",
            f"{self.at}/over": "Signed is",
            f"{self.at}/prefix": "Before the signature",
            f"{self.at}/secret": "The secret that the receiver knows",
            "/clientCertificate/certificate": "Certificate",
            "/clientCertificate/privateKey": "Private key",
            "/authorities": "Authorities",
            "/oauth/tokenUrl": "Token URL",
            "/oauth/clientId": "Client id",
            "/oauth/clientSecret": "Client secret",
            "/oauth/scope": "Scope",
        }


class RotationResult(Struct, frozen=True):
    subscription: Subscription
    secret: str | None
    standard_webhooks_secret: str | None
    reader_key: str | None


class _NewSecret(Struct, rename="camel"):
    secret: str | None
    standard_webhooks_secret: str | None
    reader_key: str | None = None


async def view(visit: Visit) -> SecretView:
    of = visit.params["id"]
    subscription, version = await visit.calls.read_version("read_subscription", Subscription, id=of)
    secret = None
    if has_secret(subscription):
        secret = await visit.calls.read("read_secret_status", SecretStatus, id=of)
    return SecretView(subscription, version, secret)


def has_secret(subscription: Subscription) -> bool:
    """Whether its events are signed with a secret."""
    return (subscription.kind or WEBHOOK) in SIGNING


async def rotate(visit: Visit) -> ShownOnce:
    visit.need_proof()
    made = await visit.calls.change("rotate_secret", {}, key=visit.given("key"), id=visit.params["id"])
    secret = msgspec.json.decode(made, type=_NewSecret)
    result = RotationResult(await read(visit), secret.secret, secret.standard_webhooks_secret, secret.reader_key)
    return ShownOnce("rotated.html", result)


async def promote(visit: Visit) -> SeeOther:
    visit.need_proof()
    await visit.calls.change("promote_secret", key=visit.given("key"), id=visit.params["id"])
    return back(visit, "promoted", TAB)


async def test_new_secret(visit: Visit) -> ShownOnce:
    """Whether the endpoint accepts the new secret, before the old one ends."""
    result = await tested(visit, {"secret": "next"})
    return ShownOnce("tested.html", EndpointTest(await read(visit), result, with_new_secret=True))


async def change_headers(visit: Visit) -> SeeOther:
    """Values are not shown, so what is typed replaces all headers. If nothing is typed, they stay; a box is ticked to
    remove them all."""
    headers = dict(typed_headers(visit))
    changed = {"headers": headers} if headers or visit.given("none") else {}
    await patch(visit, changed)
    return back(visit, "headers" if changed else "same", TAB)


async def sign_also(visit: Visit) -> SeeOther:
    """The secrets of those that are sent are not shown, and stay."""
    kept = (await view(visit)).old
    added = {name: visit.given(name) for name in ("algorithm", "encoding", "over", "prefix")}
    added |= {"header": visit.given("old_header").strip(), "secret": visit.given("old_secret")}
    await patch(visit, {"signAlso": [*map(to_builtins, kept), added]})
    return back(visit, "signs-also", TAB)


async def end_old(visit: Visit) -> SeeOther:
    kept = (await view(visit)).old
    await patch(visit, {"signAlso": [to_builtins(each) for each in kept if each.header != visit.given("of")]})
    return back(visit, "old-ended", TAB)


async def sign_with_key_pair(visit: Visit) -> SeeOther:
    await patch(visit, {"signWithKeyPair": True})
    return back(visit, "key-pair", TAB)


async def end_key_pair(visit: Visit) -> SeeOther:
    await patch(visit, {"signWithKeyPair": False})
    return back(visit, "key-pair-ended", TAB)


async def offer_certificate(visit: Visit) -> SeeOther:
    given = {"certificate": visit.given("certificate"), "privateKey": visit.given("private_key")}
    await patch(visit, {"clientCertificate": given})
    return back(visit, "certificate", TAB)


async def end_certificate(visit: Visit) -> SeeOther:
    await patch(visit, {"clientCertificate": None})
    return back(visit, "certificate-ended", TAB)


async def trust_authorities(visit: Visit) -> SeeOther:
    await patch(visit, {"authorities": visit.given("authorities")})
    return back(visit, "authorities", TAB)


async def end_authorities(visit: Visit) -> SeeOther:
    await patch(visit, {"authorities": None})
    return back(visit, "authorities-ended", TAB)


async def send_tokens(visit: Visit) -> SeeOther:
    client = {
        "tokenUrl": visit.given("token_url").strip(),
        "clientId": visit.given("client_id").strip(),
        "clientSecret": visit.given("client_secret"),
        "scope": visit.given("scope").strip(),
        "credentialsIn": visit.given("credentials_in"),
    }
    await patch(visit, {"oauth": client})
    return back(visit, "oauth", TAB)


async def end_tokens(visit: Visit) -> SeeOther:
    await patch(visit, {"oauth": None})
    return back(visit, "oauth-ended", TAB)


DONE = {
    "certificate": "The certificate is offered to the endpoint from now on.",
    "certificate-ended": "No certificate is offered to the endpoint any more.",
    "authorities": "The endpoint's certificate must be from these authorities from now on.",
    "authorities-ended": "The endpoint's certificate may be from the usual authorities again.",
    "headers": "The headers were replaced.",
    "oauth": "Requests carry a token of this client from now on. Test the endpoint to see whether one comes.",
    "oauth-ended": "Requests carry no token any more.",
    "same": "No header was typed, so all are as they were.",
    "promoted": "The new secret is the only one now.",
    "signs-also": "Requests carry the signature of the other system from now on.",
    "key-pair": "Requests are signed with the key pair, too, from now on. Give the receiver its public key.",
    "key-pair-ended": "The key pair is gone. Requests are signed with the secret alone.",
    "old-ended": "The signature of the other system is sent no more.",
}

PAGES = (
    Page(
        path=f"/subscriptions/{{id}}{TAB}",
        section="Subscriptions",
        title="Secret and headers",
        template="subscription_secret.html",
        view=view,
        forms={
            "rotate": rotate,
            "promote": promote,
            "test-new": test_new_secret,
            "headers": change_headers,
            "sign-also": sign_also,
            "end-old": end_old,
            "key-pair": sign_with_key_pair,
            "end-key-pair": end_key_pair,
            "certificate": offer_certificate,
            "end-certificate": end_certificate,
            "authorities": trust_authorities,
            "end-authorities": end_authorities,
            "oauth": send_tokens,
            "end-oauth": end_tokens,
        },
        done=DONE,
    ),
)
