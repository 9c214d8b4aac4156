"""The route table: every call of the API, who may make it, what handles it. Routing and authorisation follow it."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from signalpost.api import deliveries, documents, events, health, metrics, subscriptions
from signalpost.api.call import Call
from signalpost.api.keys import Role
from signalpost.api.services import Services
from signalpost.domain.batch import Answer

Handler = Callable[[Call], Awaitable[Answer]]


class Route(Struct, frozen=True):
    method: str
    path: str
    summary: str
    roles: frozenset[Role]
    handler: Handler


_OPERATOR = frozenset({Role.OPERATOR})
_DOCUMENT = "/v1/documents/{externalId}"
_SUBSCRIPTION = "/v1/subscriptions/{id}"
_DELIVERY = _SUBSCRIPTION + "/deliveries/{eventId}"

ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/documents", "Create a document", _OPERATOR, documents.create),
    Route("GET", _DOCUMENT, "Read a document", _OPERATOR, documents.read),
    Route("PATCH", _DOCUMENT, "Change a document", _OPERATOR, documents.patch),
    Route("PUT", _DOCUMENT, "Import a snapshot of a document", _OPERATOR, documents.put),
    Route("DELETE", _DOCUMENT, "Delete a document", _OPERATOR, documents.delete),
    Route("POST", "/v1/subscriptions", "Subscribe an endpoint", _OPERATOR, subscriptions.create),
    Route("GET", "/v1/subscriptions", "List subscriptions", _OPERATOR, subscriptions.list_all),
    Route("GET", _SUBSCRIPTION, "Read a subscription", _OPERATOR, subscriptions.read),
    Route("PATCH", _SUBSCRIPTION, "Change, pause or resume a subscription", _OPERATOR, subscriptions.patch),
    Route("DELETE", _SUBSCRIPTION, "Delete a subscription", _OPERATOR, subscriptions.delete),
    Route("GET", _SUBSCRIPTION + "/deliveries", "List deliveries", _OPERATOR, deliveries.list_of_subscription),
    Route("GET", _DELIVERY, "Read a delivery with its attempts", _OPERATOR, deliveries.read),
    Route("POST", _DELIVERY + "/retry", "Send once more, now", _OPERATOR, deliveries.retry),
    Route("GET", "/v1/events", "Read the log", _OPERATOR, events.feed),
    Route("GET", "/v1/events/{id}", "Read an event", _OPERATOR, events.read),
)

OpenRoutes = Mapping[str, Callable[[Services], Awaitable[Answer]]]
"""Read by anyone, without a key."""

HEALTH_ROUTES: OpenRoutes = {"/health/live": health.live, "/health/ready": health.ready}
METRICS_ROUTES: OpenRoutes = {"/metrics": metrics.metrics}
QUIET_ROUTES = frozenset({*HEALTH_ROUTES, *METRICS_ROUTES})
"""Asked for every few seconds, by machines: logged at the level debug."""
