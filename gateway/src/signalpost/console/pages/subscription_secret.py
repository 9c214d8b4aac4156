"""What every request to an endpoint carries beside the event: the signature of the secret, and additional headers."""

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.subscriptions import SecretStatus, Subscription
from signalpost.console.page import Page, SeeOther, ShownOnce, Visit
from signalpost.console.pages.subscription import EndpointTest, back, patch, read, tested
from signalpost.console.pages.subscriptions import HEADER_ROWS, typed_headers

TAB = "/secret"


class SecretView(Struct, frozen=True):
    subscription: Subscription
    version: str
    """The version that is shown, so that a form changes no other one."""
    secret: SecretStatus | None
    """What is known of the secret; None for what has none."""
    header_rows: int = HEADER_ROWS


class RotationResult(Struct, frozen=True):
    subscription: Subscription
    secret: str | None
    standard_webhooks_secret: str | None


class _NewSecret(Struct, rename="camel"):
    secret: str | None
    standard_webhooks_secret: str | None


async def view(visit: Visit) -> SecretView:
    of = visit.params["id"]
    subscription, version = await visit.calls.read_version("read_subscription", Subscription, id=of)
    secret = None if subscription.kind else await visit.calls.read("read_secret_status", SecretStatus, id=of)
    return SecretView(subscription, version, secret)


async def rotate(visit: Visit) -> ShownOnce:
    visit.need_proof()
    made = await visit.calls.change("rotate_secret", {}, key=visit.given("key"), id=visit.params["id"])
    secret = msgspec.json.decode(made, type=_NewSecret)
    return ShownOnce("rotated.html", RotationResult(await read(visit), secret.secret, secret.standard_webhooks_secret))


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


DONE = {
    "headers": "The headers were replaced.",
    "same": "No header was typed, so all are as they were.",
    "promoted": "The new secret is the only one now.",
}

PAGES = (
    Page(
        path=f"/subscriptions/{{id}}{TAB}",
        section="Subscriptions",
        title="Secret and headers",
        template="subscription_secret.html",
        view=view,
        forms={"rotate": rotate, "promote": promote, "test-new": test_new_secret, "headers": change_headers},
        done=DONE,
    ),
)
