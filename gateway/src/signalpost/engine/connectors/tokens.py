"""The tokens of one connection. They are requested before they are needed, one at a time, and no delivery waits in a
slot for one.

    IDLE ─ask─▶ ASKING ─end─▶ IDLE          with a token; or without one, for a time that doubles (1 s → 5 min)
       └─close─▶ CLOSED ◀─end─ CLOSING ◀─close─ ASKING
    FREE ─refuse─▶ REFUSED ─try_again─▶ FREE       the vendor refused, until a person fixes it
       └─rest─▶ RESTING ─try_again─▶ FREE          the credentials are about to be forgotten

`token_state.py` has both tables. A token is asked for 60 s before the end of the one before, or once a call with that
was refused.

A lane asks `ready_at` before it sends. Without a token it is told to wait, and what it would send is not charged for
that. However many lanes and deliveries wait, one request is on its way.

What is authoritative. What a person's consent brought is kept in the store: a refresh token is replaced with each use,
so what the vendor gave is committed before any of it is used (`keep`), under the version that was read. A node that
finds another version there goes on with what is kept. Of all nodes one asks at a time (`Turn`): a vendor that sees a
refresh token twice may take back everything. All other tokens are memory.

On failure. Where no answer came, the vendor may have replaced the refresh token all the same. So the request is
repeated at once: vendors take the old one for a while, for just this. A crash between the answer and its commit is the
same case.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Protocol

from signalpost.destinations.access import Access, Consent, Fixed, Grant, Held, Signer
from signalpost.domain.connection import Granted
from signalpost.domain.errors import NotFound, Unavailable
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.access_token import AccessToken, Patience, Token, token_until
from signalpost.engine.connectors.token_endpoints import IssuedToken, TokenEndpoints, TokenRefused, Unanswered
from signalpost.engine.connectors.token_state import (
    ASKINGS,
    TOKEN_HOLDS,
    Asking,
    AskingInput,
    TokenHold,
    TokenHoldInput,
)
from signalpost.engine.lanes.carriers import NEVER
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log

TURN_AGAIN_AFTER: Final = 0.25
"""Seconds between two looks whether another node has renewed a token."""
RESTS_WITHIN: Final = 30.0
"""Seconds for which a rest waits for another node: longer than two requests for a token take, or than a node that was
lost keeps its turn."""


# Every delivery with a token uses these. As names of this module they are found faster than members of their classes.
FREE, IDLE, ASKING = TokenHold.FREE, Asking.IDLE, Asking.ASKING
_REFUSED = (TokenHold.REFUSED, TokenHold.REFUSED_AND_RESTING)
_RESTING = (TokenHold.RESTING, TokenHold.REFUSED_AND_RESTING)


class TurnTaking(Protocol):
    """Lets one node at a time use a connection's refresh token."""

    async def begin(self) -> bool:
        """Take the turn. Returns False if another node has it, if the store cannot be reached, or if the store
        has another grant than this node knew: that one is taken up first (`Tokens.follow`). Raises NotFound if the
        connection was deleted."""
        ...

    async def end(self) -> None:
        """Let other nodes have the turn."""
        ...


