"""Commands that make portal links, open them and revoke them."""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp
from signalpost.domain.access.portal_link import Capability, LinkState, PortalLink, Subscriptions, Theme
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.errors import Gone, NotFound
from signalpost.domain.timestamps import SECOND


class PortalLinkCreated(Struct, frozen=True):
    """`url` has the link's token. Only its hash is kept."""

    link: PortalLink
    url: str
    state: LinkState = LinkState.NEW


class PortalLinkOpened(Struct, frozen=True):
    link: PortalLink


class PortalLinkRevoked(Struct, frozen=True):
    link: PortalLink


class _PortalLinkCommand(BaseCommand, frozen=True, kw_only=True):
    link_id: str

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(PortalLink, self.link_id),))


class CreatePortalLink(_PortalLinkCommand, frozen=True, kw_only=True):
    """`link_id` is the id of the new link, `hash` the hash of its token."""

    audited_as: ClassVar[str] = "portal-link.create"
    adds: ClassVar[type[PortalLink]] = PortalLink
    url: str
    hash: bytes
    maker: Ground
    created_by: str
    expires_in: int
    """In seconds."""
    name: str
    subscriptions: Subscriptions
    can: tuple[Capability, ...]
    embed: tuple[str, ...]
    theme: Theme

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[PortalLinkCreated]:
        allowed = {Capability.VIEW, *self.can}
        made = PortalLink(
            number=view.next_number(PortalLink),
            tenant_id=self.tenant_id,
            id=self.link_id,
            hash=self.hash,
            maker=self.maker,
            created_by=self.created_by,
            created_at=stamp.now,
            ends_at=stamp.now + self.expires_in * SECOND,
            name=self.name,
            subscriptions=self.subscriptions,
            can=tuple(each for each in Capability if each in allowed),
            embed=self.embed,
            theme=self.theme,
        )
        return Decision(result=PortalLinkCreated(made, self.url), rows=(made,))


class OpenPortalLink(_PortalLinkCommand, frozen=True, kw_only=True):
    """Use a link up: only the first person who opens it is signed in."""

    audited_as: ClassVar[str] = "portal-link.open"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[PortalLinkOpened]:
        found = view.row(PortalLink, self.link_id, self.tenant_id)
        if found is None or not found.may_be_opened(stamp.now):
            raise Gone("link_used", "This link was used or has expired.")
        opened = replace(found, opened_at=stamp.now)
        return Decision(result=PortalLinkOpened(opened), rows=(opened,))


class RevokePortalLink(_PortalLinkCommand, frozen=True, kw_only=True):
    audited_as: ClassVar[str] = "portal-link.revoke"

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[PortalLinkRevoked]:
        found = view.row(PortalLink, self.link_id, self.tenant_id)
        if found is None or found.state(stamp.now) is LinkState.ENDED:
            raise portal_link_not_found()
        revoked = replace(found, revoked_at=stamp.now)
        return Decision(result=PortalLinkRevoked(revoked), rows=(revoked,))


def portal_link_not_found() -> NotFound:
    return NotFound("portal_link_not_found", "There is no portal link with this id, or it has ended.")
