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
    members,
    overview,
    recipes,
    replays,
    subscription,
    subscriptions,
)

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *deliveries.PAGES,
    *delivery.PAGES,
    *subscriptions.PAGES,
    *subscription.PAGES,
    *replays.PAGES,
    *recipes.PAGES,
    *connections.PAGES,
    *events.PAGES,
    *documents.PAGES,
    *members.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *find.PAGES,
)
