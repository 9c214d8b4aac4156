"""The identity provider that members may sign in with: found by its issuer, asked through the guarded sender.

What it says of itself (OpenID Connect Discovery 1.0) and its keys are kept for an hour. A token that was signed with a
key that is not among them has them read again, once a minute at most. Only algorithms with a public key are taken, so
nothing that is public can be used to sign.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct

from signalpost.destinations.calls import Call
from signalpost.destinations.members import client_authorization, origin_of
from signalpost.domain.access.identity import Disbelieved, Identity, Secret, identity_of
from signalpost.domain.errors import StartError
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.wire import Impossible, VendorTransport, reply_of, request_of
from signalpost.sender.transport import answered

ASKED_WITHIN: Final = 10.0
KEPT: Final = 3600 * SECOND
AGAIN_AFTER: Final = 60 * SECOND
MAX_AT_ONCE: Final = 8
"""How many sign-ins may be with the provider at the same time; others wait."""
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "RS384", "PS384", "ES384", "RS512", "PS512", "ES512", "EdDSA")
_KEY_TYPES: Final = ("RSA", "EC", "OKP")


class OidcClient(Struct, frozen=True, kw_only=True):
    """What the provider knows the gateway as."""

    issuer: str
    id: str
    secret: str | None = None
    """None for a public client, which only PKCE identifies."""
    redirect_uri: str

    def __repr__(self) -> str:
        return f"Client({self.id} at {self.issuer})"


class ProviderFailed(Exception):
    """The provider could not be asked, or did not do what it should. The message is for the log."""


class _KeptAnswer(Struct):
    value: Any
    at: int


class IdentityProvider:
    """Every method raises ProviderFailed."""

    def __init__(
        self, client: OidcClient, transport: VendorTransport, steady: Callable[[], int], wall: Callable[[], int]
    ) -> None:
        """`transport` reaches the provider; `steady` and `wall` are clocks, in µs. Raises StartError if the extra
        that reads tokens is not installed."""
        try:
            from joserfc import errors, jwk, jwt  # an extra: who does not need it does not install it
        except ImportError:
            raise StartError("OIDC_ISSUER needs an extra: pip install 'signalpost[oidc]'.") from None
        self._errors, self._jwk, self._jwt = errors, jwk, jwt
        self._client = client
        self._transport = transport
        self._steady = steady
        self._wall = wall
        self._kept: dict[str, _KeptAnswer] = {}
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    async def authorize_url(self, secret: Secret, *, again: bool) -> str:
        """Where a browser is sent to sign in: `again`, also if the provider knows the person already."""
        parameters = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.redirect_uri,
            "scope": "openid email",
            "state": secret.state,
            "nonce": secret.nonce,
            "code_challenge": secret.challenge,
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if again else {}),
        }
        url = await self._endpoint("authorization_endpoint")
        return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"

    def is_own_issuer(self, named: str | None) -> bool:
        """Whether an answer is of this provider, as far as it says so (RFC 9207)."""
        return named in (None, self._client.issuer)

    async def identity(self, code: str, secret: Secret) -> Identity:
        """The person who signed in, in exchange for the code that their browser brought. Raises Disbelieved too."""
        async with self._turns:
            token = await self._token(code, secret)
            claims = await self._claims(token)
        now = self._wall() // SECOND
        return identity_of(claims, self._client.issuer, self._client.id, secret.nonce, now)

    # --- The provider's endpoints -------------------------------------------------------------------------------------

    async def _token(self, code: str, secret: Secret) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.redirect_uri,
            "code_verifier": secret.verifier,
        }
        authorization = None
        if self._client.secret is None:
            form["client_id"] = self._client.id
        elif "client_secret_basic" in (await self._discovered()).get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        ):
            authorization = client_authorization(self._client.id, self._client.secret)
        else:
            form |= {"client_id": self._client.id, "client_secret": self._client.secret}
        call = Call(url=await self._endpoint("token_endpoint"), form=form)
        token = (await self._answer(call, authorization)).get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("The provider gave no id_token.")
        return token

    async def _claims(self, token: str) -> Mapping[str, Any]:
        """What a token says whose signature is good."""
        try:
            return self._read(token, await self._keys())
        except (self._errors.JoseError, ValueError):
            kept = self._kept.get("keys")
            if kept is not None and self._steady() - kept.at < AGAIN_AFTER:
                raise Disbelieved("The token is not signed by the provider.") from None
        del self._kept["keys"]
        try:
            return self._read(token, await self._keys())
        except (self._errors.JoseError, ValueError):
            raise Disbelieved("The token is not signed by the provider.") from None

    def _read(self, token: str, keys: Any) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = self._jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        return claims

    async def _keys(self) -> Any:
        kept = self._fresh("keys")
        if kept is not None:
            return kept
        answer = await self._answer(Call(url=await self._endpoint("jwks_uri"), method="GET"))
        listed = answer.get("keys")
        usable = [
            key
            for key in (listed if isinstance(listed, list) else [])
            if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"
        ]
        try:
            keys = self._jwk.KeySet.import_key_set({"keys": usable})
        except (self._errors.JoseError, ValueError, KeyError):
            raise ProviderFailed("The provider's keys cannot be read.") from None
        return self._keep("keys", keys)

    async def _endpoint(self, name: str) -> str:
        url = (await self._discovered()).get(name)
        if not isinstance(url, str):
            raise ProviderFailed(f"The provider does not say what its {name} is.")
        return url

    async def _discovered(self) -> Mapping[str, Any]:
        kept: Mapping[str, Any] | None = self._fresh("discovered")
        if kept is not None:
            return kept
        url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
        answer = await self._answer(Call(url=url, method="GET"))
        if answer.get("issuer") != self._client.issuer:
            raise ProviderFailed("The provider says that it is another issuer than OIDC_ISSUER.")
        found: Mapping[str, Any] = self._keep("discovered", answer)
        return found

    async def _answer(self, call: Call, authorization: str | None = None) -> Mapping[str, Any]:
        try:
            request = request_of(call, authorization, (origin_of(call.url),), ASKED_WITHIN, 0)
        except (Impossible, ValueError) as wrong:
            raise ProviderFailed(str(wrong)) from None
        outcome = await answered(self._transport, request)
        reply = reply_of(outcome)
        if reply is None or reply.status != 200 or not isinstance(reply.json, dict):
            raise ProviderFailed(f"The provider did not answer as it should. {outcome.detail}")
        return reply.json

    def _fresh(self, name: str) -> Any:
        kept = self._kept.get(name)
        return None if kept is None or self._steady() - kept.at >= KEPT else kept.value

    def _keep(self, name: str, value: Any) -> Any:
        self._kept[name] = _KeptAnswer(value, self._steady())
        return value
