"""A picture of every page, in both themes and at both widths, to be looked at: `make console-shots`.

The pictures are in dist/console/. What axe finds in a page is printed, and ends with 1.
"""

import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.tests.api.conftest import World
from gateway.tests.console.accessibility import findings_of
from gateway.tests.console.busy_hour import BusyHour, HourClock
from gateway.tests.console.conftest import TABS
from gateway.tests.console.test_browser import CHROMIUM, Desk, Endpoint, Visit
from gateway.tests.console.test_portal_browser import Customer, pages_of
from gateway.tests.http_server import LocalServer

from signalpost.runtime.clock import Clock
from signalpost.sender.addresses import parse_allow_targets
from signalpost.settings import Settings

OUT = Path("dist/console")
WINDOWS = (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390))
"""The themes and widths of the pictures."""
NAMES = (
    "overview", "deliveries", "delivery", "delivery-hostile", "evidence", "subscriptions", "new-subscription",
    "subscription", *(f"subscription{tab.replace('/', '-')}" for tab in TABS), "subscription-paused",
    "subscription-slack-settings", "subscription-slack-settings-edit", "delivery-waiting",
    "events", "event", "documents", "document", "document-under-way",
    "replays", "notices", "connections", "new-connection", "new-mail", "recipe", "from-scratch", "portal-links",
    "members", "keys", "audit", "tenants", "tenant", "gateway", "find",
)  # fmt: skip
"""What the pictures of `Desk.pages` are called."""
DOORS = ("sign-in", "join", "account")
"""What the pictures of `Desk.doors` are called."""
THEME = {"name": "Northwind", "accent": "#0b7285", "radius": 10}
"""How a product has its portal look."""
WITHOUT_ANYTHING = ("", "/deliveries", "/subscriptions", "/events", "/documents", "/connections", "/keys", "/find?q=x")


def main() -> int:
    from playwright.sync_api import sync_playwright

    OUT.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    answers = {"/acme": (401, b'{"error":"invalid signature"}'), "/hostile": (500, b"<h1>down</h1>")}
    clock, answers_of_hour = HourClock(), dict[str, tuple[int, bytes]]()
    with (
        sync_playwright() as started,
        endpoints(answers) as origin,
        endpoints(answers_of_hour) as origin_of_hour,
        gateway(origin) as full,
        gateway(origin) as empty,
        gateway(origin_of_hour, clock) as busy,
    ):
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        desk = Desk(full, origin, answers, browser)
        hour = dict(BusyHour(busy, clock, origin_of_hour, answers_of_hour).pages)
        for theme, width in WINDOWS:
            window: dict[str, Any] = {
                "viewport": {"width": width, "height": 900},
                "color_scheme": theme,
                "bypass_csp": True,
            }
            found += _pictures(Visit(desk, **window), dict(zip(NAMES, desk.pages, strict=True)), f"{theme}-{width}")
            found += _pictures(Visit(desk, **window), dict(zip(DOORS, desk.doors, strict=True)), f"{theme}-{width}")
            unused = {f"empty-{path.strip('/?=') or 'overview'}": path for path in WITHOUT_ANYTHING}
            found += _pictures(Visit(desk, world=empty, **window), unused, f"{theme}-{width}")
            found += _pictures(Visit(desk, world=busy, **window), hour, f"{theme}-{width}")
            paused = hour["busy-subscription-paused"]
            found += _questions(Visit(desk, world=busy, **window), paused, f"{theme}-{width}")
            found += _rehearsal(Visit(desk, **window), desk.fine, f"{theme}-{width}")
            tried = (
                ("tested", f"/subscriptions/{desk.acme}", "Test"),
                ("test-run-passed", f"/subscriptions/{desk.fine}/test-run", "Send the ten cases"),
                ("test-run-to-mend", f"/subscriptions/{desk.acme}/test-run", "Send the ten cases"),
                ("preview", "/recipes/slack-executed", "Preview"),
            )
            found += _pressed(Visit(desk, **window), tried, f"{theme}-{width}")
            asked = ("portal-test-run-to-mend", f"/subscriptions/{desk.acme}/test-run", "Send me the ten cases")
            found += _pressed(Customer(desk, {"theme": THEME}, **window), [asked], f"{theme}-{width}")
            portal = pages_of(desk)
            found += _pictures(Customer(desk, {"theme": THEME}, **window), portal, f"{theme}-{width}")
            count = len(desk.pages) + len(desk.doors) + len(unused) + len(hour) + len(portal)
            sys.stdout.write(f"{theme}, {width} px: {count} pages\n")
        browser.close()
    sys.stdout.write("".join(f"{each}\n" for each in found) or "axe found nothing.\n")
    return 1 if found else 0


def _questions(visit: Visit, paused: str, window: str) -> list[str]:
    """Pictures of questions that a page asks, over it."""
    found: list[str] = []
    for name, path, button in (("limit", "", "Limit rate"), ("skip", paused, "Resume, skip what waits")):
        visit.open(path)
        visit.page.get_by_role("button", name=button, exact=True).first.click()
        visit.page.locator(":popover-open").wait_for()
        visit.page.screenshot(path=OUT / f"question-{name}-{window}.png")
        found += [f"question-{name} {window}: {each}" for each in findings_of(visit.page)]
    visit.context.close()
    return found


def _rehearsal(visit: Visit, subscription: str, window: str) -> list[str]:
    """A picture of what a change would have sent, with everything unfolded."""
    visit.open(f"/subscriptions/{subscription}/settings/edit")
    visit.page.locator("form[data-rehearses]").get_by_label("documentUpdated").check()
    visit.page.locator("#rehearsal h3").wait_for()
    visit.page.locator("#rehearsal details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    visit.page.screenshot(path=OUT / f"rehearsal-{window}.png", full_page=True)
    found = [f"rehearsal {window}: {each}" for each in findings_of(visit.page)]
    visit.context.close()
    return found


def _pressed(visit: Visit | Customer, presses: Iterable[tuple[str, str, str]], window: str) -> list[str]:
    """Pictures of what buttons show: of each its name, the path of the page with the button, and what is on that."""
    found: list[str] = []
    for name, path, button in presses:
        visit.open(path)
        with visit.page.expect_navigation():
            visit.page.get_by_role("button", name=button, exact=True).click()
        visit.page.screenshot(path=OUT / f"{name}-{window}.png", full_page=True)
        found += [f"{name} {window}: {each}" for each in findings_of(visit.page)]
    visit.context.close()
    return found


def _pictures(visit: Visit | Customer, pages: Mapping[str, str], window: str) -> list[str]:
    found: list[str] = []
    for name, path in pages.items():
        visit.open(path)
        visit.page.screenshot(path=OUT / f"{name.replace('?', '-')}-{window}.png", full_page=True)
        found += [f"{name} {window}: {each}" for each in findings_of(visit.page)]
    visit.context.close()
    return found


@contextmanager
def endpoints(answers: Mapping[str, tuple[int, bytes]]) -> Iterator[str]:
    """The origin of endpoints that answer by their path."""
    server: Any = LocalServer(("127.0.0.1", 0), Endpoint)
    server.answers = answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def gateway(origin: str, clock: Clock | None = None) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), allow_targets=parse_allow_targets(origin))
        world = World(settings, idle_seconds=60, wait_seconds=3600, clock=clock)
        try:
            yield world
        finally:
            world.stop()


if __name__ == "__main__":
    sys.exit(main())
