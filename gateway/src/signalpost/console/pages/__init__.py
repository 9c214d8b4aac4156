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
    keys,
    overview,
    recipes,
    subscription,
    subscriptions,
)

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *deliveries.PAGES,
    *delivery.PAGES,
    *subscriptions.PAGES,
    *subscription.PAGES,
    *recipes.PAGES,
    *connections.PAGES,
    *events.PAGES,
    *documents.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *find.PAGES,
)
