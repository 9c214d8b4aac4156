"""What the API shows of nouns if that is more than the attributes of their rows (`Shape.of`), and nothing secret."""

import msgspec
from msgspec import UNSET

from signalpost.api.routing.shapes.access import TenantWithUse, UseShown
from signalpost.api.routing.shapes.documents import Document, KnownState
from signalpost.api.routing.shapes.subscriptions import SubscriptionShown
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.access.tenant_limits import TenantLimits, TenantUse
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import Links
from signalpost.domain.shown_url import shown_url
from signalpost.domain.subscription import SIGNING, WEBHOOK, Subscription
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
    is_webhook, has_connection = found.kind == WEBHOOK, found.kind not in SIGNING
    return SubscriptionShown.of(
        found,
        url="" if found.is_read else shown_url(found.url),
        headers=dict.fromkeys(found.headers),
        rotation_ends_at=found.promote_at,
        kind=UNSET if is_webhook else found.kind,
        connection=found.connection_id or "" if has_connection else UNSET,
        config=dict(found.config) if has_connection else UNSET,
        when=UNSET if found.when is None else dict(found.when),
        after=UNSET if found.after is None else found.after,
        objective=UNSET if found.objective is None else found.objective,
        trace=found.trace if is_webhook else UNSET,
        contacts=list(found.contacts) or UNSET,
        unsubscribed=list(found.unsubscribed) or UNSET,
        sign_also=[each.shown for each in found.sign_also] or UNSET,
        sign_with_key_pair=found.key_pair is not None or UNSET,
        public_keys=[each.public_key for each in found.key_pairs] or UNSET,
        client_certificate=UNSET if found.client_certificate is None else found.client_certificate.shown,
        authorities=[each.shown for each in found.authorities] or UNSET,
        oauth=UNSET if found.oauth is None else found.oauth.shown,
        shadow_of=found.shadow_of or UNSET,
    )


def tenant_with_use(
    tenant: Tenant, effective: TenantLimits, retention_days: int, use: TenantUse, in_flight: int
) -> TenantWithUse:
    """`effective` are the limits that count for it, and `retention_days` is the retention that does."""
    return TenantWithUse.of(
        tenant,
        effective_limits=effective,
        effective_retention_days=retention_days,
        use=UseShown.of(use, in_flight=in_flight),
    )
