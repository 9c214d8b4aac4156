"""The public keys of subscriptions that sign with a key pair. Receivers read them, without a key of the API."""

import msgspec

from signalpost.api.http.request import Request
from signalpost.api.http.response import Response
from signalpost.api.routing.route import OpenRoute, Reply
from signalpost.api.routing.services import Services
from signalpost.domain.errors import NotFound
from signalpost.domain.key_pair import PATH, PublishedKeys, published


async def read(services: Services, request: Request) -> Response:
    """The keys of a subscription and its shadow: a promotion swaps their pairs, and a receiver goes on looking here.
    Raises NotFound."""
    directory = services.directory
    identity = request.path_params["id"].lower()
    found = directory.with_key_pair(identity)
    shadow = directory.with_key_pair(directory.shadow_of(identity) or "")
    now = services.clock.wall()
    pairs = [pair for each in (found, shadow) if each is not None for pair in each.with_secrets_of(now).key_pairs]
    if not pairs:
        raise NotFound("no_key_pair", "There is no subscription with this id that signs with a key pair.")
    keys = PublishedKeys((*map(published, pairs),))
    return Response(200, msgspec.json.encode(keys), (("cache-control", "no-cache"),))


OPEN_ROUTES = (
    OpenRoute(
        name="read_public_keys",
        path=PATH + "{id}",
        summary="The public keys of a subscription that signs with a key pair, as a JWK set",
        handler=read,
        replies={200: Reply("The keys.", PublishedKeys)},
        errors=(NotFound,),
    ),
)
