"""Commands that create, change and delete connections, and keep what vendors granted.

The kind checks a config before a command is made; the command decides what depends on the stored rows. Two rules follow
from a connection's having one owner:

- What a vendor granted is kept only by the node that read the `grant_version` before. Two that renew the same token
  cannot both win, and the loser reads what the winner kept.
- A connection cannot go while subscriptions use it, and a connection that breaks disables them in the same commit.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from signalpost.commands.command import (
    BaseCommand,
    BatchView,
    Decision,
    Reads,
    RowKey,
    Stamp,
    moved_on,
)
from signalpost.commands.documents import check_precondition
from signalpost.domain.connection import DISCONNECTED, Connection, Granted, State
from signalpost.domain.errors import Conflict, NotFound, PreconditionFailed
from signalpost.domain.language.values import is_same
from signalpost.domain.subscription import Subscription


class ConnectionCreated(Struct, frozen=True):
    connection: Connection


class ConnectionChanged(Struct, frozen=True):
    """`connection` is what it is after the command, also if nothing changed."""

    connection: Connection


class ConnectionDeleted(Struct, frozen=True):
    connection: Connection


class ConnectionCommand(BaseCommand, frozen=True, kw_only=True):
    connection_id: str
    if_match: frozenset[str] | None = None

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Connection, self.connection_id),))

    def _found(self, view: BatchView) -> Connection:
        found = require_connection(view.row(Connection, self.connection_id, self.tenant_id))
        check_precondition(self.if_match, found.etag)
        return found


class _CommandWithSubscriptions(ConnectionCommand, frozen=True, kw_only=True):
    """A change that also concerns the connection's subscriptions."""

    @property
    def reads(self) -> Reads:
        users = RowKey(Subscription, self.connection_id, "connection")
        return Reads(rows=(RowKey(Connection, self.connection_id), users))

    def _users(self, view: BatchView) -> list[Subscription]:
        """The subscriptions of the connection."""
        return [
            each
            for each in view.rows_of(Subscription)
            if (each.tenant_id, each.connection_id) == (self.tenant_id, self.connection_id) and each.deleted_at is None
        ]


class CreateConnection(ConnectionCommand, frozen=True, kw_only=True):
    """`connection_id` is the id of the new connection, `config` what its kind has checked."""

    audited_as: ClassVar[str] = "connection.create"
    adds: ClassVar[type[Connection]] = Connection
    kind: str
    name: str
    config: Mapping[str, Any]
    needs_consent: bool
    """Whether a person has to give consent at the vendor."""

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionCreated]:
        made = Connection(
            id=self.connection_id,
            tenant_id=self.tenant_id,
            number=view.next_number(Connection),
            kind=self.kind,
            name=self.name,
            config=self.config,
            state="needs_consent" if self.needs_consent else "ready",
            created_at=stamp.at,
            updated_at=stamp.at,
        )
        return Decision(result=ConnectionCreated(made), rows=(made,))


class PatchConnection(_CommandWithSubscriptions, frozen=True, kw_only=True):
    """A new config, which its kind has checked, is tried again even if the connection was broken. `url` is the first
    origin that it leads to, which the connection's subscriptions show."""

    audited_as: ClassVar[str] = "connection.change"
    name: str | UnsetType = UNSET
    config: Mapping[str, Any] | UnsetType = UNSET
    url: str | None = None
    """None if the config stays."""
    needs_consent: bool = False
    """Whether a person has to give consent at the vendor, according to the new config."""
    of_version: int
    """The version that the new config was made from."""

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.version != self.of_version:
            detail = "Another call changed it at the same time: repeat yours."
            raise PreconditionFailed("precondition_failed", detail)
        changed = found if self.name is UNSET else replace(found, name=self.name)
        if self.config is not UNSET and not is_same(self.config, found.config):
            state: State = "needs_consent" if self.needs_consent and found.granted is None else "ready"
            changed = replace(changed, config=self.config, state=state, reason=None, held_until=None)
        if is_same(changed, found):
            return Decision(result=ConnectionChanged(found))
        changed = moved_on(changed, stamp.at)
        moved = tuple(
            moved_on(replace(each, url=self.url), stamp.at)
            for each in self._users(view)
            if each.url != self.url and self.url is not None
        )
        return Decision(result=ConnectionChanged(changed), rows=(*moved, changed))


