"""Asks a vendor to revoke the gateway's credentials when a caller disconnects a connection.

    hold back ──▶ commit: the connection forgets ──▶ tell the vendor, with what was held ──▶ say how it answered
        └──────── not committed: go on as before

The connection forgets whatever the vendor says. What it held is taken down first, once a token that was asked for has
come, here or at another node: nothing is left at the vendor of which no one knows any more. No one asks for another
until the commit is made. If the gateway ends between the commit and the vendor's answer, no one asks the vendor again.
"""

from collections.abc import Sequence
from typing import Final, Self

from msgspec import Struct

from signalpost.destinations.access import Held, Revocation
from signalpost.destinations.members import client_authorization
from signalpost.destinations.rulings import Done
from signalpost.domain.secrets import Secrets
from signalpost.engine.connectors.open_connection import OpenConnection, OpenedConnection
from signalpost.engine.connectors.wire import Impossible, VendorTransport, reply_of, request_of
from signalpost.runtime.logger import log
from signalpost.sender.transport import answered

NO_CALL: Final = "Nothing was revoked: the vendor's API has no call for that. Revoke the access at the vendor."
TAKEN_BACK: Final = "The vendor revoked the access."


class RevocationOutcome(Struct, frozen=True):
    """How the vendor answered."""

    succeeded: bool
    detail: str
    """A sentence for people."""


class Disconnection:
    """One connection that is about to forget its credentials. The commit is made while it is entered."""

    def __init__(self, opened: OpenConnection, transport: VendorTransport) -> None:
        self._connection = opened
        self._transport = transport
        self._opened: OpenedConnection | None = None
        self._trouble = ""
        self._held = Held()
        self._authorization: str | None = None
        self._secrets = Secrets(())

    async def __aenter__(self) -> Self:
        """Remember the credentials, and keep every node from asking for another token until the exit. Raises
        Unavailable if another node has waited for a token for long, and NotFound if the connection was
        deleted."""
        opened = self._connection
        await opened.tokens.rest()
        self._opened, self._trouble = opened.opened, opened.trouble or ""
        self._held, self._authorization = opened.tokens.held, opened.tokens.authorization
        self._secrets = opened.secrets
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let tokens be asked for again, which a connection without credentials does not do."""
        await self._connection.tokens.go_on()

    async def tell(self) -> RevocationOutcome:
        """Have the vendor take back what was held, after the commit."""
        if self._opened is None:
            return RevocationOutcome(succeeded=False, detail=f"The vendor was not told. {self._trouble}".strip())
        try:
            revocations = self._opened.kind.revocations(self._opened.holds, self._held)
            return await self._told(self._opened, revocations)
        except Exception as error:  # a kind may come from any package
            said = self._secrets.strike(f"{type(error).__name__}: {error}")
            kind = self._opened.kind.kind
            log.error("a kind of destination failed", kind=kind, method="revocations", error=said)
            return RevocationOutcome(succeeded=False, detail=f"The vendor was not told: the destination {kind} failed.")

    async def _told(self, opened: OpenedConnection, revocations: Sequence[Revocation]) -> RevocationOutcome:
        """Make every call, also after one that was refused."""
        if not revocations:
            return RevocationOutcome(succeeded=False, detail=NO_CALL)
        said = [await self._one(opened, each) for each in revocations]
        refused = [each.detail for each in said if not each.succeeded]
        if refused:
            return RevocationOutcome(succeeded=False, detail=f"Revoke the access at the vendor. {' '.join(refused)}")
        return said[-1]

    async def _one(self, opened: OpenedConnection, revocation: Revocation) -> RevocationOutcome:
        call, basic = revocation.call, revocation.basic
        authorization = self._authorization if call.authorised else None
        if basic is not None:
            authorization = client_authorization(*basic)
        try:
            request = request_of(
                call,
                authorization,
                opened.origins,
                opened.kind.seconds,
                self._connection.connection.tenant_id,
                self._connection.signing(opened),
            )
        except Impossible as error:
            return RevocationOutcome(succeeded=False, detail=self._secrets.strike(str(error)))
        outcome = await answered(self._transport, request)
        reply = reply_of(outcome)
        if reply is None:
            return RevocationOutcome(succeeded=False, detail=self._secrets.strike(outcome.detail))
        ruling = opened.kind.revoked(opened.holds, reply)
        detail = self._secrets.strike(getattr(ruling, "detail", ""))
        if isinstance(ruling, Done):
            return RevocationOutcome(succeeded=True, detail=detail or TAKEN_BACK)
        return RevocationOutcome(succeeded=False, detail=detail)
