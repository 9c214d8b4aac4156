"""The route table: every call of the API. Each resource lists its own; nothing is reachable that is not here."""

from signalpost.api.resources import (
    audit,
    connections,
    consents,
    console_links,
    contacts,
    deliveries,
    destinations,
    documents,
    endpoint_tests,
    erasures,
    events,
    evidence,
    gateway,
    health,
    imports,
    keys,
    live,
    master_key,
    members,
    metrics,
    nodes,
    notices,
    objectives,
    overview,
    portal_links,
    previews,
    rehearsals,
    replays,
    schemas,
    search,
    secrets,
    stats,
    subscriptions,
    tenants,
    versions,
    workflow,
)
from signalpost.api.routing.route import OpenRoute, Route

ROUTES: tuple[Route, ...] = (
    *imports.ROUTES,
    *documents.ROUTES,
    *versions.ROUTES,
    *workflow.ROUTES,
    *subscriptions.ROUTES,
    *endpoint_tests.ROUTES,
    *secrets.ROUTES,
    *objectives.ROUTES,
    *destinations.ROUTES,
    *connections.ROUTES,
    *consents.ROUTES,
    *previews.ROUTES,
    *rehearsals.ROUTES,
    *deliveries.ROUTES,
    *evidence.ROUTES,
    *replays.ROUTES,
    *events.ROUTES,
    *overview.ROUTES,
    *notices.ROUTES,
    *stats.ROUTES,
    *live.ROUTES,
    *search.ROUTES,
    *keys.ROUTES,
    *tenants.ROUTES,
    *master_key.ROUTES,
    *nodes.ROUTES,
    *gateway.ROUTES,
    *audit.ROUTES,
    *erasures.ROUTES,
    *members.ROUTES,
    *portal_links.ROUTES,
    *console_links.ROUTES,
)
HEALTH_ROUTES: tuple[OpenRoute, ...] = health.ROUTES
METRICS_ROUTES: tuple[OpenRoute, ...] = metrics.OWN_PORT_ROUTES
"""On a port of their own if `METRICS_PORT` says so."""
LINK_ROUTES: tuple[OpenRoute, ...] = versions.LINK_ROUTES
CONTACT_ROUTES: tuple[OpenRoute, ...] = contacts.OPEN_ROUTES
CONSENT_ROUTES: tuple[OpenRoute, ...] = consents.OPEN_ROUTES
OPEN_ROUTES = (
    *LINK_ROUTES,
    *CONSENT_ROUTES,
    *CONTACT_ROUTES,
    *evidence.OPEN_ROUTES,
    *schemas.OPEN_ROUTES,
    *HEALTH_ROUTES,
    *metrics.ROUTES,
)
QUIET_ROUTES = frozenset(route.path for route in (*HEALTH_ROUTES, *METRICS_ROUTES))
"""Machines ask for these every few seconds, so requests for them are logged at the level debug."""
