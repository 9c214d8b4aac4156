"""Requests to vendors' token endpoints, on behalf of one tenant (RFC 6749)."""

from typing import Final

from msgspec import Struct

from signalpost.destinations.access import Consent, Grant
from signalpost.destinations.calls import Call
from signalpost.destinations.members import client_authorization, origin_of, shortened
from signalpost.destinations.rulings import retry_after
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.engine.connectors.wire import VendorTransport, reply_of, request_of
from signalpost.engine.counts import Counts
from signalpost.sender.transport import answered

FETCH_SECONDS: Final = 10.0
REFUSALS: Final = frozenset(
    {"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)
"""Errors of a token request that another try does not fix (RFC 6749, 5.2)."""
_LOST = frozenset({Failure.TIMEOUT, Failure.RESET, Failure.PROTOCOL})
"""Failures after which the vendor may have seen the request."""


class TokenRefused(Exception):
    """The vendor refuses access until a person fixes it. The message is a sentence for people."""


class Unanswered(Exception):
    """No token came for now. The message is a sentence for people."""

    def __init__(self, detail: str, wait: float = 0.0, *, is_lost: bool = False, is_cut: bool = False) -> None:
        """`wait` is for how many seconds the vendor asked the gateway to wait. With `is_lost` no one knows whether the
        vendor saw the request. With `is_cut` the gateway itself ended it."""
        super().__init__(detail)
        self.wait = wait
        self.is_lost = is_lost
        self.is_cut = is_cut


class IssuedToken(Struct, frozen=True):
    """What a vendor's token endpoint gave."""

    access_token: str
    refresh_token: str | None
    seconds: float | None
    """How long the access token is valid; None if the vendor did not say."""

    def __repr__(self) -> str:
        return "IssuedToken(…)"


class TokenEndpoints:
    """Each method raises TokenRefused or Unanswered if no token comes."""

    def __init__(self, transport: VendorTransport, tenant_id: int, counts: Counts) -> None:
        self._transport = transport
        self._tenant_id = tenant_id
        self._counts = counts

    async def granted_to_client(self, grant: Grant, now: int) -> IssuedToken:
        """A token for a client as itself; `now` is in seconds."""
        form = dict(grant.form)
        if grant.claims is not None:
            from signalpost.engine.connectors.assertion import signed  # imports what few gateways need

            try:
                form["assertion"] = signed(grant.claims, grant.signing_key or "", now)
            except ValueError:
                detail = "The private key of the connection cannot be used: it must be an RSA key in PEM."
                raise TokenRefused(detail) from None
        return await self._issued(grant.url, form, grant.basic)

    async def renewed(self, consent: Consent, refresh_token: str) -> IssuedToken:
        """A token in exchange for a refresh token."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self._issued(consent.token_url, form, (consent.client_id, consent.client_secret))

    async def exchanged(self, consent: Consent, code: str, redirect_uri: str, verifier: str) -> IssuedToken:
        """A token in exchange for the code that a person's consent brought; `verifier` is that of PKCE."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        return await self._issued(consent.token_url, form, (consent.client_id, consent.client_secret))

    async def _issued(self, url: str, form: dict[str, str], basic: tuple[str, str] | None) -> IssuedToken:
        authorization = None if basic is None else client_authorization(*basic)
        call = Call(url=url, form=form)
        request = request_of(call, authorization, (origin_of(url),), FETCH_SECONDS, self._tenant_id)
        outcome = await answered(self._transport, request)
        try:
            issued = _read(outcome)
        except (TokenRefused, Unanswered) as error:
            self._counts.tokens["refused" if isinstance(error, TokenRefused) else "unanswered"] += 1
            raise
        self._counts.tokens["granted"] += 1
        return issued


def _read(outcome: Outcome) -> IssuedToken:
    """What a token endpoint answered. Raises TokenRefused, Unanswered."""
    reply = reply_of(outcome)
    if reply is None:
        is_lost, is_cut = outcome.failure in _LOST, outcome.failure is Failure.INTERRUPTED
        raise Unanswered(f"No token came. {outcome.detail}", is_lost=is_lost, is_cut=is_cut)
    token, refresh, seconds = reply.at("access_token"), reply.at("refresh_token"), reply.at("expires_in")
    if reply.is_success and isinstance(token, str) and token:
        _check_bearer(reply.at("token_type"))
        return IssuedToken(token, refresh if isinstance(refresh, str) and refresh else None, _seconds(seconds))
    error, description = reply.at("error"), reply.at("error_description")
    if 400 <= reply.status < 500 and isinstance(error, str) and error in REFUSALS:
        more = f" {shortened(description)}" if isinstance(description, str) else ""
        raise TokenRefused(f"The vendor no longer grants access: {error}.{more}")
    said = f" ({shortened(error)})" if isinstance(error, str) else ""
    raise Unanswered(f"No token came: the vendor answered {reply.status}{said}.", retry_after(reply) or 0.0)


def _check_bearer(token_type: object) -> None:
    """Raises TokenRefused if a token cannot be sent as `Bearer …` (RFC 6749, 7.1). Some vendors leave its type out."""
    if token_type is None or (isinstance(token_type, str) and token_type.lower() == "bearer"):
        return
    said = shortened(str(token_type))
    raise TokenRefused(f"The token is of the type {said}. Signalpost sends tokens of the type Bearer alone.")


def _seconds(value: object) -> float | None:
    """The life of a token. Some vendors write the number as a text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    return float(value) if isinstance(value, int | float) and 0 < value < 1e10 else None
