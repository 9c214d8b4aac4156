"""How values are laid out in the columns of a database.

The layout is the same in each. Only ids differ, which one keeps as 16 bytes and another in a type of its own: whoever
packs or unpacks a row with an id says how.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signalpost.domain.api_key import ApiKey, Role
from signalpost.domain.connection import Connection, Granted, State
from signalpost.domain.delivery.exception_row import RowCounts
from signalpost.domain.delivery.replay import Replay, ReplayState
from signalpost.domain.documents.history import Step
from signalpost.domain.documents.version import Number
from signalpost.domain.documents.workflow import Workflow
from signalpost.domain.member import Member
from signalpost.domain.sign_in import Ground, Link, Purpose, Session
from signalpost.domain.subscription import WEBHOOK, Delay, Filters, Ordering, Status, Subscription
from signalpost.domain.tenant import Tenant
from signalpost.domain.tenant_limits import NO_LIMITS, TenantLimits, TenantUse
from signalpost.store.documents import SEARCHED_CHARACTERS
from signalpost.store.fleet import NodeProcess, NodeShown
from signalpost.store.fleet import Role as NodeRole
from signalpost.store.lanes import EndpointHealth, LaneNow, LaneStanding
from signalpost.store.row_changes import ROW_COUNT_COLUMNS
from signalpost.store.vault import Place, Vault

_decode_limits = msgspec.json.Decoder(TenantLimits).decode


class _Titled(Struct):
    title: str


_decode_title = msgspec.json.Decoder(_Titled).decode


def title_key(body: bytes) -> str:
    """What a document is found by that is searched for by how its title begins."""
    return _decode_title(body).title[:SEARCHED_CHARACTERS].lower()


def pack_number(number: Number | None) -> int | None:
    """A version's number as an integer that sorts as numbers follow one another."""
    return None if number is None else number.major << 32 | number.minor


def unpack_number(packed: int | None) -> Number | None:
    """Undo `pack_number`."""
    return None if packed is None else Number(packed >> 32, packed & 0xFFFFFFFF)


def pack_sequences(ascending: Iterable[int]) -> bytes:
    """The differences of sequences as little-endian base-128 numbers: one or two bytes for each open sequence of a busy
    lane."""
    packed = bytearray()
    previous = 0
    for sequence in ascending:
        difference, previous = sequence - previous, sequence
        while difference > 0x7F:
            packed.append(difference & 0x7F | 0x80)
            difference >>= 7
        packed.append(difference)
    return bytes(packed)


def unpack_sequences(packed: bytes) -> list[int]:
    """Undo `pack_sequences`."""
    first = 1
    while packed[first - 1 : first] > b"\x7f":
        first += 1
    if first < len(packed) and packed[first:].isascii():
        # A busy lane's differences take a byte each but for the first. A list reads a thousand lanes: sum these in C.
        return list(accumulate(packed[first:], initial=unpack_sequences(packed[:first])[0]))
    sequences: list[int] = []
    sequence = difference = shift = 0
    for byte in packed:
        difference |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            sequence += difference
            sequences.append(sequence)
            difference = shift = 0
    return sequences


class SubscriptionConfig(Struct, frozen=True):
    """What a subscription's row says without a seal."""

    name: str
    status: Status
    ordering: Ordering
    rate_limit: int | None
    retry_delays: tuple[int, ...]
    starts_after: int
    filters: Filters
    skip_to: int
    created_at: int
    updated_at: int
    promote_at: int | None = None
    disabled_at: int | None = None
    revived_at: int = 0
    skipped_at: int = 0
    kind: str = WEBHOOK
    config: Mapping[str, Any] = {}
    when: Mapping[str, Any] | None = None
    after: Delay | None = None
    disabled_because: str | None = None
    secret_since: int = 0
    url_since: int = 0
    headers_since: int = 0
    url: str | UnsetType = UNSET
    """Where it was kept before it was sealed; the next start seals it. A sealed one counts: whoever can write the
    database, and has no key, cannot have events sent elsewhere."""


class _Sealed(Struct, frozen=True):
    secret: str
    headers: dict[str, str]
    next_secret: str | None = None
    url: str | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode
