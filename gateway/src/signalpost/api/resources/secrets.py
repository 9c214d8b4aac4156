"""What is known of a subscription's secret, without the secret: since when it signs, and whether it is accepted."""

import hashlib
from typing import Final

import msgspec

from signalpost.api.http.response import Response
from signalpost.api.resources import subscriptions
from signalpost.api.routing.context import RequestContext
from signalpost.api.routing.route import FOLLOWS, Example, Reply, Route
from signalpost.api.routing.shapes.subscriptions import SecretStatus
from signalpost.domain.errors import Conflict, NotFound
from signalpost.domain.portal_link import Capability
from signalpost.domain.stats import DELIVERED, FAILED, KEPT_SECONDS, RETRIED, STEP_SECONDS, Step, total
from signalpost.domain.subscription import WEBHOOK
from signalpost.domain.timestamps import SECOND, format_timestamp

_FINGERPRINT_DIGITS: Final = 4
"""How many digits are shown: enough to tell two secrets apart, too few to guess a short one by."""


async def read(context: RequestContext) -> Response:
    context.query()
    now = context.services.clock.wall()
    found = (await subscriptions.find(context)).with_secrets_of(now)
    if found.kind != WEBHOOK:
        raise Conflict("no_secret", "Only webhooks have a secret; this subscription uses a connection.")
    since = found.secret_since or found.created_at
    step: Step = "minute" if now - since < KEPT_SECONDS["minute"] * SECOND else "hour"
    first = max(since, now - KEPT_SECONDS[step] * SECOND) // SECOND
    starts = range(first - first % STEP_SECONDS[step], now // SECOND + 1, STEP_SECONDS[step])
    sums = await context.services.store.stats.read(context.tenant_id, found.number, step, starts)
    counts = total(sums.values())
    ends = (await context.services.lane_views.of(found)).standing.health.certificate_ends
    shown = SecretStatus(
        since=format_timestamp(since),
        fingerprint=_fingerprint(found.secret),
        next_fingerprint=None if found.next_secret is None else _fingerprint(found.next_secret),
        rotation_ends_at=None if found.promote_at is None else format_timestamp(found.promote_at),
        accepted=counts[DELIVERED],
        attempts=counts[DELIVERED] + counts[RETRIED] + counts[FAILED],
        certificate_expires_at=None if ends is None else format_timestamp(ends),
    )
    return Response(200, msgspec.json.encode(shown))


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
        replies={200: Reply("What the gateway knows about it, without the secret itself.", SecretStatus)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
)
