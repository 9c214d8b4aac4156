"""A connection: the gateway's credentials for a vendor, shared by the subscriptions that deliver there.

One owner holds what a vendor gave: a refresh token that is replaced with each use would be lost if two held it. What a
client said (`config`) and what the vendor gave (`granted`) change apart: a new token moves `grant_version` alone, so it
invalidates no client's ETag.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from signalpost.domain.body import Body
from signalpost.domain.fields import Text
from signalpost.domain.kind_config import Config, KindName

State = Literal["ready", "needs_consent", "broken"]
"""`needs_consent`: a person has to give consent first. `broken`: the vendor refuses access, see `reason`."""
DISCONNECTED: Final = "It was disconnected. To go on, give the connection its secrets again."
"""The reason of a connection that forgot its secrets."""


class Granted(Struct, frozen=True, kw_only=True):
    """What a vendor gave after a person's consent."""

    refresh_token: str
    access_token: str = ""
    expires_at: int = 0
    """When the access token ends, µs."""
    account: Mapping[str, str] = {}
    """What the vendor said of the account, such as the organisation's id."""

    def __repr__(self) -> str:
        return "Granted(…)"


class Connection(Struct, frozen=True, kw_only=True):
    """A connection as the engine uses it. Its config and what was granted are sealed in the store."""

    id: str
    tenant_id: int
    number: int
    """Primary key in the store."""
    kind: str
    name: str
    config: Mapping[str, Any]
    """The members of the kind's connection struct, as JSON, secrets among them."""
    granted: Granted | None = None
    grant_version: int = 0
    """Rises with every change of `granted`. A write must name the version that its writer read."""
    state: State = "ready"
    reason: str | None = None
    """A sentence for people: why it is not ready."""
    held_until: int | None = None
    """Until when the vendor asked to be left alone, µs; None if it did not. That may be over."""
    version: int = 1
    created_at: int
    updated_at: int
    deleted_at: int | None = None

    def __repr__(self) -> str:
        """Shows no secret, because tools that print a traceback's variables call this."""
        return f"Connection({self.id}, tenant {self.tenant_id}, {self.kind}, {self.state}, version {self.version})"

    @property
    def etag(self) -> str:
        return f'"{self.version}"'

    @property
    def account(self) -> Mapping[str, str]:
        """What the vendor said of the account that it granted access to."""
        return {} if self.granted is None else self.granted.account

    @property
    def is_disconnected(self) -> bool:
        """Whether its secrets were forgotten: in its config, null stands in their place."""
        return self.state == "broken" and self.reason == DISCONNECTED


# --- What clients send ------------------------------------------------------------------------------------------------


class ConnectionRequest(Body, frozen=True, kw_only=True):
    """A new connection."""

    kind: KindName
    name: Text | UnsetType = UNSET
    config: Config


class ConsentBrought(Body, frozen=True, kw_only=True):
    """What a vendor's redirect brought, pasted by a person whose browser cannot reach the gateway."""

    code: Text | UnsetType = UNSET
    state: Text | UnsetType = UNSET
    iss: Text | UnsetType = UNSET


class ConnectionPatch(Body, frozen=True, kw_only=True):
    """A change of a connection. Members of its config that it leaves out stay."""

    name: Text | UnsetType = UNSET
    config: Config | UnsetType = UNSET
