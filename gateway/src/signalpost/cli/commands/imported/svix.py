"""Endpoints of Svix, from its API: applications have endpoints, whose secret and headers are calls of their own."""

from collections.abc import Collection, Iterator
from typing import Final

from msgspec import Struct, field

from signalpost.cli.client import CommandError
from signalpost.cli.commands.imported.answers import Answers, path_of
from signalpost.cli.commands.imported.former import FormerEndpoint, Rate

_APPLICATIONS: Final = "/api/v1/app"
_PAGE: Final = 250
_SYMMETRIC: Final = "whsec_"
_OF_ANOTHER_KIND: Final = "wh"
"""How keys begin that are no shared secrets: whsk_, whpk_."""


class _Application(Struct, rename="camel"):
    id: str
    name: str
    uid: str | None = None
    throttle_rate: Rate | None = None
    rate_limit: Rate | None = None


class _Endpoint(Struct, rename="camel"):
    """`filterTypes` and `rateLimit` are what earlier versions say for `eventTypes` and `throttleRate`."""

    id: str
    url: str
    description: str = ""
    uid: str | None = None
    disabled: bool = False
    event_types: list[str] | None = None
    filter_types: list[str] | None = None
    channels: list[str] | None = None
    throttle_rate: Rate | None = None
    rate_limit: Rate | None = None


class _Applications(Struct):
    data: list[_Application]
    iterator: str | None = None
    done: bool = True


class _Endpoints(Struct):
    data: list[_Endpoint]
    iterator: str | None = None
    done: bool = True


class _Headers(Struct):
    headers: dict[str, str] = field(default_factory=dict)
    sensitive: list[str] = field(default_factory=list)


class _Secret(Struct):
    key: str


class _Transformation(Struct):
    enabled: bool = False


def endpoints(answers: Answers, applications: Collection[str] = ()) -> Iterator[FormerEndpoint]:
    """The endpoints of these applications, which are named by their ids or uids; of all if none is named."""
    missing = set(applications)
    for page in answers.pages(_Applications, _APPLICATIONS, "iterator", _next, limit=_PAGE):
        for each in page.data:
            if not applications or {each.id, each.uid} & set(applications):
                missing -= {each.id, each.uid}
                yield from _of_application(answers, each)
    if missing:
        raise CommandError(f"There is no application {min(missing)}.")


def _next(page: _Applications | _Endpoints) -> str | None:
    return None if page.done else page.iterator


def _of_application(answers: Answers, application: _Application) -> Iterator[FormerEndpoint]:
    path = _APPLICATIONS + path_of(application.id, "endpoint")
    for page in answers.pages(_Endpoints, path, "iterator", _next, limit=_PAGE):
        for each in page.data:
            yield _former(answers, path + path_of(each.id), application, each)


def _former(answers: Answers, path: str, application: _Application, endpoint: _Endpoint) -> FormerEndpoint:
    key = answers.get(_Secret, f"{path}/secret").key
    headers = answers.get(_Headers, f"{path}/headers")
    transformation = answers.find(_Transformation, f"{path}/transformation")  # there is none in the open edition
    is_shared = key.startswith(_SYMMETRIC) or not key.startswith(_OF_ANOTHER_KIND)
    rate = endpoint.throttle_rate or endpoint.rate_limit
    return FormerEndpoint(
        id=endpoint.id,
        name=": ".join(filter(None, (application.name, endpoint.description or endpoint.uid))),
        url=endpoint.url,
        types=endpoint.event_types or endpoint.filter_types,
        secret=_SYMMETRIC + key.removeprefix(_SYMMETRIC) if is_shared else None,
        headers={**headers.headers, **dict.fromkeys(headers.sensitive)},
        rate_limit=rate,
        lost=[
            *_lost(
                application, endpoint, is_shared=is_shared, transforms=bool(transformation and transformation.enabled)
            )
        ],
    )


def _lost(application: _Application, endpoint: _Endpoint, *, is_shared: bool, transforms: bool) -> Iterator[str]:
    if not is_shared:
        yield "Its signature is made with a private key. Its receiver has to verify with a secret instead."
    if endpoint.channels:
        yield (
            f"It gets only the channels {', '.join(endpoint.channels)}. Keep them in a fact of the document, and ask "
            "for that with `when`."
        )
    if transforms:
        yield "A transformation changes what it gets. Here every webhook gets the same body."
    if limit := application.throttle_rate or application.rate_limit:
        yield f"All endpoints of its application together get {limit} a second at most. Here each has its own limit."
    if endpoint.disabled:
        yield "It was disabled."