class Tokens:
    def __init__(
        self,
        access: Access,
        granted: Granted | None,
        endpoints: TokenEndpoints,
        clock: Clock,
        random: Random,
        keep: Callable[[Granted], Awaitable[None]],
        on_change: Callable[[], None],
        on_refused: Callable[[str], None],
        turn: TurnTaking,
    ) -> None:
        """`keep` commits what was granted, and returns once `follow` was told of what is kept now. `on_change` is
        called when calls may go that had to wait. `on_refused` is told why a person has to fix the connection."""
        self._access = access
        self._granted = granted
        self._endpoints = endpoints
        self._clock = clock
        self._keep = keep
        self._on_change = on_change
        self._on_refused = on_refused
        self._turn = turn
        self._token = AccessToken(clock, self._kept())
        self._fetching: asyncio.Task[None] | None = None
        self._patience = Patience(clock, random)
        self.trouble: str | None = None
        """A sentence for people: why there is no token now; None if nothing is known to be wrong."""
        self._asking = IDLE
        self._hold = FREE

    # --- What lanes ask -----------------------------------------------------------------------------------------------

    def ready_at(self, now: int) -> int:
        """When calls may be made, steady µs: `now` or earlier means at once, NEVER means not before something changes.
        Requests a token if there is none."""
        if self._hold is not FREE:
            return NEVER
        if self._access is None or isinstance(self._access, Fixed | Signer) or self._token.current is not None:
            return 0
        if self._asking is not IDLE:
            return NEVER
        if isinstance(self._access, Consent) and self._granted is None:
            self.trouble = "A person has to give consent at the vendor first."
            return NEVER
        if self._patience.until > now:
            return self._patience.until
        self._asking = ASKINGS[IDLE][AskingInput.ASK]
        self._fetching = asyncio.get_running_loop().create_task(self._fetch(self._access))
        return NEVER

    @property
    def authorization(self) -> str | None:
        """The value of the header `authorization`; None if there is none now, or none is needed."""
        if isinstance(self._access, Fixed):
            return self._access.authorization
        token = self._token.current
        return None if token is None else f"Bearer {token.value}"

    @property
    def are_needed(self) -> bool:
        return isinstance(self._access, Grant | Consent)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that must never be shown."""
        granted = () if self._granted is None else (self._granted.refresh_token, self._granted.access_token)
        return (*granted, *self._token.secrets)

    @property
    def held(self) -> Held:
        """The credentials that the vendor gave and that are valid now."""
        token, granted = self._token.current, self._granted if isinstance(self._access, Consent) else None
        return Held(
            access_token="" if token is None else token.value,
            refresh_token="" if granted is None else granted.refresh_token,
            account={} if granted is None else granted.account,
        )

    def note_accepted(self, authorization: str | None) -> None:
        """The vendor accepted a call with this authorisation."""
        self._token.note_accepted(authorization)

    def refuse(self, authorization: str | None, detail: str) -> bool:
        """The vendor did not accept an authorisation. Returns whether that says nothing about the event: a token had
        expired, or a person has to fix the connection. If the token was new, or has just replaced one that was refused,
        it is a failure like any other."""
        if not self.are_needed and authorization != self.authorization:
            return True  # it was replaced meanwhile
        if not self.are_needed:
            self._refuse(detail)
            return True
        return self._token.refuse(authorization)

    async def wait(self) -> None:
        """Wait until a call may go. Raises Unanswered if none may for now."""
        if self.ready_at(self._clock.steady()) and (fetching := self._fetching) is not None:
            await asyncio.wait([fetching])
        if self._hold in _REFUSED or (self.are_needed and self._token.current is None):
            raise Unanswered(self.trouble or "There is no token.")

    # --- What happens to the connection -------------------------------------------------------------------------------

    def follow(self, granted: Granted | None) -> None:
        """Go on with what is kept from now on."""
        self._granted = granted
        self._token.follow(self._kept())
        self.try_again()

    def take_up(self, access: Access) -> None:
        """Continue with other credentials. A request in progress ends first: it may bring a new refresh token, and
        no other task may use the old one meanwhile."""
        self._access = access
        self._token.replace(self._kept())
        self.try_again()

    def try_again(self) -> None:
        """A person may have fixed the problem."""
        self._hold = TOKEN_HOLDS[self._hold][TokenHoldInput.TRY_AGAIN]
        self.trouble = None
        self._patience.end()
        self._on_change()

    async def rest(self) -> None:
        """Let nothing be sent here, and nothing be asked for by any node, until `go_on`. What was asked for has come,
        and is known. Raises Unavailable if another node has had no answer for long, and NotFound if one has
        deleted the connection."""
        try:
            async with asyncio.timeout(RESTS_WITHIN):
                while not await self._rests():
                    await asyncio.sleep(TURN_AGAIN_AFTER)
        except TimeoutError:
            await self.go_on()
            raise Unavailable("Another node is renewing the token of this connection. Repeat the request.") from None
        except BaseException:
            await self.go_on()
            raise

    async def _rests(self) -> bool:
        self._hold = TOKEN_HOLDS[self._hold][TokenHoldInput.REST]
        if (fetching := self._fetching) is not None:
            await asyncio.wait([fetching])
        if not isinstance(self._access, Consent):
            return True
        # Meanwhile it may have learned of another token, and lanes have asked for one more.
        return await self._turn.begin() and self._hold in _RESTING and self._fetching is None

    async def go_on(self) -> None:
        """End a rest."""
        if self._fetching is None:  # else it has the turn, and ends it
            await self._turn.end()
        self.try_again()

    async def close(self, grace: float) -> None:
        """Ask for no more; let what was asked for come and be kept, for at most `grace` seconds."""
        self._asking = ASKINGS[self._asking][AskingInput.CLOSE]
        if (fetching := self._fetching) is not None:
            await asyncio.wait([fetching], timeout=grace)
            fetching.cancel()

    # --- Asking -------------------------------------------------------------------------------------------------------

    async def _fetch(self, access: Grant | Consent) -> None:
        try:
            if not isinstance(access, Consent):
                await self._fetch_now(access)
            elif await self._has_turn(access):
                try:
                    await self._fetch_now(access)
                finally:
                    await self._turn.end()
        except NotFound as deleted:  # this node is about to learn of it
            self._note_failure(Unanswered(str(deleted)))
        except Exception:
            log.exception("a token could not be requested or stored")
            self._note_failure(Unanswered("The gateway could not request a token; its log says why."))
        finally:
            self._fetching = None
            self._asking = ASKINGS[self._asking][AskingInput.END]
            self._on_change()

    async def _has_turn(self, access: Consent) -> bool:
        """Wait for the turn. Returns False if nothing has to be asked for any more, such as once another node has
        renewed the token."""
        granted = self._granted

        def is_needed() -> bool:
            known = self._granted is granted and self._access is access
            return known and self._asking is ASKING and self._hold not in _RESTING

        while is_needed():
            if await self._turn.begin():
                if is_needed():
                    return True
                await self._turn.end()  # it learned of another token while it took the turn
                return False
            await asyncio.sleep(TURN_AGAIN_AFTER if self._granted is granted else 0)
        return False

    async def _fetch_now(self, access: Grant | Consent) -> None:
        granted = self._granted
        try:
            issued = await self._asked(access)
            if self._granted is granted:  # else a person gave consent again meanwhile
                await self._take(access, issued)
        except TokenRefused as refused:
            if self._granted is granted and self._access is access:
                self._refuse(str(refused))
        except Unanswered as failed:
            self._note_failure(failed)

    async def _take(self, access: Grant | Consent, issued: IssuedToken) -> None:
        if isinstance(access, Consent):
            await self._keep(self._granted_by(issued))
            self._token.note_new(issued.access_token)
        elif self._access is access:
            self._token.renew(token_until(self._end_of(issued), issued.access_token, self._clock.wall()))
        self._patience.note_success()
        self.trouble = None

    async def _asked(self, access: Grant | Consent) -> IssuedToken:
        try:
            return await self._ask(access)
        except Unanswered as failed:
            if not failed.is_lost or self._asking is not ASKING:
                raise
        return await self._ask(access)

    async def _ask(self, access: Grant | Consent) -> IssuedToken:
        if isinstance(access, Consent):
            assert self._granted is not None
            return await self._endpoints.renewed(access, self._granted.refresh_token)
        return await self._endpoints.granted_to_client(access, self._clock.wall() // SECOND)

    def _granted_by(self, issued: IssuedToken) -> Granted:
        before = self._granted
        assert before is not None
        return Granted(
            refresh_token=issued.refresh_token or before.refresh_token,
            access_token=issued.access_token,
            expires_at=self._end_of(issued) or 0,
            account=before.account,
        )

    def _end_of(self, issued: IssuedToken) -> int | None:
        return None if issued.seconds is None else self._clock.wall() + round(issued.seconds * SECOND)

    def _kept(self) -> Token | None:
        """The access token that is kept with a person's consent. It may have been used before."""
        granted = self._granted
        if granted is None or not granted.access_token or not isinstance(self._access, Consent):
            return None
        return token_until(granted.expires_at or None, granted.access_token, self._clock.wall(), was_accepted=True)

    def _refuse(self, detail: str) -> None:
        if self._hold not in _REFUSED:
            self._hold = TOKEN_HOLDS[self._hold][TokenHoldInput.REFUSE]
            self.trouble = detail
            self._on_refused(detail)

    def _note_failure(self, failed: Unanswered) -> None:
        self.trouble = str(failed)
        self._patience.note_failure(failed)
