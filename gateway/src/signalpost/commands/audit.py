"""Makes the audit's entries from the rows that a command changed, before and after the change.

No command writes an entry of its own, so none can forget one. A command has a name (`audited_as`) and says who asks for
it (`actor`); what it decides to change is compared here with what there was, before its batch applies it. What a member
of a row may show is decided here too. A member that is not decided on is taken for a secret: the entry says that it
changed, and no more.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from signalpost.commands.command import BatchView, Command, Decision, Stamp
from signalpost.commands.subscriptions import SubscriptionCommand
from signalpost.domain.access.api_key import FIRST_TENANT, ApiKey
from signalpost.domain.access.member import Member
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.audit import COMMAND_LINE, GATEWAY, EntryDraft, Object
from signalpost.domain.connection import Connection
from signalpost.domain.delivery.replay import Replay
from signalpost.domain.event import EVERY_TYPE, type_names
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.correspondence import Correspondence
from signalpost.domain.shown_url import STRUCK
from signalpost.domain.source import Source
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import format_timestamp

MAX_VALUE_BYTES: Final = 1024
"""An entry has the size and the hash of a longer value, so that it stays small whatever a client sends."""
_RENEWED: Final = frozenset({"granted"})
"""Members that the gateway itself renews, every hour or so."""

_NOTHING: Final[tuple[object, ...]] = (None, 0, {})
"""Values that say no more than if the member were missing."""


class _HiddenValue:
    """A value that entries compare, but show only as `seen`."""

    __slots__ = ("_value", "seen")

    def __init__(self, value: Any, seen: str = STRUCK) -> None:
        self._value = value
        self.seen = seen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _HiddenValue) and self._value == other._value

    __hash__ = None  # type: ignore[assignment]


class _Members(Struct, frozen=True):
    """Which members of a row an entry shows. Members in none of the sets count as secrets."""

    noun: str
    """What the audit calls such a row."""
    shown: frozenset[str]
    left_out: frozenset[str]
    """Members that no caller asks to change: numbers, versions, derived times."""
    urls: frozenset[str] = frozenset()
    """Texts that may be URLs. Only the origin of one is shown: what follows may be a credential."""
    derived: Mapping[str, Callable[[Any], Any]] = {}
    """Members under another name or in another form."""
    repeats: bool = False
    """Whether such a row is written again and again: a change of nothing that is shown has no entry."""


_BOOKKEEPING: Final = frozenset({"id", "tenant_id", "number", "version", "created_at", "updated_at", "deleted_at"})
_KEPT_OF_TENANT: Final = frozenset({"id", "last_sequence", "last_at", "created_at", "deleted_at", "config_version"})
_SHOWN_OF_REPLAY: Final = frozenset({"what", "state", "from_at", "to_at", "count", "document_id"})
_MEMBERS: Final[Mapping[type[Any], _Members]] = {
    Subscription: _Members(
        "subscription",
        shown=frozenset(
            "kind connection_id config when after objective trace status ordering rate_limit retry_delays skip_to"
            " promote_at disabled_because starts_after shadow_of".split()
        ),
        left_out=_BOOKKEEPING
        | {"filters", "headers", "sign_also", "skipped_at", "skip_version", "disabled_at", "revived_at"}
        | {"key_pair", "next_key_pair", "client_certificate", "authorities", "oauth"}
        | {"secret_since", "url_since", "headers_since", "when_since", "tested_at"}
        | {"contacts", "unsubscribed"},
        urls=frozenset({"name", "url"}),
        derived={
            "eventTypes": lambda row: list(row.event_types),
            "headers": lambda row: {name: _HiddenValue(value) for name, value in row.headers.items()},
            "signAlso": lambda row: {each.header: _HiddenValue(each) for each in row.sign_also} or None,
            "clientCertificate": lambda row: row.client_certificate and row.client_certificate.fingerprint,
            "authorities": lambda row: [each.fingerprint for each in row.authorities] or None,
            "oauth": lambda row: (
                row.oauth and _HiddenValue(row.oauth, f"{row.oauth.client_id} {row.oauth.token_origin}")
            ),
            "publicKeys": lambda row: [each.public_key for each in row.key_pairs] or None,
            # Whose addresses these are: the audit outlives their tenant.
            "contacts": lambda row: [*map(_HiddenValue, row.contacts)] or None,
            "unsubscribed": lambda row: [*map(_HiddenValue, row.unsubscribed)] or None,
        },
    ),
    Connection: _Members(
        "connection",
        shown=frozenset({"kind", "state", "reason"}),
        left_out=_BOOKKEEPING | {"config", "grant_version", "held_until"},
        urls=frozenset({"name"}),
        derived={"config": lambda row: {name: _HiddenValue(value) for name, value in row.config.items()}},
    ),
    ApiKey: _Members(
        "key",
        shown=frozenset({"name", "role", "expires_at", "revoked_at"}),
        left_out=_BOOKKEEPING | {"hash", "created_by", "last_used_at"},
    ),
    Member: _Members(
        "member",
        shown=frozenset({"name", "email", "role", "subject", "removed_at"}),
        left_out=_BOOKKEEPING | {"created_by", "generation", "invitation", "invited_until"},
    ),
    PortalLink: _Members(
        "portal-link",
        shown=frozenset({"name", "subscriptions", "can", "embed", "opened_at", "revoked_at"}),
        left_out=_BOOKKEEPING | {"hash", "maker", "created_by", "theme"},
        derived={"endsAt": lambda row: format_timestamp(row.ends_at)},
    ),
    ConditionRow: _Members(
        "notice",
        shown=frozenset(),
        left_out=frozenset(ConditionRow.__struct_fields__),
        derived={"mutedUntil": lambda row: None if row.muted_until is None else format_timestamp(row.muted_until)},
    ),
    Source: _Members(
        "source",
        shown=frozenset({"name"}),
        left_out=_BOOKKEEPING | {"oldest_seconds", "dead", "added_at", "heard_at"},
        repeats=True,
    ),
    Tenant: _Members(
        "tenant",
        shown=frozenset(Tenant.__struct_fields__) - _KEPT_OF_TENANT,
        left_out=_KEPT_OF_TENANT,
    ),
    Replay: _Members(
        "replay",
        shown=_SHOWN_OF_REPLAY,
        left_out=frozenset(Replay.__struct_fields__) - _SHOWN_OF_REPLAY,
        derived={"eventTypes": lambda row: None if row.types == EVERY_TYPE else type_names(row.types)},
    ),
    Correspondence: _Members("correspondence", shown=frozenset(), left_out=frozenset(Correspondence.__struct_fields__)),
}


def drafts(command: Command[Any], decision: Decision[Any], view: BatchView, stamp: Stamp) -> list[EntryDraft]:
    """The entries of a command that was decided and is not applied yet: one for each row that changes."""
    action, actor = command.audited_as or type(command).__name__, command.actor
    return [
        EntryDraft(tenant_id=tenant_id, at=stamp.now, actor=actor, action=action, object=thing, changes=changes)
        for thing, tenant_id, changes in _changed(command, decision, view)
        if actor != GATEWAY or not changes.keys() <= _RENEWED
    ]


def _changed(
    command: Command[Any], decision: Decision[Any], view: BatchView
) -> Iterator[tuple[Object, int, Mapping[str, Any]]]:
    """Each row that a decision changes: what it is, the tenant in whose audit it stands, and its changes."""
    of_subscription = command.subscription_id if isinstance(command, SubscriptionCommand) else ""
    for row in decision.rows:
        changes = _changes(view.row(type(row), row.id, None), row)
        if isinstance(row, Replay):
            changes |= _difference({}, {"subscription": of_subscription})
        rules = _MEMBERS[type(row)]
        if changes or not rules.repeats:
            yield Object(rules.noun, row.id), row.tenant_id, changes
    if (erasure := decision.erasure) is not None and erasure.document_id is not None:
        yield Object("document", erasure.document_id), erasure.tenant_id, {}
    if (tenant := decision.tenant) is not None:
        # Changes of tenants are in the audit of `default`, which always exists.
        yield Object("tenant", tenant.name), FIRST_TENANT, _changes(view.tenant_named(tenant.name), tenant)
    if (retry := decision.retry) is not None:
        # Deliveries have no ids of their own.
        asked = {"sequence": retry.sequence, "document": retry.document_id}
        yield Object("subscription", of_subscription), command.tenant_id, _difference({}, asked)
    if (document := decision.document) is not None and command.audited_as is not None:
        # Nothing that was in the document: the person who deletes it may want that gone.
        yield Object("document", document.external_id), command.tenant_id, {}


def told_of(recovered: ApiKey) -> EntryDraft:
    """The entry of a key that the command line made, with the gateway stopped."""
    return EntryDraft(
        tenant_id=recovered.tenant_id,
        at=recovered.created_at,
        actor=COMMAND_LINE,
        action="key.recover",
        object=Object("key", recovered.id),
        changes=_changes(None, recovered),
    )


def described(row: Struct) -> dict[str, Any]:
    """A row as its entries show it: its members, without secrets."""
    return {name: _shown(value) for name, value in _members(row).items()}


def _changes(before: Any, after: Any) -> dict[str, Any]:
    return _difference(_members(before), _members(after))


def _difference(was: Mapping[str, Any], became: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"old": _shown(was.get(name)), "new": _shown(became.get(name))}
        for name in sorted({*was, *became})
        if was.get(name) != became.get(name)
    }


def _members(row: Any) -> dict[str, Any]:
    """What a row says, by the members' names on the wire, with secrets marked; empty for no row or a deleted one."""
    if row is None or getattr(row, "deleted_at", None) is not None:
        return {}
    rules = _MEMBERS[type(row)]
    members: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if name in rules.left_out or value in _NOTHING:
            continue
        if name in rules.shown:
            members[_on_the_wire(name)] = format_timestamp(value) if name.endswith("_at") else value
        elif name in rules.urls:
            members[_on_the_wire(name)] = _HiddenValue(value, _origin(value)) if "://" in value else value
        else:
            members[_on_the_wire(name)] = _HiddenValue(value)
    for name, derive in rules.derived.items():
        if (derived := derive(row)) is not None:
            members[name] = derived
    return members


def _shown(value: Any) -> Any:
    """A value in the form that an entry shows."""
    shown = msgspec.to_builtins(value, enc_hook=lambda hidden: hidden.seen)
    written = msgspec.json.encode(shown)
    if len(written) <= MAX_VALUE_BYTES:
        return shown
    return {"bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}


def _origin(url: str) -> str:
    """A URL of which only the origin can be read."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return STRUCK
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}/{STRUCK}"


def _on_the_wire(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
