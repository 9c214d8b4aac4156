"""What answers about access look like: keys, tenants, the audit, erasures, the master key."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from signalpost.api.routing.shapes.shape import SHOWN_FOR_AN_HOUR, Cursor, Shape, shows
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.portal_link import Capability, LinkState, Mode, NamedSubscriptions
from signalpost.domain.access.tenant import RetentionDays, TenantName, TenantStatus
from signalpost.domain.audit import ActorKind, Outcome
from signalpost.domain.fields import Timestamp, Uuid


class Key(Shape, frozen=True):
    """A key as lists show it: all but the key."""

    id: Uuid
    name: str
    role: Role
    tenant: Annotated[
        str, Meta(description="The tenant that the key belongs to. An operator's key works in every tenant.")
    ]
    created_at: Timestamp
    created_by: Annotated[str | None, Meta(description="Name of the key that created it.")]
    expires_at: Timestamp | None
    last_used_at: Annotated[
        Timestamp | None, Meta(description="After a crash, the uses of the last hour may be missing.")
    ]


class NewKey(Key, frozen=True):
    """The only answer that shows the key, this once."""

    key: Annotated[str | None, Meta(description=SHOWN_FOR_AN_HOUR)]


class KeyPage(Shape, frozen=True):
    data: list[Key]
    next: Cursor


class MemberShown(Shape, frozen=True):
    id: Uuid
    name: str
    email: str
    role: Role
    tenant: Annotated[
        str, Meta(description="The tenant that the member belongs to. An operator works in every tenant.")
    ]
    status: Annotated[
        Literal["invited", "active"], Meta(description="An invited member has no password yet, and cannot sign in.")
    ]
    created_at: Timestamp
    created_by: Annotated[str | None, Meta(description="Name of the key or member that invited them.")]
    invited_until: Annotated[Timestamp | None, Meta(description="When the invitation expires.")]


class InvitedMember(MemberShown, frozen=True):
    """The answer to the creation of a link: the only one that shows it."""

    url: Annotated[str | None, Meta(description=f"Where they set a password, once. {SHOWN_FOR_AN_HOUR}")]


class Invitation(Shape, frozen=True):
    url: Annotated[str | None, Meta(description=f"Where they set a password, once. {SHOWN_FOR_AN_HOUR}")]
    expires_at: Annotated[Timestamp | None, Meta(extra=shows("invited_until"))]


class MemberPage(Shape, frozen=True):
    data: list[MemberShown]
    next: Cursor


class PortalTheme(Shape, frozen=True):
    """What the pages look like, without the logo."""

    name: str
    accent: str
    radius: int
    mode: Mode


class PortalLinkShown(Shape, frozen=True):
    id: Uuid
    name: str
    state: Annotated[
        LinkState,
        Meta(description="`new` until it is opened, `open` while its session lasts, `ended` from then on."),
    ]
    subscriptions: NamedSubscriptions
    can: tuple[Capability, ...]
    embed: tuple[str, ...]
    theme: PortalTheme
    created_at: Timestamp
    created_by: Annotated[str, Meta(description="Name of the key or member that created it.")]
    open_until: Annotated[Timestamp, Meta(description="The latest time at which it can be opened.")]
    opened_at: Timestamp | None
    ends_at: Annotated[Timestamp, Meta(description="When the link and its session end, unless it is revoked earlier.")]


class NewPortalLink(PortalLinkShown, frozen=True):
    """The answer to the creation of a link: the only one that shows it."""

    url: Annotated[str | None, Meta(description=f"Signs in the first person who opens it. {SHOWN_FOR_AN_HOUR}")]


class PortalLinkPage(Shape, frozen=True):
    data: list[PortalLinkShown]
    next: Cursor


class ConsoleLink(Shape, frozen=True):
    url: Annotated[str, Meta(description="Signs in the first person who opens it.")]
    expires_at: Timestamp


class AuditActor(Shape, frozen=True):
    kind: ActorKind
    id: Annotated[
        str,
        Meta(description="The id of the API key, member or portal link, or a word for an actor that has none."),
    ]
    name: str
    role: Role | None


class AuditObject(Shape, frozen=True):
    kind: str
    id: str


class AuditChange(Shape, frozen=True):
    old: Annotated[Any, Meta(description="The old value; null if there was none. `***` stands for a secret.")]
    new: Annotated[Any, Meta(description="The new value; null if there is none.")]


Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class AuditEntry(Shape, frozen=True):
    number: Annotated[int, Meta(description="Number of the entry: a tenant's entries are numbered without a gap.")]
    at: Timestamp
    tenant: TenantName
    actor: AuditActor
    source: Annotated[str | None, Meta(description="The client's address, as far as trusted proxies vouch for it.")]
    request: Annotated[str | None, Meta(description="ID of the request in the gateway's log.")]
    action: Annotated[str, Meta(description="A noun and a verb, such as `subscription.change`.")]
    object: AuditObject
    outcome: Outcome
    changes: Annotated[dict[str, AuditChange], Meta(description="The old and new value of each member that changed.")]
    previous: Annotated[Hash, Meta(description="The hash of the tenant's entry before it; zeros for the first.")]
    hash: Annotated[
        Hash,
        Meta(description="SHA-256 of the other members as JSON in UTF-8, with sorted members and without spaces."),
    ]


class AuditMark(Shape, frozen=True):
    """The newest entry: its hash covers all entries before it."""

    number: int
    hash: Hash


class AuditPage(Shape, frozen=True):
    data: list[AuditEntry]
    next: Cursor
    mark: Annotated[
        AuditMark | None,
        Meta(description="Keep a copy elsewhere. With it you can show later that no entry up to this one was changed."),
    ]


class AuditFault(Shape, frozen=True):
    tenant: Annotated[str | None, Meta(description="The tenant of the entry; null if that tenant was deleted.")]
    number: int
    reason: Annotated[str, Meta(description="What is wrong, in a sentence for people.")]


class AuditVerification(Shape, frozen=True):
    entries: Annotated[int, Meta(description="Number of entries checked, of all tenants.")]
    fault: Annotated[
        AuditFault | None, Meta(description="The first entry that does not follow from the one before; null if all do.")
    ]
    end: Annotated[
        str,
        Meta(
            description="Where the audit of all tenants ends, sealed by this gateway. Keep it elsewhere: given as "
            "`end`, it shows later whether entries that there are now were removed or replaced."
        ),
    ]


class LimitsShown(Shape, frozen=True):
    """The limits of a tenant; null means unlimited."""

    requests_per_second: int | None
    changes_per_second: int | None
    in_flight: int | None
    documents: int | None
    subscriptions: int | None
    file_bytes: int | None


class UseShown(Shape, frozen=True):
    """How much of each limited resource a tenant uses."""

    documents: int
    subscriptions: int
    file_bytes: int
    in_flight: int


class ErasureShown(Shape, frozen=True):
    """The erasure of a tenant or a document, and its progress."""

    id: Uuid
    tenant: Annotated[str, Meta(description="The name of the tenant.")]
    document: Annotated[
        Uuid | None,
        Meta(description="The document's externalId; null for the whole tenant.", extra=shows("document_id")),
    ]
    state: Literal["running", "finished"]
    removed: Annotated[int, Meta(description="Number of rows and files removed so far.")]
    asked_at: Timestamp
    finished_at: Timestamp | None


class ErasurePage(Shape, frozen=True):
    data: list[ErasureShown]
    next: Cursor


class TenantShown(Shape, frozen=True):
    name: TenantName
    status: TenantStatus
    created_at: Annotated[Timestamp | None, Meta(description="Null for `default`, which exists from the start.")]
    limits: Annotated[LimitsShown, Meta(description="The limits that an operator set for this tenant.")]
    retention_days: Annotated[
        RetentionDays | None, Meta(description="Days to keep its events, if an operator set them for this tenant.")
    ]


class TenantWithUse(TenantShown, frozen=True):
    effective_limits: Annotated[
        LimitsShown,
        Meta(description="The limits in force: those of the settings, unless an operator set others for this tenant."),
    ]
    effective_retention_days: Annotated[
        RetentionDays,
        Meta(
            description="The days in force: the setting RETENTION_DAYS, unless an operator set others for this tenant."
        ),
    ]
    use: UseShown


class TenantPage(Shape, frozen=True):
    data: list[TenantShown]
    next: Cursor


class MasterKeyUse(Shape, frozen=True):
    id: Annotated[str, Meta(description="Computed from the key, without revealing it.")]
    data_keys: Annotated[
        int, Meta(ge=0, description="Number of data keys that this key encrypts. At 0 it is no longer needed.")
    ]


class MasterKeyShown(Shape, frozen=True):
    current: str
    state: Literal["settled", "changing"]
    keys: list[MasterKeyUse]
