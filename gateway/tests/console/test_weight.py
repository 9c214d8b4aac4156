"""A first visit to any page, of the console and of the portal, is light: at most 25 KB with all that it loads, as it is
sent, in five requests. Every list is full, and there are more subscriptions than a choice lists."""

import re
from collections.abc import Callable

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import Browser, make_world
from gateway.tests.console.office import CONSOLE, Office
from gateway.tests.console.test_portal import Guest

from signalpost.sender.addresses import parse_allow_targets

__all__ = ["make_world", "url"]
MOST = 25 * 1024
MOST_SCRIPT = 8 * 1024
MOST_REQUESTS = 5
ROWS = 60
"""More than a list shows at once."""
A_ROW = 5
"""How many subscriptions there are for each: 300, more than a choice lists."""
_LOADED = re.compile(r'<(?:link [^>]*href|script [^>]*src)="([^"]+)"')


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World], url: str) -> Office:
    """An office whose endpoint was sent many events, with names and titles as people give them."""
    made = Office(make_world(allow_targets=parse_allow_targets(url)), url)
    well = made.world.create_subscription(url=f"{url}/200", name="Northwind archive", status="active")["id"]
    for number in range(ROWS):
        title, owner = f"Statement of work {number * 7919 % 1000} for Northwind", f"person{number}@desk.example"
        made.world.create_document(title=title, ownerEmail=owner, counterpartyName="Acme Legal")
        for each in range(number * A_ROW, (number + 1) * A_ROW):
            made.world.create_subscription(url=f"{url}/200/{each}", name=f"Customer {each * 7919 % 1000}")
    delivered = f"/v1/subscriptions/{well}/deliveries?status=delivered&limit=250"
    made.world.wait_until(lambda: len(made.world.get(delivered).ok()["data"]) >= ROWS)
    return made


class Scales:
    """Weighs what a browser loads that has nothing of the gateway yet."""

    def __init__(self) -> None:
        self._loaded: dict[str, int] = {}
        """What pages have in common, weighed once."""

    def weigh(self, visitor: Browser | Guest, path: str) -> dict[str, int]:
        """The bytes of a page, and of all that it loads."""
        answer = visitor.get(path)
        assert answer.status == 200, (path, answer.body)
        loaded = _LOADED.findall(answer.body.decode())
        assert any(each.endswith(".css") for each in loaded), path
        for each in loaded:
            self._loaded[each] = self._loaded.get(each) or _size(visitor, each)
        return {path: _size(visitor, path), **{each: self._loaded[each] for each in loaded}}


def _size(visitor: Browser | Guest, path: str) -> int:
    answer = visitor.get(path, accept_encoding="gzip")
    assert answer.status == 200, path
    return len(answer.body)


def test_a_first_visit_to_any_page_is_light(office: Office) -> None:
    pages = [path for _, _, path in office.pages()]
    signature = f"/portal/subscriptions/{office.hook}/signature"
    assert {f"{CONSOLE}/code", "/portal/code", "/portal/deliveries", signature} <= {*pages}
    scales = Scales()
    for path in (*pages, "/console/sign-in", "/console/account", f"{CONSOLE}/find?q=Customer"):
        found = scales.weigh(office.visitor(path), path)
        assert sum(found.values()) <= MOST, found
        assert sum(size for each, size in found.items() if each.endswith(".js")) <= MOST_SCRIPT, found
        assert len(found) <= MOST_REQUESTS, found
