"""The table of pages."""

from signalpost.console.page import Page
from signalpost.console.pages import (
    audit,
    deliveries,
    delivery,
    documents,
    events,
    find,
    keys,
    overview,
    subscription,
    subscriptions,
)

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *deliveries.PAGES,
    *delivery.PAGES,
    *subscriptions.PAGES,
    *subscription.PAGES,
    *events.PAGES,
    *documents.PAGES,
    *keys.PAGES,
    *audit.PAGES,
    *find.PAGES,
)
