"""The portal in Chromium: in a frame of a product's page on another site, by keyboard, without a script, and for
everybody."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateway.tests.console.accessibility import WINDOWS, findings_in, in_turns
from gateway.tests.console.test_browser import HOSTILE, Desk, desk, pytestmark
from gateway.tests.domain.access.test_portal_link import png
from gateway.tests.http_server import LocalServer, QuietHandler
from gateway.tests.patience import PATIENCE

from signalpost.domain.evidence import PATH, check

__all__ = ["desk", "pytestmark"]
EVERYTHING = ("payload", "test", "retry", "replay", "edit", "create", "secret")
MOST_TABS = 100


class Customer:
    """A window in which a customer followed a link to the portal of a desk's gateway."""

    def __init__(self, desk: Desk, given: dict[str, Any], **window: Any) -> None:
        self.context = desk.browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **window})
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page = self.context.new_page()
        self.url = f"http://127.0.0.1:{desk.world.port}"
        self.page.goto(link(desk, **given))
        self.page.wait_for_url("**/portal")

    def open(self, path: str) -> None:
        answer = self.page.goto(f"{self.url}/portal{path}")
        assert answer.status == 200, path

    def sees(self, text: str) -> None:
        self.page.locator("main").filter(has_text=text).wait_for()

    def chooses(self, name: str) -> None:
        """Go to a link or a button by the Tab key, and press Enter."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            focused = self.page.locator("a:focus, button:focus")
            if focused.count() and focused.first.inner_text().strip() == name:
                self.page.keyboard.press("Enter")
                return
        pytest.fail(f"No press of Tab comes to {name}.")


def link(desk: Desk, **given: Any) -> str:
    """A new link, as this machine's browser reaches it."""
    body = {"name": "Northwind", "subscriptions": "all", "can": EVERYTHING, **given}
    made = desk.world.send("POST", "/v1/portal-links", body).ok(201)
    return f"http://127.0.0.1:{desk.world.port}{urlsplit(made['url']).path}"


def pages_of(desk: Desk) -> dict[str, str]:
    """Every page of the portal, by a name for its picture."""
    return {
        "portal-endpoints": "",
        "portal-new": "/subscriptions/new",
        "portal-endpoint": f"/subscriptions/{desk.acme}",
        "portal-endpoint-hostile": f"/subscriptions/{desk.hostile}",
        "portal-endpoint-paused": f"/subscriptions/{desk.paused}",
        "portal-deliveries": f"/subscriptions/{desk.acme}/deliveries",
        "portal-delivery-waiting": f"/subscriptions/{desk.paused}/deliveries/{desk.waiting}",
        "portal-delivery": f"/subscriptions/{desk.acme}/deliveries/{desk.event}",
        "portal-evidence": f"/subscriptions/{desk.acme}/deliveries/{desk.event}/evidence",
        "portal-again": f"/subscriptions/{desk.acme}/again",
        "portal-test-run": f"/subscriptions/{desk.acme}/test-run",
        "portal-every-delivery": "/deliveries",
        "portal-signature": f"/subscriptions/{desk.acme}/signature",
        "portal-event-types": "/event-types",
        "portal-code": "/code",
    }


