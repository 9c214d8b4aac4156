"""Webhooks whose endpoints want a token, and the token endpoints: they are away, refuse, and give tokens that end soon
or earlier than they said.

An attempt for which no token came is seen by no endpoint: the checkers know when token endpoints failed, and expect
less then."""

from base64 import b64decode
from collections.abc import Callable
from json import dumps
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from gateway.tests.joints.bound_to_endpoints import BoundToEndpoints
from gateway.tests.joints.history import Attempt
from gateway.tests.joints.receivers import Endpoint
from gateway.tests.world.model import sayings
from gateway.tests.world.model.log import LoggedEvent
from gateway.tests.world.model.wishes import Wish
from gateway.tests.world.network import NEVER, Receiver, Reply, SentRequest, VendorCall, VendorReply
from gateway.tests.world.timeline import Timeline
from gateway.tests.world.vendors import LOST

from signalpost.store.sqlite.codec import unpack_uuid

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

DOMAIN = "login.example"
LEFT_ALONE = 310.0
"""The seconds for which a token endpoint may be left alone because it asked for that, and an attempt may take."""
ASKED_AGAIN_AFTER = 0.999
AWAY = (
    LOST,
    VendorReply(503),
    VendorReply(503, headers={"retry-after": "20"}),
    VendorReply(400, b'{"error": "invalid_client"}'),
    VendorReply(after=NEVER),
)
LASTS = (None, 2.0, 90.0, 3_600.0)
"""For how many seconds a token is said to be good."""


class TokenClient(NamedTuple):
    """The client that asks for tokens, where it does, and for which origin."""

    id: str
    secret: str
    host: str
    origin: str
    is_in_form: bool


class _GivenToken(NamedTuple):
    client: TokenClient
    ends_at: float


class _WantsToken(Receiver):
    """An endpoint that takes no token whose time is over."""

    def __init__(self, endpoint: Endpoint, ended: Callable[[SentRequest], bool]) -> None:
        self._endpoint = endpoint
        self._ended = ended

    def answer(self, sent: SentRequest) -> Reply:
        """See `Receiver`."""
        reply = self._endpoint.answer(sent)
        return Reply(status=401, after=min(reply.after, 1.0)) if self._ended(sent) else reply


