"""The tokens that webhooks carry whose endpoints want one (`oauth`).

    attempt ─▶ is there a token? ──yes──▶ request with `authorization` ─▶ 401 to a token that was good before: drop it
                    │no                                  ▲
                    └──▶ ask, once for all who wait ─────┘ or the attempt fails, and says so

A token is memory: it is asked for again after a restart, and 60 s before its end. How a token ages and what a 401 says
of it is as for connections (`access_token.py`): one that was good before is replaced, which costs the delivery no
attempt; what a new one is refused with is an answer like any other, and for a minute no other one is asked for.

A token endpoint that is away is a failure of the attempt. So the retries of the delivery and the breaker of the
endpoint say when it is asked again, and it is never asked more than once a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from signalpost.destinations.access import Grant, client_grant
from signalpost.destinations.webhook import with_authorization
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.oauth import OAuthClient
from signalpost.domain.request import OutgoingRequest
from signalpost.domain.secrets import Secrets, secrets_of, without_secrets
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.access_token import AccessToken, token_until
from signalpost.engine.connectors.token_endpoints import TokenEndpoints, TokenRefused, Unanswered
from signalpost.engine.connectors.wire import Impossible, VendorTransport, header_value
from signalpost.engine.counts import Counts
from signalpost.engine.lanes.carriers import AttemptEnded
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.runtime.tasks import Tasks
from signalpost.sender.transport import Transport

MAX_KEPT: Final = 10_000
"""The tokens of how many subscriptions are kept, some 2 KB each; those that were used longest ago go first."""
ASKED_AGAIN_AFTER: Final = 1 * SECOND
MAX_WAIT: Final = 300.0
"""The most seconds for which a token endpoint is left alone because it asked for that."""
NO_LONGER_ACCEPTED: Final = "The endpoint no longer accepts the token that it accepted before. It gets another one."
_CUT: Final = Outcome(failure=Failure.INTERRUPTED, detail="Signalpost was shut down before a token came.")
_FAULT: Final = "The gateway could not request a token; its log says why."

RequestMaker: TypeAlias = Callable[[], Awaitable[OutgoingRequest | None]]
"""Makes the request of an attempt once there is a token; None if it may not be made any more."""


class NoToken(Exception):
    """There is no token now, and this is the outcome of the attempt that needs one."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class TokenParts(Struct, frozen=True):
    """What the tokens of all endpoints share."""

    transport: Transport
    """Sends webhooks."""
    vendors: VendorTransport
    """Sends requests for tokens."""
    clock: Clock
    counts: Counts
    tasks: Tasks