class Product:
    """A product's site, whose pages show a link in a frame."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        product = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                body = product.pages.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = LocalServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        # Another site than the gateway's 127.0.0.1, as a browser sees it.
        self.origin = f"http://localhost:{self.server.server_address[1]}"

    def framing(self, link: str) -> str:
        """The address of a page that shows this link."""
        path = f"/{len(self.pages)}"
        self.pages[path] = f'<!doctype html><title>Product</title><iframe src="{link}" width=1200 height=800></iframe>'
        return self.origin + path


@pytest.fixture
def product() -> Iterator[Product]:
    made = Product()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def window(desk: Desk) -> Iterator[Any]:
    context = desk.browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()


def test_a_customer_changes_an_endpoint_in_a_frame_of_the_product(desk: Desk, product: Product, window: Any) -> None:
    subscription = desk.subscribe("/fine", "Before")
    given = {"subscriptions": [subscription], "can": ["edit", "test"], "embed": [product.origin]}
    window.goto(product.framing(link(desk, **given)))
    frame = window.frame_locator("iframe")
    frame.get_by_role("link", name="Before").click()
    frame.get_by_label("Name", exact=True).fill("After")
    frame.get_by_role("button", name="Save").click()
    frame.get_by_text("Saved.").wait_for()
    frame.get_by_role("button", name="Test").click()
    frame.get_by_role("heading", name="The test arrived").wait_for()
    assert desk.world.get(f"/v1/subscriptions/{subscription}").ok()["name"] == "After"
    [cookie] = window.context.cookies()
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "None")
    desk.world.send("DELETE", f"/v1/subscriptions/{subscription}")


def test_evidence_is_saved_from_a_frame_of_the_product(desk: Desk, product: Product, window: Any) -> None:
    given = {"subscriptions": [desk.acme], "can": ["payload"], "embed": [product.origin]}
    window.goto(product.framing(link(desk, **given)))
    frame = window.frame_locator("iframe")
    frame.get_by_role("link", name="Acme Legal").click()
    frame.locator("#latest a").nth(1).click()
    frame.get_by_role("link", name="Evidence").click()
    with window.expect_download() as saving:
        frame.get_by_role("link", name="Download").click()
    proven = check(Path(saving.value.path()).read_bytes(), desk.world.get(PATH).body)
    assert saving.value.suggested_filename == f"evidence-{proven.statement.event.id}.json"
    assert proven.statement.subscription.id == desk.acme


def test_a_page_that_the_link_does_not_name_shows_nothing_of_the_portal(
    desk: Desk, product: Product, window: Any
) -> None:
    said: list[str] = []
    window.on("console", lambda each: said.append(each.text))
    window.goto(product.framing(link(desk, embed=["https://app.example.com"])))
    desk.world.wait_until(lambda: window.title() == "Product" and any("frame-ancestors" in each for each in said))
    assert [frame for frame in window.frames if "/portal" in frame.url] == []


def test_everything_is_reached_by_keyboard_and_without_a_script(desk: Desk) -> None:
    subscription = desk.subscribe("/fine", "By keyboard")
    given = {"subscriptions": [subscription], "can": ["edit", "test", "secret"]}
    customer = Customer(desk, given, java_script_enabled=False)
    customer.chooses("By keyboard")
    customer.page.wait_for_url(f"**/subscriptions/{subscription}")
    customer.chooses("Pause")
    customer.sees("Events wait until it is resumed.")
    customer.chooses("Resume")
    customer.sees("Waiting events are being sent now")
    customer.chooses("Test")
    customer.sees("The test arrived")
    customer.open(f"/subscriptions/{subscription}")
    customer.chooses("Test run")
    customer.chooses("Send me the ten cases")
    customer.sees("There is one thing to mend.")
    customer.chooses("Code that verifies, in ten languages")
    customer.sees("Bash and OpenSSL")
    customer.open(f"/subscriptions/{subscription}")
    customer.chooses("Rotate the secret")
    customer.page.locator("#secret").wait_for()
    customer.chooses("Leave")
    customer.page.wait_for_url(lambda url: subscription not in url)
    customer.context.close()
    desk.world.send("DELETE", f"/v1/subscriptions/{subscription}")


def test_nothing_keeps_a_customer_from_reading_and_using_it(desk: Desk) -> None:
    """Whatever colour the product chose, no page has a finding of axe (WCAG 2.2, AA), or is wider than its window."""
    looks = {"name": HOSTILE[0], "accent": "#ffe600", "logo": png()}
    customer = Customer(desk, {"name": HOSTILE[1], "theme": looks}, bypass_csp=True, reduced_motion="reduce")
    findings: list[str] = []
    for path, window in in_turns(pages_of(desk).values()):
        customer.open(path)
        findings += [f"{path}: {each}" for each in findings_in(customer.page, [window])]
    for subscription in (desk.fine, desk.acme):
        customer.open(f"/subscriptions/{subscription}/test-run")
        customer.page.get_by_role("button", name="Send me the ten cases").click()
        customer.sees("What was answered")
        findings += [f"ran {subscription}: {each}" for each in findings_in(customer.page, WINDOWS)]
    customer.context.close()
    assert findings == []
