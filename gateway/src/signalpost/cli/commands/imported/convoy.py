"""Endpoints of Convoy, from the API of a project: its subscriptions name their endpoints, which have the secrets."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from signalpost.cli.commands.imported.answers import Answers, path_of
from signalpost.cli.commands.imported.former import (
    FormerCertificate,
    FormerClient,
    FormerEndpoint,
    FormerSignature,
    Rate,
)
from signalpost.domain.old_signature import Algorithm

_PAGE: Final = 100
_HEADER: Final = "X-Convoy-Signature"
_ALGORITHMS: Final = {"SHA256": Algorithm.SHA256, "SHA512": Algorithm.SHA512}
_PATIENCE: Final = 5
"""The seconds that an attempt has here (C15)."""


class _Version(Struct):
    hash: str = "SHA256"
    encoding: str = "hex"


class _Signature(Struct):
    header: str = _HEADER
    versions: list[_Version] | None = None


class _Config(Struct):
    signature: _Signature | None = None


class _Project(Struct):
    config: _Config | None = None


class _ProjectAnswer(Struct):
    data: _Project


class _Secret(Struct):
    value: str
    expires_at: str | None = None
    deleted_at: str | None = None


class _ApiKey(Struct):
    header_name: str = ""
    header_value: str = ""


class _BasicAuth(Struct):
    username: str = ""
    password: str = ""


class _FieldMapping(Struct):
    access_token: str = ""


class _OAuth2(Struct):
    url: str = ""
    client_id: str = ""
    client_secret: str | None = None
    grant_type: str = ""
    scope: str = ""
    audience: str = ""
    authentication_type: str = ""
    expiry_time_unit: str = ""
    field_mapping: _FieldMapping | None = None

    @property
    def no_counterpart(self) -> str | None:
        """Why no client here can ask as it does; None if one can."""
        if self.grant_type not in ("", "client_credentials"):
            return f"It wants a token of OAuth 2, by the grant {self.grant_type}. Here it is client_credentials."
        if self.authentication_type not in ("", "shared_secret"):
            return "It wants a token of OAuth 2 that is asked for with a signed assertion. Here a client has a secret."
        if self.field_mapping is not None and self.field_mapping.access_token not in ("", "access_token"):
            return "It wants a token of OAuth 2, which its token endpoint does not call access_token."
        return None


class _MtlsClientCert(Struct):
    client_cert: str = ""
    client_key: str = ""


class _Authentication(Struct):
    type: str = ""
    oauth2: _OAuth2 | None = None
    api_key: _ApiKey | None = None
    basic_auth: _BasicAuth | None = None


class _Endpoint(Struct):
    uid: str
    url: str
    name: str = ""
    secrets: list[_Secret] | None = None
    advanced_signatures: bool = False
    authentication: _Authentication | None = None
    mtls_client_cert: _MtlsClientCert | None = None
    rate_limit: Rate = 0
    rate_limit_duration: Rate = 0
    http_timeout: int = 0
    content_type: str = ""
    status: str = ""


class _Filter(Struct):
    body: dict[str, Any] | None = None
    headers: dict[str, Any] | None = None
    path: dict[str, Any] | None = None
    query: dict[str, Any] | None = None
    event_type: str = ""

    @property
    def shown(self) -> str:
        parts = {name: getattr(self, name) for name in ("headers", "path", "query", "body")}
        return json.dumps({name: part for name, part in parts.items() if part}, ensure_ascii=False)

    @property
    def is_empty(self) -> bool:
        return not (self.body or self.headers or self.path or self.query)


class _FilterConfig(Struct):
    event_types: list[str] | None = None
    filter: _Filter | None = None


class _EndpointNamed(Struct):
    uid: str


class _Subscription(Struct):
    uid: str
    name: str = ""
    type: str = "api"
    endpoint_metadata: _EndpointNamed | None = None
    filter_config: _FilterConfig | None = None
    function: str | None = None
    retry_config: dict[str, Any] | None = None
    rate_limit_config: dict[str, Any] | None = None
    delivery_mode: str = ""


class _Pagination(Struct):
    has_next_page: bool = False
    next_page_cursor: str = ""


class _EndpointPage(Struct):
    content: list[_Endpoint] | None = None
    pagination: _Pagination | None = None


class _EndpointsAnswer(Struct):
    data: _EndpointPage


class _SubscriptionPage(Struct):
    content: list[_Subscription] | None = None
    pagination: _Pagination | None = None


class _SubscriptionsAnswer(Struct):
    data: _SubscriptionPage


class _FiltersAnswer(Struct):
    data: list[_Filter] | None = None


def endpoints(answers: Answers, project: str) -> Iterator[FormerEndpoint]:
    """What each subscription of a project sends to its endpoint, and endpoints to which none does."""
    path = path_of("v1", "projects", project)
    config = answers.get(_ProjectAnswer, path).data.config
    signature = (config and config.signature) or _Signature()
    left = {each.uid: each for each in _endpoints(answers, path)}
    known = dict(left)
    for each in _subscriptions(answers, path):
        endpoint = None if each.endpoint_metadata is None else known.get(each.endpoint_metadata.uid)
        if endpoint is not None:
            left.pop(endpoint.uid, None)
            yield _former(endpoint, signature, each, _filters(answers, path, each))
    for endpoint in left.values():
        yield _former(endpoint, signature, None, [])


def _endpoints(answers: Answers, path: str) -> Iterator[_Endpoint]:
    for page in answers.pages(_EndpointsAnswer, f"{path}/endpoints", "next_page_cursor", _next, perPage=_PAGE):
        yield from page.data.content or ()


def _subscriptions(answers: Answers, path: str) -> Iterator[_Subscription]:
    for page in answers.pages(_SubscriptionsAnswer, f"{path}/subscriptions", "next_page_cursor", _next, perPage=_PAGE):
        yield from page.data.content or ()


def _next(page: _EndpointsAnswer | _SubscriptionsAnswer) -> str | None:
    pagination = page.data.pagination
    return pagination.next_page_cursor if pagination is not None and pagination.has_next_page else None


def _filters(answers: Answers, path: str, subscription: _Subscription) -> list[_Filter]:
    """The filters of a subscription: in its own answer, or by a call that earlier versions do not have."""
    own = subscription.filter_config and subscription.filter_config.filter
    answer = answers.find(_FiltersAnswer, f"{path}/subscriptions{path_of(subscription.uid)}/filters")
    found = [*([own] if own else []), *((answer and answer.data) or ())]
    return [each for each in found if not each.is_empty]


def _former(
    endpoint: _Endpoint, signature: _Signature, subscription: _Subscription | None, filters: list[_Filter]
) -> FormerEndpoint:
    config = None if subscription is None else subscription.filter_config
    per_second = endpoint.rate_limit / (endpoint.rate_limit_duration or 1) if endpoint.rate_limit else None
    secrets = [each.value for each in endpoint.secrets or () if not each.deleted_at and not each.expires_at]
    version = (signature.versions or [_Version()])[-1]
    return FormerEndpoint(
        id=endpoint.uid if subscription is None else subscription.uid,
        name=": ".join(filter(None, (endpoint.name, subscription.name if subscription else None))),
        url=endpoint.url,
        types=None if config is None else config.event_types,
        signature=_signature(endpoint, signature, version, secrets[-1]) if secrets else None,
        headers=_headers(endpoint.authentication),
        oauth=_client(endpoint.authentication),
        certificate=_certificate(endpoint.mtls_client_cert),
        rate_limit=per_second,
        lost=[*_lost_of_endpoint(endpoint, len(secrets), version), *_lost_of_subscription(subscription, filters)],
    )  # fmt: skip


def _signature(endpoint: _Endpoint, signature: _Signature, version: _Version, secret: str) -> FormerSignature | None:
    algorithm = _ALGORITHMS.get(version.hash)
    if algorithm is None or version.encoding not in ("hex", "base64"):
        return None
    number = len(signature.versions or [version])
    return FormerSignature(
        header=signature.header or _HEADER,
        secret=secret,
        algorithm=algorithm,
        encoding="base64" if version.encoding == "base64" else "hex",
        over="{timestamp},{body}" if endpoint.advanced_signatures else "{body}",
        prefix=f"t={{timestamp}},v{number}=" if endpoint.advanced_signatures else "",
    )


def _oauth2(authentication: _Authentication | None) -> _OAuth2 | None:
    """How a token is asked for; None if the endpoint wants none."""
    if authentication is None or authentication.type != "oauth2":
        return None
    return authentication.oauth2 or _OAuth2()


def _client(authentication: _Authentication | None) -> FormerClient | None:
    found = _oauth2(authentication)
    if found is None or found.no_counterpart:
        return None
    return FormerClient(
        token_url=found.url,
        client_id=found.client_id,
        secret=found.client_secret,
        scope=found.scope,
        credentials_in="form",
    )


def _certificate(offered: _MtlsClientCert | None) -> FormerCertificate | None:
    if offered is None or not (offered.client_cert and offered.client_key):
        return None
    return FormerCertificate(certificate=offered.client_cert, key=offered.client_key)


def _headers(authentication: _Authentication | None) -> dict[str, str | None]:
    if authentication is None or _oauth2(authentication) is not None:
        return {}
    found: dict[str, str | None] = {}
    if (key := authentication.api_key) is not None and key.header_name:
        found[key.header_name] = key.header_value
    if (basic := authentication.basic_auth) is not None and basic.username:
        found["Authorization"] = "Basic " + b64encode(f"{basic.username}:{basic.password}".encode()).decode()
    return found


def _lost_of_endpoint(endpoint: _Endpoint, secrets: int, version: _Version) -> Iterator[str]:
    if not secrets:
        yield "Its secret is not shown, so nothing is signed as Convoy did."
    elif version.hash not in _ALGORITHMS:
        yield f"Convoy signs with {version.hash}, which there is not here."
    expiring = len([each for each in endpoint.secrets or () if each.expires_at and not each.deleted_at])
    if expiring:
        yield "An earlier secret signs, too, until it expires. Here the newest signs alone."
    if (oauth2 := _oauth2(endpoint.authentication)) is not None:
        yield from _lost_of_client(oauth2)
    if endpoint.mtls_client_cert is not None and not endpoint.mtls_client_cert.client_key:
        yield "It wants a client certificate, of which the private key is not shown. Write `clientCertificate`."
    if endpoint.http_timeout > _PATIENCE:
        yield f"It has {endpoint.http_timeout} s for an answer. Here it has {_PATIENCE} s."
    if endpoint.content_type not in ("", "application/json"):
        yield f"It gets {endpoint.content_type}. Here every webhook gets JSON."
    if endpoint.status not in ("", "active"):
        yield f"It was {endpoint.status}."


def _lost_of_client(oauth2: _OAuth2) -> Iterator[str]:
    if (why := oauth2.no_counterpart) is not None:
        yield why
        return
    if oauth2.audience:
        yield f"Its token is asked for with the audience {oauth2.audience}, which cannot be said here."
    if oauth2.expiry_time_unit not in ("", "seconds"):
        yield f"Its token endpoint tells in {oauth2.expiry_time_unit} how long a token lasts. Here these are seconds."


def _lost_of_subscription(subscription: _Subscription | None, filters: list[_Filter]) -> Iterator[str]:
    if subscription is None:
        yield "No subscription there sends to it. Here it gets every event, once you resume it."
        return
    for each in filters:
        of = f" of {each.event_type}" if each.event_type else ""
        yield f"The filter{of}, which is about other payloads: {each.shown}. Write `when` instead."
    if subscription.function:
        yield "A function changes what it gets. Here every webhook gets the same body."
    if subscription.retry_config:
        yield f"Its retries: {json.dumps(subscription.retry_config)}. Write `retryDelays` instead."
    if subscription.rate_limit_config and subscription.rate_limit_config.get("count"):
        yield f"A rate limit of the subscription: {json.dumps(subscription.rate_limit_config)}."
    if subscription.delivery_mode == "at_most_once":
        yield "It is sent each event once at most. Here what fails is repeated; `retryDelays = []` repeats nothing."