_decode_config = msgspec.json.Decoder(SubscriptionConfig).decode
_decode_sealed = msgspec.json.Decoder(_Sealed).decode


def keeps_url_in_plain(config: bytes) -> bool:
    """Whether the config of a row is of before URLs were sealed."""
    return _decode_config(config).url is not UNSET


SUBSCRIPTION_COLUMNS = "number, id, tenant_id, version, deleted_at, connection_id, config, sealed"
Id = TypeVar("Id")
"""How a database keeps an id."""
SubscriptionColumns = tuple[int, Id, int, int, int | None, Id | None, bytes, bytes]


def pack_subscription(
    subscription: Subscription, vault: Vault, pack_id: Callable[[str], Id]
) -> SubscriptionColumns[Id]:
    """`SUBSCRIPTION_COLUMNS` of a subscription, its secrets sealed."""
    names = (name for name in SubscriptionConfig.__struct_fields__ if name != "url")
    config = SubscriptionConfig(**{name: getattr(subscription, name) for name in names})
    sealed = _Sealed(subscription.secret, subscription.headers, subscription.next_secret, subscription.url)
    return (
        subscription.number,
        pack_id(subscription.id),
        subscription.tenant_id,
        subscription.version,
        subscription.deleted_at,
        None if subscription.connection_id is None else pack_id(subscription.connection_id),
        _encode(config),
        vault.seal(
            _encode(sealed), Place("subscription", subscription.tenant_id, subscription.id, subscription.version)
        ),
    )


def unpack_subscription(columns: SubscriptionColumns[Id], vault: Vault, unpack_id: Callable[[Id], str]) -> Subscription:
    """From `SUBSCRIPTION_COLUMNS`."""
    number, packed_id, tenant_id, version, deleted_at, connection_id, config, sealed = columns
    identity = unpack_id(packed_id)
    place = Place("subscription", tenant_id, identity, version)
    in_plain = _decode_config(config)
    secrets = _decode_sealed(vault.open(sealed, place))
    if secrets.url is UNSET:
        secrets = msgspec.structs.replace(secrets, url=in_plain.url)
    return Subscription(
        id=identity,
        tenant_id=tenant_id,
        number=number,
        version=version,
        deleted_at=deleted_at,
        connection_id=None if connection_id is None else unpack_id(connection_id),
        **(msgspec.structs.asdict(in_plain) | msgspec.structs.asdict(secrets)),
    )


CONNECTION_COLUMNS = (
    "number, id, tenant_id, version, deleted_at, kind, name, state, reason, created_at, updated_at, config, granted,"
    " grant_version, held_until"
)
ConnectionColumns = tuple[
    int, Id, int, int, int | None, str, str, State, str | None, int, int, bytes, bytes | None, int, int | None
]
_decode_members = msgspec.json.Decoder(dict[str, Any]).decode
_decode_granted = msgspec.json.Decoder(Granted).decode


def pack_connection(connection: Connection, vault: Vault, pack_id: Callable[[str], Id]) -> ConnectionColumns[Id]:
    """`CONNECTION_COLUMNS` of a connection, its config and what was granted sealed."""
    granted = connection.granted
    return (
        connection.number,
        pack_id(connection.id),
        connection.tenant_id,
        connection.version,
        connection.deleted_at,
        connection.kind,
        connection.name,
        connection.state,
        connection.reason,
        connection.created_at,
        connection.updated_at,
        vault.seal(
            _encode(connection.config), Place("connection", connection.tenant_id, connection.id, connection.version)
        ),
        None
        if granted is None
        else vault.seal(
            _encode(granted), Place("grant", connection.tenant_id, connection.id, connection.grant_version)
        ),
        connection.grant_version,
        connection.held_until,
    )


def unpack_connection(columns: ConnectionColumns[Id], vault: Vault, unpack_id: Callable[[Id], str]) -> Connection:
    """From `CONNECTION_COLUMNS`."""
    number, packed_id, tenant_id, version, deleted_at, kind, name, state, reason, created_at, updated_at = columns[:11]
    config, granted, grant_version, held_until = columns[11:]
    identity = unpack_id(packed_id)
    config_place = Place("connection", tenant_id, identity, version)
    grant_place = Place("grant", tenant_id, identity, grant_version)
    return Connection(
        number=number,
        id=identity,
        tenant_id=tenant_id,
        version=version,
        deleted_at=deleted_at,
        kind=kind,
        name=name,
        state=state,
        reason=reason,
        created_at=created_at,
        updated_at=updated_at,
        config=_decode_members(vault.open(config, config_place)),
        granted=None if granted is None else _decode_granted(vault.open(granted, grant_place)),
        grant_version=grant_version,
        held_until=held_until,
    )


