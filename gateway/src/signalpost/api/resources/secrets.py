"""Secrets of subscriptions: rotate them, end a rotation, see whether the endpoint accepts them, check a signature."""

import hashlib
from functools import partial
from typing import Final

from msgspec import UNSET

from signalpost.api.resources import subscriptions
from signalpost.api.resources.shown_subscriptions import with_health
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.route import FOLLOWS, SUBSCRIBES, Example, OneChange, Reply, Route
from signalpost.api.routing.shapes.subscriptions import NewSubscription, SecretStatus, SignatureVerdict
from signalpost.api.routing.shapes.subscriptions import Subscription as SubscriptionShape
from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.errors import Conflict, FieldError, Invalid, NotFound
from signalpost.domain.signature_check import check_signatures, standard_headers
from signalpost.domain.stats import DELIVERED, FAILED, KEPT_SECONDS, RETRIED, STEP_SECONDS, Step, total
from signalpost.domain.subscription import SIGNING, Subscription
from signalpost.domain.subscription_requests import SecretRotation, SignatureCheck
from signalpost.domain.timestamps import SECOND, format_timestamp
from signalpost.runtime.own_time import on_thread
from signalpost_receiver.sign import PAGE_SIGNATURE, STANDARD_ID

_FINGERPRINT_DIGITS: Final = 4
"""How many digits are shown: enough to tell two secrets apart, too few to guess a short one by."""


@only_reads
async def read(context: RequestContext) -> SecretStatus:
    context.query()
    now = context.services.clock.wall()
    found = await _find(context, now)
    since = found.secret_since or found.created_at
    step: Step = "minute" if now - since < KEPT_SECONDS["minute"] * SECOND else "hour"
    first = max(since, now - KEPT_SECONDS[step] * SECOND) // SECOND
    starts = range(first - first % STEP_SECONDS[step], now // SECOND + 1, STEP_SECONDS[step])
    sums = await context.services.store.stats.read(context.tenant_id, found.number, step, starts)
    counts = total(sums.values())
    ends = (await context.services.lane_views.of(found)).standing.health.certificate_ends
    return SecretStatus(
        since=format_timestamp(since),
        fingerprint=_fingerprint(found.secret),
        next_fingerprint=None if found.next_secret is None else _fingerprint(found.next_secret),
        rotation_ends_at=None if found.promote_at is None else format_timestamp(found.promote_at),
        accepted=counts[DELIVERED],
        attempts=counts[DELIVERED] + counts[RETRIED] + counts[FAILED],
        certificate_expires_at=None if ends is None else format_timestamp(ends),
    )


async def check_signature(context: RequestContext) -> SignatureVerdict:
    """Try the secrets that sign now. This runs on a thread, because a large body takes long."""
    context.query()
    asked: SignatureCheck = await context.read_body()
    now = context.services.clock.wall()
    found = await _find(context, now)
    body = asked.body.encode("utf-8", "replace")
    secrets = [each for each in (found.secret, found.next_secret) if each is not None]
    check = partial(check_signatures, body, _headers(asked, body), secrets, now / SECOND)
    [checked] = await on_thread(context.services.off_loop, check)
    return SignatureVerdict(checked.fits, checked.detail)


def rotate(context: RequestContext) -> RotateSecret:
    change = context.change()
    of = subscriptions.subscription_id(context)
    found = context.services.directory.subscription(context.tenant_id, of)
    has_pair = found is not None and found.key_pair is not None
    if found is not None and found.is_read and change.body.secret is not UNSET:
        detail = "The gateway makes the secret of a subscription that is read: its reader's key follows from it."
        raise Invalid([FieldError("/secret", "not_allowed", detail)])
    return RotateSecret(
        tenant_id=context.tenant_id,
        subscription_id=of,
        secret=subscriptions.secret_of(context, change.body.secret),
        overlap_hours=change.body.overlap_hours,
        key_pair=subscriptions.new_key_pair(context, wanted=has_pair),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


def promote(context: RequestContext) -> PromoteSecret:
    change = context.change()
    return PromoteSecret(
        tenant_id=context.tenant_id,
        subscription_id=subscriptions.subscription_id(context),
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


async def _find(context: RequestContext, now: int) -> Subscription:
    """The subscription with the secrets that sign now. Raises NotFound and Conflict."""
    found = (await subscriptions.find(context)).with_secrets_of(now)
    if found.kind not in SIGNING:
        raise Conflict("no_secret", "This subscription has no secret: it uses a connection.")
    return found


def _headers(asked: SignatureCheck, body: bytes) -> dict[str, str]:
    """The headers of the request that a signature is of."""
    signature = asked.signature.strip()
    if asked.timestamp is UNSET:
        return {PAGE_SIGNATURE: signature}
    headers = standard_headers(body, signature, asked.timestamp.strip())
    return headers if asked.id is UNSET else {**headers, STANDARD_ID: asked.id.strip()}


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[-_FINGERPRINT_DIGITS:]


ROUTES = (
    Route(
        name="read_secret_status",
        method="GET",
        path="/v1/subscriptions/{id}/secret",
        summary="Read about a secret: since when it signs, and whether the endpoint accepts it",
        roles=FOLLOWS,
        handler=read,
        portal=Capability.SECRET,
        replies={200: Reply("What the gateway knows about the secret, without the secret itself.", SecretStatus)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
    Route(
        name="check_signature",
        method="POST",
        path="/v1/subscriptions/{id}/secret/check",
        summary="Check a signature with a subscription's secret, and learn why it does not fit",
        roles=SUBSCRIBES,
        handler=check_signature,
        portal=Capability.SECRET,
        body=RequestBody(SignatureCheck),
        replies={200: Reply("Whether the signature matches the body.", SignatureVerdict)},
        errors=(NotFound, Conflict),
        example=Example({"signature": "0496622f", "body": '{"id":"8cfa669c-41cc-412c-858d-0374e2c007fc"}'}),
    ),
    Route(
        name="rotate_secret",
        method="POST",
        path=subscriptions.PATH + "/secret/rotate",
        summary="Rotate the secret: the old and the new one both sign until the overlap ends",
        roles=SUBSCRIBES,
        handler=OneChange(rotate),
        complete=with_health,
        portal=Capability.SECRET,
        body=RequestBody(SecretRotation, optional=True),
        conditional=True,
        idempotent=True,
        replies={
            200: Reply(
                "The subscription with its new secret, which is shown only this once.", NewSubscription, ("etag",)
            )
        },
        errors=(NotFound, Conflict),
        example=Example({"overlapHours": 48}),
    ),
    Route(
        name="promote_secret",
        method="POST",
        path=subscriptions.PATH + "/secret/promote",
        summary="Promote the new secret: end the overlap now",
        roles=SUBSCRIBES,
        handler=OneChange(promote),
        complete=with_health,
        portal=Capability.SECRET,
        conditional=True,
        idempotent=True,
        replies={200: Reply("The subscription.", SubscriptionShape, ("etag",))},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