class DeleteConnection(_CommandWithSubscriptions, frozen=True, kw_only=True):
    """What was sealed goes at once."""

    audited_as: ClassVar[str] = "connection.delete"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionDeleted]:
        found = self._found(view)
        used_by = [each.id for each in self._users(view)]
        if used_by:
            detail = f"{len(used_by)} of your subscriptions use it: delete them first."
            raise Conflict("connection_in_use", detail, subscriptions=used_by[:100])
        gone = moved_on(replace(found, config={}, granted=None, deleted_at=stamp.at), stamp.at)
        return Decision(result=ConnectionDeleted(gone), rows=(gone,))


class KeepGrant(ConnectionCommand, frozen=True, kw_only=True):
    """Keeps what a vendor granted, at a person's consent or in exchange for a refresh token. Raises Conflict if
    someone kept another since `of_grant_version` was read."""

    audited_as: ClassVar[str] = "connection.connect"
    granted: Granted
    of_grant_version: int

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.grant_version != self.of_grant_version:
            raise _grant_moved_on()
        kept = replace(found, granted=self.granted, grant_version=found.grant_version + 1)
        if found.state != "ready":
            kept = moved_on(replace(kept, state="ready", reason=None), stamp.at)
        return Decision(result=ConnectionChanged(kept), rows=(kept,))


class DisconnectConnection(ConnectionCommand, frozen=True, kw_only=True):
    """Forgets the credentials. Subscriptions of the connection wait, and lose nothing."""

    left: Mapping[str, Any]
    """The config without what is forgotten. If a person gave consent, all of it stays, because then only what was
    granted is forgotten."""
    needs_consent: bool
    of_version: int
    """The version that `left` was made from."""

    audited_as: ClassVar[str] = "connection.disconnect"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.version != self.of_version:
            detail = "Another call changed it at the same time: repeat yours."
            raise PreconditionFailed("precondition_failed", detail)
        if found.granted is None and self.left == found.config:
            raise Conflict("not_connected", "This connection has no credentials to forget.")
        cut = replace(
            found,
            config=self.left,
            granted=None,
            grant_version=found.grant_version + 1,
            state="needs_consent" if self.needs_consent else "broken",
            reason=None if self.needs_consent else DISCONNECTED,
        )
        cut = moved_on(cut, stamp.at)
        return Decision(result=ConnectionChanged(cut), rows=(cut,))


class BreakConnection(_CommandWithSubscriptions, frozen=True, kw_only=True):
    """The vendor refuses access. The connection's subscriptions are disabled with the reason; nothing is
    lost, since their lanes stay where they are. `if_match` and `of_grant_version` name the state that was judged, so
    whatever fixed it meanwhile wins."""

    audited_as: ClassVar[str] = "connection.break"
    reason: str
    of_grant_version: int

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.grant_version != self.of_grant_version:
            raise _grant_moved_on()
        broken = moved_on(replace(found, state="broken", reason=self.reason), stamp.at)
        disabled = tuple(each.disabled(stamp.at, self.reason) for each in self._users(view) if each.status == "active")
        return Decision(result=ConnectionChanged(broken), rows=(*disabled, broken))


class HoldConnection(ConnectionCommand, frozen=True, kw_only=True):
    """The vendor wants no calls until a time, µs. If a later time is already stored, that one stays."""

    audited_as: ClassVar[str] = "connection.hold"
    until: int

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.held_until is not None and found.held_until >= self.until:
            return Decision(result=ConnectionChanged(found))
        held = replace(found, held_until=self.until)
        return Decision(result=ConnectionChanged(held), rows=(held,))


class RepairConnection(ConnectionCommand, frozen=True, kw_only=True):
    """A call has shown that a broken connection works again. One that was disconnected stays so until a caller gives it
    its secrets: that call was under way with those that were forgotten."""

    audited_as: ClassVar[str] = "connection.repair"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[ConnectionChanged]:
        found = self._found(view)
        if found.state != "broken" or found.is_disconnected:
            return Decision(result=ConnectionChanged(found))
        repaired = moved_on(replace(found, state="ready", reason=None), stamp.at)
        return Decision(result=ConnectionChanged(repaired), rows=(repaired,))


def require_connection(found: Connection | None) -> Connection:
    """The connection, if there is one. Raises NotFound."""
    if found is None or found.deleted_at is not None:
        raise NotFound("connection_not_found", "There is no connection with this id.")
    return found


def _grant_moved_on() -> Conflict:
    detail = "Another consent was stored for this connection in the meantime. That one counts."
    return Conflict("grant_moved_on", detail)