TENANT_COLUMNS = (
    "id, name, last_sequence, last_at, created_at, paused_at, deleted_at, limits, retention_days, config_version"
)
USE_COLUMNS = "documents, subscriptions, file_bytes"
"""The columns of a tenant's row that say how much it has of what can be limited."""
KEY_COLUMNS = "number, id, name, role, hash, created_at, revoked_at, tenant_id, expires_at, created_by, last_used_at"
KeyColumns = tuple[int, Id, str, str, bytes, int, int | None, int, int | None, str | None, int | None]


def unpack_tenant(columns: Sequence[Any]) -> Tenant:
    """From `TENANT_COLUMNS`, which are in the order of the members of `Tenant`."""
    *members, limits, retention_days, config_version = columns
    members += NO_LIMITS if limits is None else _decode_limits(limits), retention_days, config_version
    return Tenant(*members)


NODE_COLUMNS = "id, role, program, host, process, joined_at, lanes, is_draining"


_encode_now, _decode_now = msgspec.json.Encoder().encode, msgspec.json.Decoder(LaneNow).decode
STANDING_COLUMNS = f"open, health, standing, {ROW_COUNT_COLUMNS}"


def pack_now(now: LaneNow) -> bytes:
    """The column `standing`."""
    return _encode_now(now)


def unpack_standing(columns: Sequence[Any], *, is_owned: bool) -> LaneStanding:
    """From `STANDING_COLUMNS`."""
    packed, health, now, *counts = columns
    return LaneStanding(
        is_owned=is_owned,
        open=len(unpack_sequences(packed)),
        health=decode_health(health),
        counts=RowCounts(*counts),
        now=LaneNow() if now is None else _decode_now(now),
    )


def unpack_nodes(found: Iterable[Sequence[Any]], now: int) -> list[NodeShown]:
    """From `NODE_COLUMNS` and when each beat last."""
    return [
        NodeShown(
            id=number,
            role=NodeRole(role),
            program=program,
            process=NodeProcess(host, process),
            joined_at=joined_at,
            beat_at=beat_at,
            silent_for=max(0, now - beat_at),
            lanes=lanes,
            is_draining=bool(is_draining),
        )
        for number, role, program, host, process, joined_at, lanes, is_draining, beat_at in found
    ]


def pack_limits(limits: TenantLimits) -> str | None:
    """Limits as JSON; None where a tenant has none of its own."""
    return None if limits == NO_LIMITS else msgspec.json.encode(limits).decode()


def unpack_use(columns: Sequence[int]) -> TenantUse:
    """From `USE_COLUMNS`."""
    documents, subscriptions, file_bytes = columns
    return TenantUse(documents=documents, subscriptions=subscriptions, file_bytes=file_bytes)


def pack_key(key: ApiKey, pack_id: Callable[[str], Id]) -> KeyColumns[Id]:
    """`KEY_COLUMNS` of an API key."""
    return (
        key.number,
        pack_id(key.id),
        key.name,
        key.role.value,
        key.hash,
        key.created_at,
        key.revoked_at,
        key.tenant_id,
        key.expires_at,
        key.created_by,
        key.last_used_at,
    )


def unpack_key(columns: KeyColumns[Id], unpack_id: Callable[[Id], str]) -> ApiKey:
    """From `KEY_COLUMNS`."""
    number, packed_id, name, role, digest, created_at, revoked_at, tenant_id, expires_at, created_by, used_at = columns
    return ApiKey(
        number=number,
        id=unpack_id(packed_id),
        name=name,
        role=Role(role),
        hash=digest,
        created_at=created_at,
        revoked_at=revoked_at,
        tenant_id=tenant_id,
        expires_at=expires_at,
        created_by=created_by,
        last_used_at=used_at,
    )


