"""What the API shows of each noun, without what is secret: values of the domain in the shapes of answers."""

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict

from signalpost.api.routing.shapes.access import (
    ErasureShown,
    Key,
    LimitsShown,
    MemberShown,
    PortalLinkShown,
    PortalTheme,
    TenantShown,
    TenantWithUse,
    UseShown,
)
from signalpost.api.routing.shapes.deliveries import ShownReplay
from signalpost.api.routing.shapes.destinations import ConnectionShown
from signalpost.api.routing.shapes.documents import Document, KnownState
from signalpost.api.routing.shapes.subscriptions import SubscriptionShown
from signalpost.domain.api_key import ApiKey
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import Links
from signalpost.domain.erasure import Erasure
from signalpost.domain.event import EVERY_TYPE, type_names
from signalpost.domain.member import Member
from signalpost.domain.portal_link import PortalLink
from signalpost.domain.shown_url import shown_url
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import TenantLimits, TenantUse
from signalpost.domain.timestamps import format_timestamp

_decode_document = msgspec.json.Decoder(Document).decode


def document_json(row: DocumentRow, links: Links, tenant_id: int, at: int) -> bytes:
    """The attributes of C7, with links that are fresh at `at`, and `updatedAt`."""
    shown = links.put_into(row.body, row, tenant_id, at)
    return b'%b,"updatedAt":"%b"}' % (shown[:-1], format_timestamp(row.updated_at).encode())


def document_shown(row: DocumentRow, links: Links, tenant_id: int, at: int) -> Document:
    """What `document_json` shows, as an object."""
    return _decode_document(document_json(row, links, tenant_id, at))


def known_state(row: DocumentRow) -> KnownState:
    """What a source is told that sent a version which changed nothing."""
    assert row.source_version is not None
    return KnownState(
        external_id=row.external_id, source_version=row.source_version, deleted=row.deleted_at is not None
    )


def subscription_shown(found: Subscription) -> SubscriptionShown:
    is_webhook = found.kind == WEBHOOK
    return SubscriptionShown(
        id=found.id,
        name=found.name,
        url=shown_url(found.url),
        event_types=found.event_types,
        headers=dict.fromkeys(found.headers),
        status=found.status,
        ordering=found.ordering,
        rate_limit=found.rate_limit,
        retry_delays=found.retry_delays,
        starts_after=found.starts_after,
        rotation_ends_at=None if found.promote_at is None else format_timestamp(found.promote_at),
        created_at=format_timestamp(found.created_at),
        updated_at=format_timestamp(found.updated_at),
        kind=UNSET if is_webhook else found.kind,
        connection=UNSET if is_webhook else found.connection_id or "",
        config=UNSET if is_webhook else dict(found.config),
        when=UNSET if found.when is None else dict(found.when),
        after=UNSET if found.after is None else found.after,
    )


def connection_shown(found: Connection) -> ConnectionShown:
    return ConnectionShown(
        id=found.id,
        kind=found.kind,
        name=found.name,
        state=found.state,
        reason=found.reason,
        held_until=None if found.held_until is None else format_timestamp(found.held_until),
        account={} if found.granted is None else dict(found.granted.account),
        created_at=format_timestamp(found.created_at),
        updated_at=format_timestamp(found.updated_at),
    )


def replay_shown(replay: Replay, subscription_id: str) -> ShownReplay:
    return ShownReplay(
        id=replay.id,
        subscription_id=subscription_id,
        state=replay.state,
        from_=format_timestamp(replay.from_at),
        to=format_timestamp(replay.to_at),
        from_sequence=replay.from_sequence,
        to_sequence=replay.to_sequence,
        status=replay.what,
        count=replay.known_count,
        count_is_capped=replay.count_is_capped,
        queued=replay.queued,
        delivered=replay.delivered,
        failed=replay.failed,
        skipped=replay.skipped,
        waiting=replay.waiting,
        created_at=format_timestamp(replay.created_at),
        finished_at=None if replay.finished_at is None else format_timestamp(replay.finished_at),
        event_types=None if replay.types == EVERY_TYPE else type_names(replay.types),
        external_id=replay.document_id,
        created_by=replay.created_by,
    )


def tenant_shown(tenant: Tenant) -> TenantShown:
    return TenantShown(
        name=tenant.name,
        status="active" if tenant.paused_at is None else "paused",
        created_at=None if tenant.created_at is None else format_timestamp(tenant.created_at),
        limits=_limits_shown(tenant.limits),
        retention_days=tenant.retention_days,
    )


def tenant_with_use(
    tenant: Tenant, effective: TenantLimits, retention_days: int, use: TenantUse, in_flight: int
) -> TenantWithUse:
    """`effective` are the limits that count for it, and `retention_days` is the retention that does."""
    shown = tenant_shown(tenant)
    return TenantWithUse(
        name=shown.name,
        status=shown.status,
        created_at=shown.created_at,
        limits=shown.limits,
        retention_days=shown.retention_days,
        effective_limits=_limits_shown(effective),
        effective_retention_days=retention_days,
        use=UseShown(**asdict(use), in_flight=in_flight),
    )


def _limits_shown(limits: TenantLimits) -> LimitsShown:
    return LimitsShown(**asdict(limits))


def erasure_shown(erasure: Erasure) -> ErasureShown:
    return ErasureShown(
        id=erasure.id,
        tenant=erasure.tenant,
        document=erasure.document_id,
        state="running" if erasure.finished_at is None else "finished",
        removed=erasure.removed,
        asked_at=format_timestamp(erasure.asked_at),
        finished_at=None if erasure.finished_at is None else format_timestamp(erasure.finished_at),
    )


def key_shown(key: ApiKey, tenant: str, used_at: int | None) -> Key:
    return Key(
        id=key.id,
        name=key.name,
        role=key.role,
        tenant=tenant,
        created_at=format_timestamp(key.created_at),
        created_by=key.created_by,
        expires_at=None if key.expires_at is None else format_timestamp(key.expires_at),
        last_used_at=None if used_at is None else format_timestamp(used_at),
    )


def member_shown(member: Member, tenant: str) -> MemberShown:
    return MemberShown(
        id=member.id,
        name=member.name,
        email=member.email,
        role=member.role,
        tenant=tenant,
        status="active" if member.is_active else "invited",
        created_at=format_timestamp(member.created_at),
        created_by=member.created_by,
        invited_until=None if member.invited_until is None else format_timestamp(member.invited_until),
    )


def portal_link_shown(link: PortalLink, now: int) -> PortalLinkShown:
    theme = link.theme
    return PortalLinkShown(
        id=link.id,
        name=link.name,
        state=link.state(now),
        subscriptions=link.subscriptions,
        can=link.can,
        embed=link.embed,
        theme=PortalTheme(name=theme.name, accent=theme.accent, radius=theme.radius, mode=theme.mode),
        created_at=format_timestamp(link.created_at),
        created_by=link.created_by,
        open_until=format_timestamp(link.open_until),
        opened_at=None if link.opened_at is None else format_timestamp(link.opened_at),
        ends_at=format_timestamp(link.ends_at),
    )
