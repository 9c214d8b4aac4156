"""A connection as all lanes that use it share it: its credentials, how fast calls may follow one another, and how many
may be under way.

It stands behind the gates of these lanes (`passage.py`). A lane that it turns away without a time is given a turn once
that may have changed: a token came, a delivery of another lane has ended, a person fixed the connection. What the
store says of the connection is authoritative; all of this is made from it again after a restart. A wait that the vendor
asked for is then forgotten, and the first call hears of it again.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Final

from msgspec import Struct

from signalpost.destinations.access import Access, Consent, Fixed, Grant, Signer
from signalpost.destinations.calls import Call, Reply
from signalpost.destinations.destination import Destination
from signalpost.destinations.fields import secrets_in
from signalpost.destinations.registry import Destinations
from signalpost.domain.body import Body
from signalpost.domain.connection import DISCONNECTED, Connection, Granted
from signalpost.domain.errors import Invalid
from signalpost.domain.language.values import is_same
from signalpost.domain.secrets import Secrets, forms_of_client, parts_of_header
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.pace import UNKNOWN_RATE, Pace
from signalpost.engine.connectors.token_endpoints import IssuedToken, TokenEndpoints, Unanswered
from signalpost.engine.connectors.tokens import Tokens, TurnTaking
from signalpost.engine.connectors.wire import Sign, VendorTransport, reply_of, request_of
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.carriers import NEVER
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.sender.transport import answered

WORTH_KEEPING: Final = 5 * SECOND


class Surroundings(Struct, frozen=True):
    """What a connection needs of the engine."""

    counts: Counts
    destinations: Destinations
    transport: VendorTransport
    clock: Clock
    random: Random
    keep: Callable[[Connection, Granted], Awaitable[None]]
    """Commits what a vendor granted, under the version of the connection that was read."""
    turn: Callable[[Callable[[], Connection]], TurnTaking]
    """Makes the turns in which this node may renew the grant of the connection that is looked up."""
    note_refused: Callable[[Connection, str], None]
    """Has the subscriptions of a connection disabled, for a reason."""
    note_held: Callable[[Connection, int], None]
    """Has the store keep the time (µs) until which the vendor wants no calls of a connection."""


class OpenedConnection(Struct, frozen=True):
    """A connection as its kind reads it: where calls may go, and what must not be shown."""

    kind: Destination[Any, Any]
    holds: Body
    origins: tuple[str, ...]
    access: Access
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "OpenedConnection(…)"


class OpenConnection:
    def __init__(self, connection: Connection, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self.connection = connection
        self._paces: dict[str, Pace] = {}
        """The paces of its calls, by what the vendor counts them by."""
        self._held_until = connection.held_until or 0
        self._kept_until = self._held_until
        """What is kept of that, or soon will be."""
        self.is_mending = False
        """Whether the store is being told that it works again."""
        self._secrets: tuple[tuple[str, ...], Secrets] = (), Secrets(())
        self._former_secrets: tuple[str, ...] = ()
        self._turned_away = False
        """Whether a lane has to be told when something changes."""
        self.opened, self._unusable = _opened(connection, surroundings.destinations)
        kind = None if self.opened is None else self.opened.kind
        self._at_once = 1 if kind is None else kind.at_once
        self.endpoints = TokenEndpoints(surroundings.transport, connection.tenant_id, surroundings.counts)
        self.tokens = Tokens(
            None if self.opened is None else self.opened.access,
            connection.granted,
            self.endpoints,
            self._clock,
            surroundings.random,
            keep=lambda granted: surroundings.keep(self.connection, granted),
            on_change=self.wake,
            on_refused=lambda reason: surroundings.note_refused(self.connection, self.secrets.strike(reason)),
            turn=surroundings.turn(lambda: self.connection),
        )

    def follow(self, connection: Connection) -> None:
        """Go on with the connection as it was committed."""
        before, self.connection = self.connection, connection
        self.is_mending = False
        if not is_same(connection.config, before.config):
            self._take_up(connection)
            self.wake()
        else:
            self._held_until = max(self._held_until, connection.held_until or 0)
        self._kept_until = connection.held_until or 0
        if connection.grant_version != before.grant_version:
            self.tokens.follow(connection.granted)

    def _take_up(self, connection: Connection) -> None:
        before = self.opened
        if before is not None:
            self._former_secrets = before.secrets
        self.opened, self._unusable = _opened(connection, self._surroundings.destinations)
        self._held_until = connection.held_until or 0
        access = None if self.opened is None else self.opened.access
        if before is None or access != before.access:
            self.tokens.take_up(access)
        else:
            self.tokens.try_again()

    # --- The gate -----------------------------------------------------------------------------------------------------

    @property
    def trouble(self) -> str | None:
        """See `Gate`."""
        trouble = self._unusable or self.tokens.trouble
        return None if trouble is None else self.secrets.strike(trouble)

    def ready_at(self, now: int, pace: Pace) -> int:
        """See `Gate`; for a lane that goes at that pace."""
        at = NEVER
        if self.opened is not None and sum(each.in_flight for each in self._paces.values()) < self._at_once:
            at = max(self.tokens.ready_at(now), self._held_until, pace.earliest(now))
        if at >= NEVER:
            self._turned_away = True
        return at

    def try_again(self) -> None:
        """See `Gate`."""
        self.tokens.try_again()

    def wake(self) -> None:
        """Let lanes ask again that were turned away without a time."""
        if self._turned_away:
            self._turned_away = False
            for pace in self._paces.values():
                for user in pace.users:
                    user.ask_again()

    # --- Calls --------------------------------------------------------------------------------------------------------

    def pace_of(self, subscription: Subscription | None = None) -> Pace:
        """The pace of a subscription's calls; without one, that of calls for no subscription in particular."""
        name = "" if subscription is None else self._paced_by(subscription)
        pace = self._paces.get(name)
        if pace is None:
            self._paces = {each: found for each, found in self._paces.items() if not found.is_idle}
            rate = UNKNOWN_RATE if self.opened is None else self.opened.kind.rate
            pace = self._paces[name] = Pace(rate, self._clock)
        return pace

    def _paced_by(self, subscription: Subscription) -> str:
        opened = self.opened
        if opened is None:
            return ""
        try:
            read = self._surroundings.destinations.read_config
            config = read(subscription.kind, subscription.config, opened.holds)
            return opened.kind.paced_by(opened.holds, config)
        except Invalid:
            return ""  # its deliveries say what is wrong
        except Exception as error:  # a kind may come from any package
            kind = subscription.kind
            log.error("a kind of destination failed", kind=kind, method="paced_by", error=type(error).__name__)
            return ""

    def hold(self, seconds: int) -> None:
        """The vendor asked the gateway to wait. This is stored if the wait matters to other nodes or after a restart
        and is much longer than the stored one, so that calls in flight together cause one write."""
        until = self._clock.steady() + seconds * SECOND
        self._held_until = max(self._held_until, until)
        if seconds * SECOND >= WORTH_KEEPING and until >= self._kept_until + WORTH_KEEPING:
            self._kept_until = until
            self._surroundings.note_held(self.connection, until)

    def signing(self, opened: OpenedConnection) -> Sign | None:
        """What signs a request that goes out now; None if those of the connection are not signed."""
        signer = opened.access
        if not isinstance(signer, Signer):
            return None
        return partial(signer.sign, now=self._clock.wall() // SECOND)

    async def ask(self, call: Call, authorization: str | None) -> Reply:
        """What the vendor answers to a call that is about no event. Raises Impossible, Unanswered."""
        assert self.opened is not None
        kind, origins = self.opened.kind, self.opened.origins
        authorization = authorization if call.authorised else None
        sign = self.signing(self.opened)
        request = request_of(call, authorization, origins, kind.seconds, self.connection.tenant_id, sign)
        self.pace_of().note_call()
        outcome = await answered(self._surroundings.transport, request)
        reply = reply_of(outcome)
        if reply is None:
            raise Unanswered(outcome.detail)
        return reply

    async def granted_by(self, issued: IssuedToken) -> Granted:
        """What to keep of a consent, with the account that it is for. Raises Impossible, Unanswered, and ValueError if
        the account will not do."""
        assert self.opened is not None
        if issued.refresh_token is None:
            raise Unanswered("The vendor gave no refresh token, so access would soon end.")
        kind, holds = self.opened.kind, self.opened.holds
        call = kind.discover(holds)
        account = {}
        if call is not None:
            reply = await self.ask(call, f"Bearer {issued.access_token}")
            account = dict(kind.discovered(holds, reply))
        ends_at = 0 if issued.seconds is None else self._clock.wall() + round(issued.seconds * SECOND)
        return Granted(
            refresh_token=issued.refresh_token, access_token=issued.access_token, expires_at=ends_at, account=account
        )

    @property
    def secrets(self) -> Secrets:
        """Every secret that must not be shown: the present ones, and those before the last change, because calls with
        them may be in flight."""
        opened = () if self.opened is None else self.opened.secrets
        found = (*opened, *self._former_secrets, *self.tokens.secrets)
        if found != self._secrets[0]:
            self._secrets = found, Secrets(found)
        return self._secrets[1]


def _secrets_of(holds: Body, access: Access) -> tuple[str, ...]:
    found = secrets_in(holds)
    match access:
        case Fixed(authorization=authorization):
            found += parts_of_header(authorization)
        case Grant(basic=basic) if basic is not None:
            found += forms_of_client(*basic)
        case Consent(client_id=name, client_secret=secret):
            found += forms_of_client(name, secret)
    return tuple(found)


def _opened(connection: Connection, destinations: Destinations) -> tuple[OpenedConnection | None, str | None]:
    """The connection as its kind reads it, or a sentence why nothing can be sent through it."""
    if connection.is_disconnected:
        return None, DISCONNECTED
    kind = destinations.kind(connection.kind)
    if kind is None:
        return None, f"The kind of destination {connection.kind} is not installed here: install it and start again."
    if (trouble := destinations.trouble(connection.kind)) is not None:
        return None, trouble
    try:
        holds = destinations.read_connection(connection.kind, connection.config)
        access = kind.access(holds)
        return OpenedConnection(kind, holds, kind.origins(holds), access, _secrets_of(holds, access)), None
    except Invalid as invalid:
        wrong = ", ".join(error.pointer for error in invalid.errors)
        return None, f"The installed kind {connection.kind} does not take what the connection holds: see {wrong}."
    except Exception as error:  # a kind may come from any package
        log.error("a kind of destination failed", kind=connection.kind, method="access", error=type(error).__name__)
        return None, f"The kind of destination {connection.kind} failed on the connection: see the gateway's log."