MEMBER_COLUMNS = (
    "number, id, tenant_id, name, email, role, created_at, created_by, password, subject, generation, invitation,"
    " invited_until, removed_at"
)


def pack_member(member: Member, pack_id: Callable[[str], Id]) -> tuple[Any, ...]:
    """`MEMBER_COLUMNS` of a member."""
    return (
        member.number, pack_id(member.id), member.tenant_id, member.name, member.email, member.role.value,
        member.created_at, member.created_by, member.password, member.subject, member.generation, member.invitation,
        member.invited_until, member.removed_at,
    )  # fmt: skip


def unpack_member(columns: Sequence[Any], unpack_id: Callable[[Id], str]) -> Member:
    """From `MEMBER_COLUMNS`."""
    values = dict(zip(MEMBER_COLUMNS.split(", "), columns, strict=True))
    return Member(**(values | {"id": unpack_id(values["id"]), "role": Role(values["role"])}))


SESSION_COLUMNS = "hash, purpose, ground_kind, ground_id, proof, began_at, ends_at, used_at, proved_at"
LINK_COLUMNS = "hash, purpose, ground_kind, ground_id, proof, expires_at"


def pack_session(session: Session) -> tuple[Any, ...]:
    """`SESSION_COLUMNS` of a session."""
    times = (session.began_at, session.ends_at, session.used_at, session.proved_at)
    return (session.hash, str(session.purpose), *session.ground, *times)


def unpack_session(columns: Sequence[Any]) -> Session:
    """From `SESSION_COLUMNS`."""
    digest, purpose, kind, ground_id, proof, began_at, ends_at, used_at, proved_at = columns
    return Session(
        hash=digest,
        purpose=Purpose(purpose),
        ground=Ground(kind, ground_id, proof),
        began_at=began_at,
        ends_at=ends_at,
        used_at=used_at,
        proved_at=proved_at,
    )


def pack_link(link: Link) -> tuple[Any, ...]:
    """`LINK_COLUMNS` of a link."""
    return (link.hash, str(link.purpose), *link.ground, link.expires_at)


def unpack_link(columns: Sequence[Any]) -> Link:
    """From `LINK_COLUMNS`."""
    digest, purpose, kind, ground_id, proof, expires_at = columns
    return Link(hash=digest, purpose=Purpose(purpose), ground=Ground(kind, ground_id, proof), expires_at=expires_at)


REPLAY_COLUMNS = (
    "number, id, tenant_id, subscription_number, what, from_at, to_at, from_sequence, to_sequence, count,"
    " count_is_capped, created_at, cursor, queued, state, finished_at"
)


def pack_replay(replay: Replay, pack_id: Callable[[str], Id]) -> tuple[Any, ...]:
    """`REPLAY_COLUMNS` of a replay."""
    return (
        replay.number, pack_id(replay.id), replay.tenant_id, replay.subscription_number, replay.what, replay.from_at,
        replay.to_at, replay.from_sequence, replay.to_sequence, replay.count, replay.count_is_capped, replay.created_at,
        replay.cursor, replay.queued, str(replay.state), replay.finished_at,
    )  # fmt: skip


def unpack_replay(columns: Sequence[Any], unpack_id: Callable[[Id], str]) -> Replay:
    """From `REPLAY_COLUMNS`, which are in the order of the members of `Replay`."""
    values = dict(zip(Replay.__struct_fields__, columns, strict=True))
    values |= {
        "id": unpack_id(values["id"]),
        "count_is_capped": bool(values["count_is_capped"]),
        "state": ReplayState(values["state"]),
    }
    return Replay(**values)


def pack_workflow(workflow: Workflow | None) -> tuple[bytes | None, int | None]:
    """The columns `workflow` and `expires_at`; documents are found by the latter."""
    return (None, None) if workflow is None else (_encode(workflow), workflow.expires_at)


unpack_workflow = msgspec.json.Decoder(Workflow).decode
pack_step = msgspec.json.Encoder().encode
unpack_step = msgspec.json.Decoder(Step).decode
decode_gaps = msgspec.json.Decoder(list[list[int]]).decode
decode_health = msgspec.json.Decoder(EndpointHealth).decode
