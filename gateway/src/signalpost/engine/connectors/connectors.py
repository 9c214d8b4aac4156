"""The connections that this process uses, and the couriers of the subscriptions that deliver through them.

A connection is opened when its first lane is taken up, and follows each commit that changes it. What happens to it at
the vendor goes back to the store by commands, each of which names the version that was read: a token was renewed, the
vendor refuses access, it works again.
"""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

from msgspec import Struct

from signalpost.commands.command import Command
from signalpost.commands.connections import BreakConnection, HoldConnection, KeepGrant, RepairConnection
from signalpost.destinations.access import Consent
from signalpost.destinations.calls import Call, Mail
from signalpost.destinations.mail import Smtp
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import Done, Ruling
from signalpost.domain.audit import Actor
from signalpost.domain.checks import Bad, Several
from signalpost.domain.connection import Connection, Granted
from signalpost.domain.delivery.delivery import Delivery
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.errors import CallerError, Conflict, NotFound, SignalpostError, Stopping
from signalpost.domain.event import Event
from signalpost.domain.language.condition_reader import read_condition
from signalpost.domain.subscription import WEBHOOK, Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.committer import Committer
from signalpost.engine.connectors.closed_gate import ClosedGate
from signalpost.engine.connectors.courier import Courier, CourierParts
from signalpost.engine.connectors.disconnection import Disconnection
from signalpost.engine.connectors.endpoint_tokens import (
    EndpointTokens,
    RequestMaker,
    TokenParts,
    TokensOfEndpoints,
)
from signalpost.engine.connectors.open_connection import OpenConnection, OpenedConnection, Surroundings
from signalpost.engine.connectors.passage import Passage
from signalpost.engine.connectors.post_office import PostOffice
from signalpost.engine.connectors.refresh_turn import RefreshTurn
from signalpost.engine.connectors.token_endpoints import TokenRefused, Unanswered
from signalpost.engine.connectors.wire import Impossible, VendorTransport
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.auto_disable import AutoDisable
from signalpost.engine.lanes.carriers import Carrier, Gate, GatedLane, Made, WebhookCarrier
from signalpost.engine.lanes.subjects import Subjects
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import MailTransport, Transport
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.store import Store

IDLE_AFTER: Final = 7 * 24 * 3600 * SECOND
"""How long after the end of its last access token a consent is renewed all the same, µs: vendors forget a refresh token
that no one uses, Xero after 60 days."""
LOOK_FOR_IDLE_EVERY: Final = 24 * 3600.0
"""Seconds between two looks for consents that nothing used."""
COMMIT_AGAIN_AFTER: Final = 0.5
"""Seconds between two tries to keep what a vendor granted."""
GONE: Final = "The connection no longer exists."
NO_PROBE: Final = "The vendor has no call that tests access and changes nothing. Test a subscription instead."
NOT_MADE: Final = Outcome(
    failure=Failure.INTERRUPTED,
    detail="Signalpost could not make the call because of a fault of its own, which its log names. Test again.",
)
ENDED_WITHIN: Final = 1.0
"""Seconds in which attempts have to end once no call is in flight."""


class ConnectionTestResult(Struct, frozen=True):
    """Whether the gateway gets in with a connection, and what it was told."""

    works: bool
    detail: str
    """A sentence for people."""


