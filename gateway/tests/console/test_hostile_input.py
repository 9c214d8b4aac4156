"""Whatever a person types into an address or a form, a page answers: it shows what is wrong, and does not fail."""

from urllib.parse import quote

import pytest
from gateway.tests.console.conftest import Browser, Shop
from gateway.tests.examples import more

from signalpost.console.page import Page
from signalpost.console.pages import PAGES

ROOT = "/console/t/default"
ABSENT = "01a20e98-25ba-7b43-8f2d-f3d7f20c1d84"
TYPED = (b"9" * 5_000, b"-1", b"\x00", b"\xed\xa0\x80", b"2026-99-99T99:99", "٣".encode(), b"a" * 3_000)
"""A number that is too long, a negative one, NUL, half a character, a moment that cannot be, a digit, much text."""
PARAMETERS = (
    "cursor", "from", "to", "event", "status", "type", "document", "subscription", "before", "q", "name", "host",
    "state", "owner", "reference", "kind", "done", "actor", "object",
)  # fmt: skip
FIELDS = (
    "name", "url", "rate", "share", "within", "trace", "after", "after.unit", "ordering", "type", "confirm", "from",
    "to", "event", "status", "document", "subscription", "to_subscription", "expires", "role", "id", "email", "hours",
    "can", "signature", "body", "secret", "header", "value", "when.field", "when.operator", "when.value", "when.join",
    "version", "replay", "of", "days", "connection", "blank.channel",
)  # fmt: skip
ENDS = ("delete", "stop")
"""Forms that end what other tests of the module need."""


def path_of(shop: Shop, page: Page) -> str:
    """Where a page is for what the shop has, or for what is not there."""
    own = {"/subscriptions/{id}": shop.subscription, "/documents/{id}": shop.document, "/events/{id}": shop.event}
    named = {"preset": "slack-executed", "kind": "slack", "name": "default", "eventId": shop.event}
    at = own.get(page.path, shop.subscription if "eventId" in page.path else ABSENT)
    return page.path.format_map({**named, "id": at})


@pytest.fixture(scope="module")
def browser(shop: Shop) -> Browser:
    return shop.browser()


@pytest.mark.parametrize("number", range(len(PAGES)), ids=[page.path for page in PAGES])
def test_no_address_makes_a_page_fail(shop: Shop, browser: Browser, number: int) -> None:
    """Each page is asked with each parameter, and the pages together try all that is typed with each. `make laws` has
    each page try all of it."""
    path = f"{ROOT}{path_of(shop, PAGES[number])}"
    for first, name in enumerate(PARAMETERS, number):
        for at in range(first, first + min(more(1), len(TYPED))):
            typed = TYPED[at % len(TYPED)]
            answer = browser.get(f"{path}?{name}={quote(typed)}")
            assert answer.status < 500, (name, typed[:20])


@pytest.mark.parametrize(
    ("page", "do"),
    [(page, do) for page in PAGES for do in page.forms if do not in ENDS],
    ids=lambda given: given if isinstance(given, str) else given.path,
)
def test_no_form_makes_a_page_fail(shop: Shop, browser: Browser, page: Page, do: str) -> None:
    path = f"{ROOT}{path_of(shop, page)}"
    for typed in TYPED:
        for query in ("", "?kind=slack"):
            answer = browser.post(path + query, {**dict.fromkeys(FIELDS, typed), "do": do})
            assert answer.status < 500, typed[:20]