class EndpointTokens:
    """The tokens of one webhook."""

    def __init__(self, subscription: Subscription, client: OAuthClient, parts: TokenParts) -> None:
        self.client = client
        self._clock = parts.clock
        self._transport = parts.transport
        self._tasks = parts.tasks
        self._grant = _grant(client)
        self._endpoints = TokenEndpoints(parts.vendors, subscription.tenant_id, parts.counts)
        self._secrets = secrets_of(subscription)
        self._token = AccessToken(parts.clock, None)
        self._asking: asyncio.Future[str | Outcome] | None = None
        self._failed: Outcome | None = None
        """What the last request for a token came to, if it brought none."""
        self._ask_from = 0
        """When another one may be asked for after that, steady µs."""

    async def send(self, made: RequestMaker, done: AttemptEnded, *, judges: bool = True) -> None:
        """Send a request with a token. `done` is told as by a transport; None if the request may not be made. It
        `judges` what a 401 says of the token, unless the request is one that the endpoint has to refuse."""
        started_at, began = self._clock.wall(), self._clock.steady()
        try:
            authorization = await self.authorization()
        except NoToken as none:
            done(replace(none.outcome, started_at=started_at, elapsed_us=self._clock.steady() - began))
            return
        if (request := await made()) is None:
            done(None)
            return

        def ended(outcome: Outcome) -> None:
            outcome = self._judged(authorization, outcome) if judges else outcome
            done(_without_token(authorization, outcome))

        self._transport.send(with_authorization(request, authorization), ended)

    async def authorization(self) -> str:
        """The value of the header `authorization`. Raises NoToken."""
        if (token := self._token.current) is not None:
            return f"Bearer {token.value}"
        if self._asking is None:
            if self._failed is not None and self._clock.steady() < self._ask_from:
                raise NoToken(self._failed)
            self._asking = asyncio.get_running_loop().create_future()
            self._tasks.start(self._ask(self._asking))
        asked = await asyncio.shield(self._asking)
        if isinstance(asked, Outcome):
            raise NoToken(asked)
        return f"Bearer {asked}"

    async def _ask(self, asked: "asyncio.Future[str | Outcome]") -> None:
        """Ask for a token, and tell all who wait for it what came."""
        came: str | Outcome
        try:
            came = await self._granted()
        except (TokenRefused, Impossible) as error:
            came = self._failure(str(error))
        except Unanswered as error:
            came = _CUT if error.is_cut else self._failure(str(error), min(error.wait, MAX_WAIT))
        except Exception as error:
            log.exception("a token of a webhook could not be requested", error)
            came = self._failure(_FAULT)
        self._asking = None
        asked.set_result(came)

    async def _granted(self) -> str:
        """A new token. Raises TokenRefused, Unanswered, Impossible."""
        now = self._clock.wall()
        issued = await self._endpoints.granted_to_client(self._grant, now // SECOND)
        token = header_value("authorization", issued.access_token)
        ends_at = None if issued.seconds is None else self._clock.wall() + round(issued.seconds * SECOND)
        self._token.renew(token_until(ends_at, token, self._clock.wall()))
        self._failed = None
        return token

    def _failure(self, said: str, wait: float = 0.0) -> Outcome:
        self._ask_from = self._clock.steady() + max(ASKED_AGAIN_AFTER, round(wait * SECOND))
        detail = self._secrets.strike(f"{said} It was asked for at {self.client.token_origin}.")
        self._failed = Outcome(failure=Failure.TOKEN, detail=detail, retry_after=str(ceil(wait)) if wait > 0 else None)
        return self._failed

    def _judged(self, authorization: str, outcome: Outcome) -> Outcome:
        """An outcome, with what it says about the token."""
        if outcome.failure is None:
            self._token.note_accepted(authorization)
        elif outcome.status == 401 and outcome.failure is Failure.STATUS and self._token.refuse(authorization):
            return replace(outcome, failure=Failure.UNAUTHORISED, detail=NO_LONGER_ACCEPTED)
        return outcome


class TokensOfEndpoints:
    """The tokens of all webhooks that carry one, as far as this process sends them."""

    def __init__(self, parts: TokenParts) -> None:
        self._parts = parts
        self._kept: dict[int, EndpointTokens] = {}
        """The tokens by the number of their subscription. A lane that rests finds its token again."""

    def of(self, subscription: Subscription) -> EndpointTokens | None:
        """The tokens of a subscription; None if its endpoint wants none. They are new if it asks as another client."""
        client = subscription.oauth
        if client is None:
            return None
        found = self._kept.pop(subscription.number, None)
        if found is None or found.client != client:
            found = EndpointTokens(subscription, client, self._parts)
        if subscription.number:  # one that no store has, is tested once
            self._kept[subscription.number] = found
            if len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return found


def _without_token(authorization: str, outcome: Outcome) -> Outcome:
    """An outcome that does not repeat the token."""
    if not outcome.answer and outcome.trace is None:
        return outcome
    return without_secrets(outcome, Secrets((authorization.removeprefix("Bearer "),)))


def _grant(client: OAuthClient) -> Grant:
    in_header = client.credentials_in == "header"
    return client_grant(client.token_url, client.client_id, client.client_secret, client.scope, in_header=in_header)