class EndpointTokens(BoundToEndpoints):
    member = "oauth"
    without = "carries no tokens"
    rule = sayings.WITH_TOKEN

    def __init__(self, clients: "Clients") -> None:
        super().__init__(clients, "endpoint tokens", None if clients.world.plan.has_tokens else 0.0)
        self._by_id: dict[str, TokenClient] = {}
        self._given: dict[str, _GivenToken] = {}
        self._asked: dict[tuple[int, str], tuple[float, bool]] = {}
        """When each process asked last as a client, and whether a token came."""
        self._failed: dict[str, list[float]] = {}
        """When no token was given to a client."""

    # --- What owners do -----------------------------------------------------------------------------------------------

    def _of(self, wish: Wish) -> Timeline[str | None]:
        return wish.oauth

    def _new(self, wish: Wish) -> tuple[str, str, Any]:
        number, is_in_form = len(self._by_id), self._random.random() < 0.5
        origin = urlsplit(wish.url.last).netloc
        client = TokenClient(
            f"client{number}", f"secret of client {number}", f"t{number % 2}.{DOMAIN}", origin, is_in_form
        )
        self._by_id[client.id] = client
        return client.id, f"of-{number}", {
            "tokenUrl": f"https://{client.host}/token", "clientId": client.id, "clientSecret": client.secret,
            "credentialsIn": "form" if client.is_in_form else "header",
        }  # fmt: skip

    def _note_given(self, wish: Wish, name: str, host: str) -> None:
        self._by_id[name] = self._by_id[name]._replace(origin=host)

    # --- Token endpoints ----------------------------------------------------------------------------------------------

    def has(self, host: str) -> bool:
        """Whether a token endpoint is there."""
        return host.endswith(DOMAIN)

    def answer(self, call: VendorCall) -> VendorReply:
        """See `Vendor`."""
        plan, random, world = self._world.plan, self._random, self._world
        client = self._client_of(call)
        if client is None or client.host != call.host:
            world.fail(sayings.TOKEN_ELSEWHERE.rule, f"{call} asks for a token as {client}")
            return VendorReply(401)
        asked_at, came = self._asked.get((call.process, client.id), (0.0, True))
        if not came and call.at - asked_at < ASKED_AGAIN_AFTER and not self._clients.shadows.by_host:
            world.fail(sayings.TOKENS_ASKED.rule, f"{client.id} asks at {call.at}, after {asked_at}")
        after = 0.01 if world.is_healing else random.choice(plan.reply_after)
        is_away = not world.is_healing and random.random() < plan.failing / 2
        self._asked[call.process, client.id] = call.at, not is_away
        world.trace(f"{client.id} asks for a token: {'away' if is_away else 'given'}")
        if is_away:
            self._failed.setdefault(client.id, []).append(call.at)
            reply = random.choice(AWAY)
            return reply._replace(after=max(reply.after, after))
        value, lasts = f"token{len(self._given)}-of-{client.id}", random.choice(LASTS)
        really = (lasts or 600.0) * random.choice((1.0, 1.0, 0.5))
        self._given[value] = _GivenToken(client, call.at + really)
        return VendorReply(200, dumps({"access_token": value, "expires_in": lasts}).encode(), after=after)

    def _client_of(self, call: VendorCall) -> TokenClient | None:
        """The client as which this asks, if it gives its secret where it was told to."""
        form = dict(parse_qsl(call.body.decode()))
        basic = call.headers.get("authorization", "").removeprefix("Basic ")
        given = tuple(map(unquote_plus, b64decode(basic).decode().partition(":")[::2]))
        said = (form.get("client_id", ""), form.get("client_secret", ""))
        found = self._by_id.get(said[0] or given[0])
        if found is None or (said if found.is_in_form else given) != (found.id, found.secret):
            return None
        return found

    # --- Endpoints ----------------------------------------------------------------------------------------------------

    def receiver(self, endpoint: Endpoint) -> Receiver:
        """What answers there: 401 to a token whose time is over."""
        return _WantsToken(endpoint, self._has_ended) if self._by_id else endpoint

    def _has_ended(self, sent: SentRequest) -> bool:
        given = self._given.get(_token_in(sent.headers))
        return given is not None and given.ends_at <= sent.at and not self._world.is_healing

    def check(self, attempt: Attempt, first: float) -> None:
        """A request has a token of the client of its webhook, as that was at some moment since the `first`, for its
        origin; or none if it needs none."""
        fail, token = self._world.fail, _token_in(attempt.headers)
        given = self._given.get(token)
        client = None if given is None else given.client
        wanted = attempt.wish.oauth.between(first, attempt.at)
        if (token and client is None) or (client and client.id) not in wanted:
            fail(sayings.WITH_TOKEN.rule, f"{attempt} has {token!r}, not one of {wanted}: {sayings.WITH_TOKEN}")
        if client is not None and client.origin != urlsplit(attempt.url).netloc:
            fail(sayings.TOKEN_ELSEWHERE.rule, f"{attempt} has a token for {client.origin}: {sayings.TOKEN_ELSEWHERE}")

    # --- What no endpoint sees ----------------------------------------------------------------------------------------

    def may_lack(self, wish: Wish, since: float) -> bool:
        """Whether attempts of a webhook may have ended since then because no token came."""
        clients = [each for each in wish.oauth.ever() if each is not None]
        return any(at > since - LEFT_ALONE for client in clients for at in self._failed.get(client, ()))

    def lacked(self, wish: Wish, event: LoggedEvent) -> int:
        """How many attempts ended because no token came, as the gateway says; it may not say so if none may have."""
        if not wish.wants_tokens:
            return 0
        rows = self._world.rows(
            "SELECT s.id FROM attempt a JOIN subscription s ON s.number = a.subscription_number"
            " WHERE a.sequence = ? AND a.failure = 'token'",
            event.sequence,
        )
        count = sum(unpack_uuid(identity) == wish.id for (identity,) in rows)
        if count and not self.may_lack(wish, event.at):
            self._world.fail(sayings.WITH_TOKEN.rule, f"event {event.sequence} of {wish} is said to have got no token")
        return count


def _token_in(headers: dict[str, str]) -> str:
    return headers.get("authorization", "").removeprefix("Bearer ")