class Connectors:
    def __init__(
        self,
        destinations: Destinations,
        store: Store,
        transport: Transport,
        mailer: MailTransport,
        committer: Committer,
        auto_disable: AutoDisable,
        clock: Clock,
        random: Random,
        turns: LoopTurns,
        subjects: Subjects,
        counts: Counts,
        may_start: Callable[[], bool],
    ) -> None:
        """`turns` are those for long work on the event loop; `may_start` says whether this node may start attempts."""
        self._transport = transport
        self._mailer = mailer
        self.post = PostOffice(mailer, clock)
        self.transport = VendorTransport(transport)
        """Where calls to vendors go out."""
        self._committer = committer
        self._clock = clock
        self._turns = turns
        self._connections: dict[tuple[int, str], Connection] = {}
        self._open: dict[tuple[int, str], OpenConnection] = {}
        self._passages: dict[GatedLane, Passage] = {}
        self._commands = Tasks()
        self._attempts = Tasks()
        self.tokens = TokensOfEndpoints(TokenParts(transport, self.transport, clock, counts, self._attempts))
        """The tokens of webhooks."""
        self._surroundings = Surroundings(
            counts,
            destinations,
            self.transport,
            clock,
            random,
            self._keep,
            lambda known: RefreshTurn(store, known, lambda kept: self.follow([kept])),
            self._note_refused,
            self._note_held,
        )
        self._parts = CourierParts(
            destinations,
            store,
            subjects,
            self.transport,
            mailer,
            clock,
            self._attempts,
            auto_disable.disable,
            may_start,
            self._note_works,
        )

    def load(self, connections: Iterable[Connection]) -> None:
        """Know the connections that there are, before any lane is taken up."""
        self._connections = {(each.tenant_id, each.id): each for each in connections}

    def follow(self, connections: Iterable[Connection]) -> None:
        """Take up what a commit changed."""
        for connection in connections:
            key = (connection.tenant_id, connection.id)
            if connection.deleted_at is not None:
                self._connections.pop(key, None)
                self._open.pop(key, None)
                continue
            self._connections[key] = connection
            if (opened := self._open.get(key)) is not None:
                opened.follow(connection)

    async def keep_consents_alive(self) -> None:
        """Renew what a person's consent brought and no delivery has used for a week. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_FOR_IDLE_EVERY)
            long_ago = self._clock.wall() - IDLE_AFTER
            for connection in list(self._connections.values()):
                granted = connection.granted
                if granted is None or granted.expires_at >= long_ago:
                    continue
                opened = self._opened(connection.tenant_id, connection.id)
                if opened is not None:
                    opened.tokens.ready_at(self._clock.steady())  # asks for a token, since it has none

    # --- What lanes get -----------------------------------------------------------------------------------------------

    def gate(self, subscription: Subscription, user: GatedLane) -> Gate | None:
        """See `Carriers`."""
        self.leave(user)
        if (why := _unreadable(subscription)) is not None:
            return ClosedGate(why)
        if subscription.kind == WEBHOOK:
            return None
        opened = self._opened(subscription.tenant_id, subscription.connection_id or "")
        if opened is None:
            return ClosedGate(GONE)
        passage = self._passages[user] = Passage(opened, subscription, user)
        return passage

    def leave(self, user: GatedLane) -> None:
        """See `Carriers`."""
        if (passage := self._passages.pop(user, None)) is not None:
            passage.leave()

    def latest_wins(self, subscription: Subscription) -> bool:
        """See `Carriers`."""
        kind = self._parts.destinations.kind(subscription.kind)
        return kind is not None and kind.latest_wins

    def carrier(self, subscription: Subscription, gate: Gate | None, made: Made | None) -> Carrier:
        """See `Carriers`."""
        if isinstance(gate, Passage) and made is not None:
            return Courier(subscription, gate, made, self._parts)
        may_start, was_erased = self._parts.may_start, self._parts.subjects.erased.has
        tokens = self.tokens.of(subscription)
        return WebhookCarrier(
            subscription, self._transport, self._clock, self._turns, self._attempts, may_start, tokens, was_erased
        )

    def made(self, subscription: Subscription) -> Made:
        """See `Carriers`."""
        return Made(self._parts.store.connections, subscription.number)

    def try_out(self, subscription: Subscription, event: Event, done: Callable[[Outcome], None]) -> None:
        """Send an event outside the log, so that people see what happens to it. Nothing is recorded."""
        self._attempts.start(self._try_out(subscription, event, done))

    def send_with_token(
        self, tokens: EndpointTokens, made: RequestMaker, done: Callable[[Outcome], None], *, judges: bool
    ) -> None:
        """Send a request to an endpoint that wants a token, outside the log. See `EndpointTokens.send`."""

        def ended(outcome: Outcome | None) -> None:
            done(NOT_MADE if outcome is None else outcome)

        self._attempts.start(tokens.send(made, ended, judges=judges))

    async def _try_out(self, subscription: Subscription, event: Event, done: Callable[[Outcome], None]) -> None:
        opened = self._opened(subscription.tenant_id, subscription.connection_id or "")
        if opened is None or opened.opened is None:
            done(Outcome(failure=Failure.CONNECTOR, detail=GONE if opened is None else opened.trouble or GONE))
            return
        try:
            await opened.tokens.wait()
        except Unanswered as error:
            done(Outcome(failure=Failure.UNAUTHORISED, detail=opened.secrets.strike(str(error))))
            return
        passage = Passage(opened, subscription, None)
        courier = Courier(subscription, passage, self.made(subscription), self._parts)
        delivery = Delivery(event.sequence, event.document_id)
        courier.carry(event, delivery, lambda outcome: done(NOT_MADE if outcome is None else outcome))

    def post_offices(self, tenant_id: int) -> list[OpenConnection]:
        """The connections of a tenant through which letters can be sent now, oldest first."""
        own = sorted(
            (each for each in self._connections.values() if each.tenant_id == tenant_id and each.kind == Smtp.kind),
            key=lambda each: each.number,
        )
        found = (self._opened(tenant_id, each.id) for each in own)
        return [each for each in found if each is not None and self.post.is_open(each)]

    def _opened(self, tenant_id: int, connection_id: str) -> OpenConnection | None:
        key = (tenant_id, connection_id)
        opened, connection = self._open.get(key), self._connections.get(key)
        if opened is None and connection is not None:
            opened = self._open[key] = OpenConnection(connection, self._surroundings)
        return opened

    # --- What vendors make of connections -----------------------------------------------------------------------------

    async def _keep(self, connection: Connection, granted: Granted) -> None:
        """Commit what a vendor granted, and try until it succeeds, because the vendor no longer accepts the former
        refresh token."""
        command = KeepGrant(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            granted=granted,
            of_grant_version=connection.grant_version,
        )
        while True:
            try:
                await self._committer.submit(command)
            except (CallerError, Stopping) as error:
                log.warning("a granted token was not stored", connection=connection.id, error=str(error))
                return
            except SignalpostError as error:
                log.error("a granted token cannot be stored; trying again", error=str(error))
                await asyncio.sleep(COMMIT_AGAIN_AFTER)
            else:
                return

    def _note_refused(self, connection: Connection, reason: str) -> None:
        log.error("connection broken: the vendor refuses access", connection=connection.id, reason=reason)
        command = BreakConnection(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            if_match=frozenset({connection.etag}),
            reason=reason,
            of_grant_version=connection.grant_version,
        )
        self._commands.start(self._break(command))

    async def _break(self, command: BreakConnection) -> None:
        try:
            await self._committer.submit(command)
        except SignalpostError as error:
            # Somebody changed it just now, or nothing can be committed: the vendor is asked again.
            log.warning(
                "a connection could not be marked as broken", connection=command.connection_id, error=str(error)
            )
            if (opened := self._open.get((command.tenant_id, command.connection_id))) is not None:
                opened.try_again()

    def _note_held(self, connection: Connection, until: int) -> None:
        self._commands.start(
            self._submit(HoldConnection(tenant_id=connection.tenant_id, connection_id=connection.id, until=until))
        )

    def _note_works(self, opened: OpenConnection) -> None:
        connection = opened.connection
        if connection.state == "broken" and opened.opened is not None and not opened.is_mending:
            opened.is_mending = True
            command = RepairConnection(tenant_id=connection.tenant_id, connection_id=connection.id)
            self._commands.start(self._submit(command))

    async def _submit(self, command: Command[Any]) -> None:
        try:
            await self._committer.submit(command)
        except SignalpostError as error:
            log.warning("the state of a connection could not be stored", error=str(error))

    # --- What people ask for ------------------------------------------------------------------------------------------

    async def test(self, connection: Connection) -> ConnectionTestResult:
        """Whether the vendor accepts the connection's credentials; a call that changes nothing finds out, if the kind
        has one."""
        opened = self._opened(connection.tenant_id, connection.id)
        if opened is None or opened.opened is None:
            return ConnectionTestResult(works=False, detail=GONE if opened is None else opened.trouble or GONE)
        kind, holds = opened.opened.kind, opened.opened.holds
        opened.try_again()
        try:
            await opened.tokens.wait()
            if (probe := kind.probe(holds)) is None:
                return ConnectionTestResult(works=True, detail=NO_PROBE)
            ruling = await self._probed(opened, opened.opened, probe)
        except (Unanswered, Impossible) as error:
            return ConnectionTestResult(works=False, detail=opened.secrets.strike(str(error)))
        if not isinstance(ruling, Done):
            return ConnectionTestResult(works=False, detail=opened.secrets.strike(getattr(ruling, "detail", "")))
        opened.tokens.note_accepted(opened.tokens.authorization)
        self._note_works(opened)
        return ConnectionTestResult(works=True, detail=ruling.detail or "The vendor accepted the credentials.")

    async def _probed(self, opened: OpenConnection, as_read: OpenedConnection, probe: Call | Mail) -> Ruling:
        """The ruling on a probe. Raises Impossible, Unanswered."""
        if isinstance(probe, Call):
            reply = await opened.ask(probe, opened.tokens.authorization)
            return as_read.kind.probed(as_read.holds, reply)
        return await self.post.hand_over(opened, as_read, probe)

    def disconnection(self, connection: Connection) -> Disconnection:
        """What happens around the commit in which a connection forgets its credentials. Raises NotFound if the
        connection is gone."""
        opened = self._opened(connection.tenant_id, connection.id)
        if opened is None:
            raise NotFound("connection_not_found", GONE)
        return Disconnection(opened, self.transport)

    async def store_consent(
        self, connection: Connection, code: str, redirect_uri: str, verifier: str, actor: Actor
    ) -> None:
        """Take the code that a person's consent brought to the vendor, and keep what it grants. Raises Conflict with
        what the vendor said if it grants nothing."""
        opened = self._opened(connection.tenant_id, connection.id)
        if opened is None or opened.opened is None or not isinstance(opened.opened.access, Consent):
            raise Conflict("no_consent_needed", "This connection needs no person's consent.")
        try:
            issued = await opened.endpoints.exchanged(opened.opened.access, code, redirect_uri, verifier)
            granted = await opened.granted_by(issued)
        except (TokenRefused, Unanswered, Impossible, ValueError) as error:
            raise Conflict("consent_failed", opened.secrets.strike(str(error))) from None
        command = KeepGrant(
            tenant_id=connection.tenant_id,
            connection_id=connection.id,
            granted=granted,
            of_grant_version=connection.grant_version,
            actor=actor,
        )
        await self._committer.submit(command)

    # --- The end ------------------------------------------------------------------------------------------------------

    async def close_tokens(self, grace: float) -> None:
        """Ask for no more tokens; let those that were asked for come and be kept, for at most `grace` seconds."""
        await asyncio.gather(*(opened.tokens.close(grace) for opened in self._open.values()))

    async def close(self, grace: float) -> None:
        """See `Carriers`."""
        self.transport.stop()
        await asyncio.gather(self._transport.close(grace), self._mailer.close(grace))
        await self._attempts.ended(ENDED_WITHIN)
        self._commands.cancel()


def _unreadable(subscription: Subscription) -> str | None:
    """A sentence for people if this version of the gateway cannot read what the subscription asks for."""
    after = subscription.after
    for condition in (subscription.when, None if after is None else after.condition):
        try:
            if condition is not None:
                read_condition(condition)
        except (Bad, Several) as error:
            return f"Its condition cannot be read by this version of the gateway: {error}"
    return None
