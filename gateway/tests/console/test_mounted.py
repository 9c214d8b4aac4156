"""Console and portal of a gateway that an application has mounted: whatever a page leads to is below the mount."""

import json
import re
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from gateway.tests.console.test_browser import CHROMIUM, playwright
from gateway.tests.console.test_browser import pytestmark as in_browser
from gateway.tests.patience import PATIENCE
from gateway.tests.test_examples import APPLICATIONS, Application, running

MOUNT = "/gateway"
NAVIGATES = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
PAGES = (
    "", "/deliveries", "/subscriptions", "/subscriptions/new", "/events", "/documents", "/replays", "/connections",
    "/portal-links", "/members", "/keys", "/audit", "/tenants", "/tenants/default", "/gateway",
)  # fmt: skip
CAN = ["payload", "test", "retry", "replay", "edit", "create", "secret"]


def key_of(application: Application) -> str:
    return (application.folder / "data" / "operator-key").read_text().strip()


def call(application: Application, path: str, body: Any) -> Any:
    headers = {"authorization": f"Bearer {key_of(application)}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{application.url}{MOUNT}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


class Visitor:
    """A browser's side of a mounted gateway, without a browser."""

    def __init__(self, application: Application) -> None:
        self._host = urlsplit(application.url).netloc
        self.cookies: dict[str, str] = {}

    def send(self, method: str, path: str, form: Any = None, **headers: str) -> tuple[int, str, str]:
        """The status, where it leads and the text of an answer."""
        connection = HTTPConnection(self._host, timeout=PATIENCE)
        given = {**headers, "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None if form is None else urlencode(form, doseq=True)
        connection.request(method, path, body, given if form is None else {**FORM, **given})
        answer = connection.getresponse()
        for line in answer.headers.get_all("set-cookie") or ():
            assert "Path=/;" in line
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("location") or "", text


def links_of(text: str) -> list[str]:
    found = re.findall(r'(?:href|src|action|value|data-root)="(/[^"]*)"', text)
    return [each for each in found if each != "/"]


@pytest.fixture(scope="module", params=APPLICATIONS)
def application(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """One for all tests: to start it takes a second of CPU. The first finds it without a subscription."""
    with running(request.param, tmp_path_factory.mktemp("application")) as started:
        yield started


@pytest.fixture
def page() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE * 1000)
        context = browser.new_context()
        context.set_default_timeout(PATIENCE * 1000)
        yield context.new_page()
        browser.close()


@pytest.mark.slow
@in_browser[1]
@in_browser[2]
def test_a_browser_signs_in_follows_changes_and_opens_a_portal_link(application: Application, page: Any) -> None:
    trouble: list[str] = []
    page.on("response", lambda answer: trouble.append(f"{answer.status} {answer.url}") if answer.status > 399 else None)
    page.on("console", lambda said: trouble.append(said.text) if "Policy" in said.text else None)
    page.goto(call(application, "/v1/console-links", {})["url"])
    page.wait_for_url(f"**{MOUNT}/console/t/default")
    page.get_by_text("Live", exact=True).wait_for()
    page.get_by_role("link", name="Subscriptions").first.click()
    page.get_by_text("No subscription yet").wait_for()
    call(application, "/v1/subscriptions", {"url": "https://new.example.com/", "eventTypes": ["documentCreated"]})
    page.get_by_role("link", name="new.example.com").wait_for()
    page.get_by_role("link", name="new.example.com").click()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("status").get_by_text("Paused. Events wait until it is resumed.").wait_for()
    page.get_by_role("link", name="A link for the customer").click()
    page.get_by_label("Who it is for").fill("New")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("#url").inner_text()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"**{MOUNT}/console/sign-in")
    page.goto(link)
    page.wait_for_url(f"**{MOUNT}/portal")
    page.get_by_role("link", name="new.example.com").click()
    page.get_by_text("Events wait until it is resumed.").first.wait_for()
    page.get_by_role("button", name="Leave").click()
    page.get_by_text("Your visit has ended").wait_for()
    assert [each for each in trouble if not each.startswith(f"401 {application.url}{MOUNT}/portal")] == []


def test_every_link_redirect_and_form_of_the_console_is_below_the_mount(application: Application) -> None:
    visitor, root = Visitor(application), f"{MOUNT}/console"
    status, to, _ = visitor.send("GET", f"{root}/t/default/keys")
    assert (status, to) == (303, f"{root}/sign-in?to=%2Fconsole%2Ft%2Fdefault%2Fkeys")
    assert f'action="{root}/sign-in' in visitor.send("GET", to)[2]
    assert visitor.send("POST", to, {"key": key_of(application)})[:2] == (303, f"{root}/t/default/keys")
    assert visitor.send("GET", root)[:2] == (303, f"{root}/t/default")
    made = call(application, "/v1/subscriptions", {"url": "https://a.example.com/", "eventTypes": ["documentCreated"]})
    followed = set()
    for page in (*PAGES, f"/subscriptions/{made['id']}", "/nothing-here"):
        text = visitor.send("GET", f"{root}/t/default{page}")[2]
        links = links_of(text)
        assert links
        assert not [each for each in links if not each.startswith(f"{MOUNT}/")], page
        followed |= {each for each in re.findall(r'(?:href|src)="(/[^"]*)"', text) if "/static/" in each}
    assert {each.rpartition(".")[2] for each in followed} == {"css", "js", "svg"}
    for each in followed:
        assert visitor.send("GET", each)[0] == 200
    paused = visitor.send("POST", f"{root}/t/default/subscriptions/{made['id']}", {"do": "pause"})
    assert paused[:2] == (303, f"{root}/t/default/subscriptions/{made['id']}?done=paused")
    told = visitor.send("GET", f"{root}/t/default", **{"signalpost-told": "0"})[2]
    assert not [each for each in links_of(told) if not each.startswith(f"{MOUNT}/")]
    assert visitor.send("POST", f"{root}/sign-out", {})[:2] == (303, f"{root}/sign-in")


def test_a_portal_link_opens_below_the_mount_and_leads_nowhere_else(application: Application) -> None:
    body = {"url": "https://a.example.com/", "eventTypes": ["documentCreated"], "status": "paused"}
    made = call(application, "/v1/subscriptions", body)
    given = {"name": "Acme", "subscriptions": "all", "can": CAN, "theme": {"name": "Acme", "accent": "#0b7285"}}
    url = call(application, "/v1/portal-links", given)["url"]
    assert url.startswith(f"{application.url}{MOUNT}/portal/enter/")
    visitor = Visitor(application)
    assert visitor.send("GET", urlsplit(url).path, **NAVIGATES)[:2] == (303, f"{MOUNT}/portal")
    for page in ("", "/subscriptions/new", f"/subscriptions/{made['id']}", f"/subscriptions/{made['id']}/again", "/no"):
        links = links_of(visitor.send("GET", f"{MOUNT}/portal{page}")[2])
        assert links
        assert not [each for each in links if not each.startswith(f"{MOUNT}/")], page
    assert "--accent" in visitor.send("GET", f"{MOUNT}/portal/theme.css")[2]
    assert visitor.send("POST", f"{MOUNT}/portal/leave", {})[:2] == (303, f"{MOUNT}/portal")
