"""The table of pages."""

from signalpost.console.page import Page
from signalpost.console.pages import (
    audit,
    connections,
    deliveries,
    delivery,
    documents,
    events,
    find,
    from_scratch,
    gateway,
    keys,
    members,
    overview,
    portal_links,
    recipes,
    replays,
    subscription,
    subscriptions,
    tenants,
)

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *deliveries.PAGES,
    *delivery.PAGES,
    *subscriptions.PAGES,
    *subscription.PAGES,
    *replays.PAGES,
    *recipes.PAGES,
    *from_scratch.PAGES,
    *connections.PAGES,
    *events.PAGES,
    *documents.PAGES,
    *portal_links.PAGES,
    *members.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *tenants.PAGES,
    *gateway.PAGES,
    *find.PAGES,
)
