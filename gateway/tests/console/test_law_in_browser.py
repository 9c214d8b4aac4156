"""A sample of the law of forms in Chromium: it sends what `forms_as_sent.py` says, and saving changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway.tests.api.conftest import World, url
from gateway.tests.console.conftest import make_world
from gateway.tests.console.drawn_configs import ODD
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.office import CONSOLE, OTHER_TENANT, PORTAL, Office
from gateway.tests.console.test_browser import CHROMIUM, playwright, pytestmark
from gateway.tests.console.test_portal import ALL, link
from gateway.tests.patience import PATIENCE

from signalpost.sender.addresses import parse_allow_targets

__all__ = ["make_world", "pytestmark", "url"]
LINES = "\n".join(ODD).replace("{{ document.title }}\n", "")
CONFIGS: dict[str, dict[str, Any]] = {
    "slack": {"text": "\n\r\n first\rline"},
    "salesforce": {
        "object": "Opportunity",
        "matchValue": "a\nb",
        "fields": {"A": 12.5, "B": True, "C": None, "D": "12.5", "E": "null", "F": LINES, "G": " x ", "H": ""},
    },
    "google_calendar": {"calendarId": "primary", "summary": "\nS", "start": "2027-01-31", "removeWhen": []},
    "xero_bill": {
        "contact": " C ",
        "due": "",
        "lines": [{"description": "\r", "quantity": 2, "unitAmount": "1", "accountCode": "1"}],
    },
    "http": {"path": "/a", "headers": {"x-a": '"', "x-b": "1", "x-c": "a\r\nb"}, "json": None},
    "hubspot": {"matchValue": "m", "properties": {"a": False, "b": "false", "c": -0.5}},
    "sqs": {"queueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/a.fifo"},
    "sns": {"topicArn": "arn:aws:sns:eu-central-1:123456789012:a"},
    "eventbridge": {"source": "urn:a"},
    "s3": {"bucket": "contracts", "key": "a b/\r\n"},
    "pubsub": {"topic": "projects/contracts/topics/events"},
    "teams": {"title": "&amp;\u2028", "text": ""},
}
EVERY_FIELD = (
    "[...document.forms].map(form => [...new FormData(form)].map(([n, v]) => [n, v.replace(/\\r?\\n/g, '\\r\\n')]))"
)
"""Line breaks as they are once they are sent."""


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World], url: str) -> Office:
    return Office(make_world(allow_targets=parse_allow_targets(url)), url)


@pytest.fixture(scope="module")
def page(office: Office) -> Iterator[Any]:
    """A page of a browser in which a person is signed in to the console and to the portal."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE * 1000)
        context = browser.new_context(bypass_csp=True)
        context.set_default_timeout(PATIENCE * 1000)
        opened, origin = context.new_page(), f"http://127.0.0.1:{office.world.port}"
        entered = office.world.send("POST", "/v1/console-links").ok(201)["url"]
        opened.goto(origin + "/console" + entered.partition("/console")[2])
        opened.goto(origin + link(office.world, can=ALL)[0])
        yield opened
        browser.close()


def saves(office: Office, page: Any, path: str, do: str) -> None:
    """Opens a page, compares what each of its forms would send, and presses a button."""
    answer = page.goto(f"http://127.0.0.1:{office.world.port}{path}")
    sent = [[tuple(pair) for pair in fields] for fields in page.evaluate(EVERY_FIELD)]
    assert [[*form.fields] for form in forms_of(answer.text())] == sent
    before = office.stored()
    page.evaluate(f"document.querySelector('button[value={do}]').form.noValidate = true")
    with page.expect_navigation():
        page.evaluate(f"document.querySelector('button[value={do}]').click()")
    assert page.locator("[role=alert]").count() == 0, page.locator("[role=alert]").inner_text()
    assert office.stored() == before


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_vendors_settings_are_saved_as_they_were_shown(office: Office, page: Any, kind: str) -> None:
    path = f"/subscriptions/{office.vendors[kind]}"
    office.world.send("PATCH", f"/v1{path}", {"config": CONFIGS[kind]}).ok()
    saves(office, page, f"{CONSOLE}{path}/settings/edit", "change")
    saves(office, page, f"{CONSOLE}/connections/{office.connections[kind]}", "change")


def test_a_webhook_a_tenant_and_a_member_are_saved_as_they_were_shown(office: Office, page: Any) -> None:
    path = f"/subscriptions/{office.hook}"
    facts = {"field": "document.additionalFacts.a", "is": "a\nb"}
    for given in (
        {"name": " a\nb ", "rateLimit": 5, "when": {"not": facts}, "after": {"seconds": 5400, "if": facts}},
        {
            "name": "x",
            "when": {"any": [{"field": "document.title", "is": "a"}]},
            "after": None,
            "headers": {"x-a": "b"},
        },
    ):
        office.world.send("PATCH", f"/v1{path}", given).ok()
        for at, do in (
            (f"{CONSOLE}{path}/settings/edit", "change"),
            (f"{CONSOLE}{path}/secret", "headers"),
            (f"{PORTAL}{path}", "change"),
            (f"{PORTAL}{path}", "headers"),
        ):
            if do == "headers":
                page.on("dialog", lambda dialog: dialog.accept())
            saves(office, page, at, do)
    office.world.send("PATCH", f"/v1/tenants/{OTHER_TENANT}", {"limits": {"documents": 10}}).ok()
    office.world.send("PATCH", f"/v1/members/{office.member}", {"email": "ä@münchen.example"}).ok()
    saves(office, page, f"{CONSOLE}/tenants/{OTHER_TENANT}", "limit")
    saves(office, page, f"{CONSOLE}/members", "change")
