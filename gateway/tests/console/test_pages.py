"""Pages of the console: each opens, shows what others wrote as text, and can do what the API lets its visitor do."""

import re
from base64 import b64decode
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from gateway.tests.console.conftest import HOSTILE, Browser, Shop
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.test_portal import Guest
from gateway.tests.domain.access.test_portal_link import png

from signalpost import console
from signalpost.api.resources.search import MAX_OF_A_KIND
from signalpost.api.routing.shapes.documents import EventArrivals
from signalpost.console.html import deed, environment, moment, prose
from signalpost.console.pages.gateway import GROUPS
from signalpost.console.pages.portal_links import LABELS
from signalpost.console.verifiers import verifiers
from signalpost.domain.documents.workflow import STATUSES
from signalpost.given_settings import read_settings, settings_in_force
from signalpost.sender.egress_proxy import parse_egress_proxy
from signalpost.settings import SETTINGS

TEMPLATES = Path(console.__file__).parent / "templates"
EDIT = "/subscriptions/{}/settings/edit"
FORMS = ("/settings/edit", "/delete", "/test-run")
"""Pages with nothing but a form."""
ACCESS = ("/keys", "/audit", "/tenants", "/gateway")
ROLES = ("operator", "app", "subscriber", "viewer")


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    return Tags(text).found


def test_every_page_opens(shop: Shop) -> None:
    browser = shop.browser()
    for path in shop.pages:
        browser.open(f"/console/t/default{path}")


def test_what_others_wrote_is_text_wherever_it_is_shown(shop: Shop) -> None:
    browser, shown = shop.browser(), 0
    for path in shop.pages:
        text = browser.open(f"/console/t/default{path}")
        assert "<script>alert" not in text
        shown += "&lt;script&gt;alert(1)" in text
        for tag, attributes in tags(text):
            assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
            assert not (attributes.get("href") or "").startswith("javascript:")
    assert shown >= 6


@pytest.mark.parametrize("page", ["", "/subscriptions", "/connections"])
def test_what_an_empty_page_lacks_is_offered_once_and_still_so_when_it_is_there(make_world: Any, page: str) -> None:
    world = make_world()
    browser, below = Browser(world).sign_in(world.key), "connections" if page == "/connections" else "subscriptions"
    offer = f'href="/console/t/default/{below}/new"'
    assert browser.open(f"/console/t/default{page}").count(offer) == 1
    world.create_subscription()
    connect_http(browser)
    assert browser.open(f"/console/t/default{page}").count(offer) == 1


def test_no_page_loads_anything_from_elsewhere(shop: Shop) -> None:
    browser = shop.browser()
    text = browser.open("/console/t/default")
    loaded = [a.get("src") or a.get("href") or "" for tag, a in tags(text) if tag in ("script", "link")]
    assert loaded
    for path in loaded:
        assert path.startswith("/console/static/")
        answer = browser.get(path, accept_encoding="gzip")
        assert answer.status == 200
        assert answer.headers["content-encoding"] == "gzip"
        assert "immutable" in answer.headers["cache-control"]


def test_every_page_forbids_what_it_does_not_need(shop: Shop) -> None:
    browser = shop.browser()
    for path in ("/console/t/default", "/console/sign-in", "/console/t/default/nothing-here"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        for directive in ("default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"):
            assert directive in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_the_api_lets_it_read(shop: Shop, role: str) -> None:
    browser = shop.browser(role)
    for path in shop.pages:
        status = browser.get(f"/console/t/default{path}").status
        if role == "app":
            assert status in (200, 403)
        else:
            closed = (path.startswith(ACCESS) and role != "operator") or (path.endswith(FORMS) and role == "viewer")
            assert status == (403 if closed else 200), path


def test_whoever_may_not_change_anything_sees_no_button_for_it_and_is_refused_anyway(shop: Shop) -> None:
    browser, path = shop.browser("viewer"), f"/console/t/default/subscriptions/{shop.subscription}"
    for page in ("", "/deliveries", "/settings", "/secret", "/shadow", "/history"):
        sent = [a for tag, a in tags(browser.open(path + page)) if tag == "form" and a.get("method") == "post"]
        assert [each.get("action") for each in sent] == ["/console/sign-out"]
    for page, do in (
        ("", "pause"),
        ("", "test"),
        ("/secret", "rotate"),
        ("/shadow", "create"),
        ("/settings/edit", "change"),
        ("/delete", "delete"),
    ):
        assert browser.post(path + page, {"do": do, "key": f"k-{do}", "confirm": HOSTILE}).status == 403
    assert browser.post("/console/t/default/subscriptions/new", {"do": "activate"}).status == 403


def test_another_tenants_page_is_as_absent_as_one_that_nobody_has(shop: Shop) -> None:
    shop.world.send("POST", "/v1/tenants", {"name": "other"}).ok(201)
    browser = shop.browser("viewer")
    others, nobodys = browser.get("/console/t/other/deliveries"), browser.get("/console/t/nobodys/deliveries")
    assert others.status == nobodys.status == 404
    assert others.body.replace(b"other", b"") == nobodys.body.replace(b"nobodys", b"").replace(b"other", b"")


def test_what_is_not_there_is_said_in_words(shop: Shop) -> None:
    browser = shop.browser()
    for path in ("/nothing-here", f"/documents/{shop.event}", "/subscriptions/x", f"/events/{shop.document}"):
        answer = browser.get(f"/console/t/default{path}")
        assert answer.status == 404
        assert b"<h1>" in answer.body
        assert b"Traceback" not in answer.body


def test_a_path_without_a_page_is_answered_within_the_frame_of_what_was_looked_at(shop: Shop) -> None:
    shop.world.send("POST", "/v1/tenants", {"name": "looked-at"})
    for role, path, frame in (
        ("operator", "/console/t/looked-at/nothing", "looked-at"),
        ("viewer", "/console/t/looked-at/nothing", "default"),
        ("operator", "/console/t/nobodys/nothing", "default"),
        ("viewer", "/console/nothing", "default"),
    ):
        answer = shop.browser(role).get(path)
        assert (answer.status, b"<h1>No such page</h1>" in answer.body) == (404, True)
        assert f'<a class="brand" href="/console/t/{frame}">'.encode() in answer.body


def test_an_account_is_within_the_frame_and_search_says_what_it_found(shop: Shop) -> None:
    browser = shop.browser()
    assert '<nav class="side"' in browser.open("/console/account")
    twice = [shop.world.create_document(title="Twice told") for _ in range(2)]
    text = browser.open("/console/t/default/find?q=Twice")
    assert "Found: 2 documents" in text
    for document in twice:
        assert f'<span class="mono">{document["externalId"]}</span>' in text, "of one title, they look alike otherwise"
        assert f'datetime="{document["updatedAt"]}"' in text


def test_what_is_refused_is_said_within_the_frame_with_the_number_of_the_request(shop: Shop) -> None:
    answer = shop.browser().get(f"/console/t/default/events/{shop.document}")
    assert answer.status == 404
    assert f"Request {answer.headers['request-id']}".encode() in answer.body
    assert b'aria-label="Console"' in answer.body


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/deliveries?status=lost", "Status: This must be one of"),
        ("/events?before=yesterday", "<p>Before: "),
        ("/documents?status=lost", "Status: This must be one of"),
    ],
)
def test_an_address_that_asks_for_what_cannot_be_is_answered_by_what_is_wrong_in_it(
    shop: Shop, path: str, named: str
) -> None:
    answer = shop.browser().get(f"/console/t/default{path}")
    assert answer.status == 422
    assert named.encode() in answer.body
    assert b"See `errors`" not in answer.body


def test_a_search_that_lists_no_more_of_a_kind_says_that_there_may_be_more(make_world: Any) -> None:
    world = make_world()
    browser, path = Browser(world).sign_in(world.key), "/console/t/default/find?q=Alike"
    for count in range(1, MAX_OF_A_KIND + 1):
        world.create_document(title="Alike")
        if count == MAX_OF_A_KIND - 1:
            assert f"Found: {count} documents<" in browser.open(path)
    text = browser.open(path)
    assert f"Found: {MAX_OF_A_KIND} documents or more<" in text
    assert "Type more of what you look for" in text


def test_a_reason_that_is_that_of_the_row_above_is_said_once_among_those_of_one_subscription(make_world: Any) -> None:
    world = make_world()
    made, said = world.create_subscription()["id"], "The subscription is paused."
    for _ in range(3):
        world.create_document()
    browser = Browser(world).sign_in(world.key)
    assert browser.open(f"/console/t/default/subscriptions/{made}/deliveries").count(said) == 1
    assert browser.open("/console/t/default/deliveries").count(said) == 3


def test_what_there_is_one_of_is_said_so(make_world: Any) -> None:
    world = make_world()
    world.create_subscription()
    assert "1 subscription in all" in Browser(world).sign_in(world.key).open("/console/t/default/gateway")
    secret = {"since": "2026-11-26T10:00:00.000000+00:00", "fingerprint": "1a2b", "attempts": 1, "accepted": 0}
    shown = {"view": {"secret": secret}, "s": {"rotation_ends_at": None}, "may_rotate": False}
    said = environment().get_template("secret_state.html").render(**shown)
    assert "The one attempt since then was not accepted." in said


def test_more_that_need_somebody_are_led_to_by_what_is_wrong_with_them() -> None:
    attention = environment().get_template("needs.html")
    visit = {"path": lambda below: f"/t{below}"}
    shown = {"o": {"attention": (), "more": 32}, "visit": visit}
    text = attention.render(**shown, view={"counts": {"failing": 52, "disabled": 0}})
    assert "32 more" in text
    assert 'href="/t/subscriptions?state=failing">All that fail<' in text
    assert "disabled" not in text
    assert 'href="/t/subscriptions"' in attention.render(**shown, view={"counts": {"failing": 0, "disabled": 0}})


def test_a_name_that_is_cut_off_is_cut_at_its_own_end_whichever_way_it_is_written() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        assert text.count('class="cut') == text.count('dir="auto"'), template


def test_every_page_of_a_tenant_that_is_paused_says_so_and_its_customers_too(make_world: Any) -> None:
    world = make_world()
    said, link = "The tenant held-up is paused", 'href="/console/t/held-up/tenants/held-up">Resume it</a>'
    world.send("POST", "/v1/tenants", {"name": "held-up"}).ok(201)
    tenant = {"signalpost-tenant": "held-up"}
    keys = {"name": "viewer", "role": "viewer"}
    viewer = Browser(world).sign_in(world.send("POST", "/v1/keys", keys, tenant).ok(201)["key"])
    operator = Browser(world).sign_in(world.key)
    guest = Guest(world).enter(headers=tenant)
    assert said not in operator.open("/console/t/held-up")
    assert "Everything here is paused" not in guest.open()
    world.send("PATCH", "/v1/tenants/held-up", {"status": "paused"}).ok()
    for path in ("", "/deliveries", "/subscriptions", "/documents"):
        text = operator.open(f"/console/t/held-up{path}")
        assert said in text
        assert link in text
    assert said in viewer.open("/console/t/held-up")
    assert link not in viewer.open("/console/t/held-up"), "who may not resume it is not led there"
    assert "Everything here is paused" in guest.open()
    assert said not in operator.open("/console/t/default")


def test_a_search_that_finds_one_thing_leads_to_it(shop: Shop) -> None:
    made = shop.world.create_subscription(name="Found by its name")["id"]
    browser = shop.browser()
    answer = browser.get("/console/t/default/find?q=Found%20by")
    assert (answer.status, answer.headers["location"]) == (303, f"/console/t/default/subscriptions/{made}")
    assert "Nothing found" in browser.open("/console/t/default/find?q=Lost%20by")


def test_subscriptions_are_found_by_name_host_and_state(shop: Shop) -> None:
    shop.world.create_subscription(name="Of a filter", url="https://filter.example.com/h", status="paused")
    browser = shop.browser()
    for query in ("name=of+a+f", "host=filter.", "state=paused&name=Of+a"):
        text = browser.open(f"/console/t/default/subscriptions?{query}")
        assert "Of a filter" in text
        assert "&lt;script&gt;" not in text
    assert "No subscription is like that." in browser.open("/console/t/default/subscriptions?name=Of+a&state=disabled")


def test_the_audit_calls_what_was_changed_by_its_name(shop: Shop) -> None:
    made = shop.world.create_subscription(name="Called so at first")["id"]
    for body in ({"rateLimit": 7}, {"name": "Called so now"}, {"rateLimit": 8}):
        shop.world.send("PATCH", f"/v1/subscriptions/{made}", body).ok()
    text = shop.browser().open(f"/console/t/default/audit?object={made}")
    assert re.findall(r'title="All entries[^>]*><span class="cut"[^>]*>([^<]+)<', text) == ["Called so now"] * 4


def test_the_audit_is_read_as_words_and_verified(shop: Shop) -> None:
    shop.world.create_subscription(name="Told of", eventTypes=["documentCreated", "documentDeleted"])
    browser = shop.browser()
    text = browser.open("/console/t/default/audit")
    assert "documentCreated, documentDeleted" in text
    assert "Told of" in text
    assert "subscription created" in text
    assert "None" not in text
    verified = browser.post("/console/t/default/audit", {"do": "verify"})
    assert verified.status == 200
    assert b"as they were written, and none is missing" in verified.body


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("subscription.change", "subscription changed"),
        ("subscription.rotate-secret", "secret of a subscription rotated"),
        ("subscription.promote-secret", "secret of a subscription made the only one"),
        ("portal-link.revoke", "portal link revoked"),
        ("session.begin", "session began"),
        ("replay.cancel", "replay cancelled"),
        ("connection.break", "connection broken"),
        ("document.erase", "document erased"),
    ],
)
def test_an_action_of_the_audit_reads_as_people_say_it(action: str, said: str) -> None:
    assert deed(action) == said


def test_an_empty_list_says_whether_there_is_anything_else(shop: Shop) -> None:
    browser = shop.browser()
    assert "No delivery is like that." in browser.open("/console/t/default/deliveries?to=2000-01-01T00:00:00Z")
    assert "No document is like that." in browser.open("/console/t/default/documents?reference=nothing")


# --- Forms ------------------------------------------------------------------------------------------------------------


def form_key(text: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"', text)
    assert found
    return found[1]


def create(browser: Browser, **given: object) -> str:
    """Creates a paused subscription. Returns the secret that the form had shown."""
    page = browser.open("/console/t/default/subscriptions/new")
    secret = values_of(page)["secret"]
    form = {"do": "save", "key": form_key(page), "url": "https://r.example.com/h", "type": ["documentCreated"], **given}
    answer = browser.post("/console/t/default/subscriptions/new", {"secret": secret, **form})
    assert answer.status == 303, answer.body
    assert "It is saved, and paused." in browser.open(answer.headers["location"])
    return secret


def test_a_new_subscription_shows_its_secret_once_and_that_is_before_it_is_saved(shop: Shop) -> None:
    browser = shop.browser("subscriber")
    secret = create(browser, name="From a form", header=["X-Env", ""], value=["secret-value", ""], rate="7")
    assert secret.startswith("whsec_")
    [made] = [s for s in shop.world.get("/v1/subscriptions").ok()["data"] if s["name"] == "From a form"]
    assert (made["status"], made["rateLimit"], made["headers"]) == ("paused", 7, {"X-Env": None})
    for path in ("", "/subscriptions", f"/subscriptions/{made['id']}"):
        later = browser.open(f"/console/t/default{path}")
        assert secret not in later
        assert "secret-value" not in later


def test_a_secret_that_the_gateway_made_up_is_shown_once_it_is_saved(shop: Shop) -> None:
    form = {"do": "save", "key": "made-up", "url": "https://r.example.com/h", "type": "documentCreated", "secret": ""}
    answer = shop.browser().post("/console/t/default/subscriptions/new", form)
    assert answer.status == 200
    assert re.search(r'<code id="secret">[^<]+</code>', answer.body.decode())


def test_a_new_secret_comes_with_the_way_to_code_that_verifies_with_it(shop: Shop) -> None:
    browser = shop.browser("subscriber")
    assert 'href="/console/t/default/code"' in browser.open("/console/t/default/subscriptions/new")
    shown = unescape(browser.open("/console/t/default/code"))
    assert [each.language for each in verifiers() if each.code not in shown] == []
    assert len(verifiers()) == 10


def test_a_form_that_is_sent_twice_does_its_work_once(shop: Shop) -> None:
    browser = shop.browser()
    key = form_key(browser.open("/console/t/default/subscriptions/new"))
    form = {"do": "save", "key": key, "url": "https://r.example.com/h", "type": "documentCreated", "name": "Twice"}
    form["secret"] = "a secret of ours"
    made = [browser.post("/console/t/default/subscriptions/new", form) for _ in range(2)]
    assert [each.status for each in made] == [303, 303]
    assert made[0].headers["location"] == made[1].headers["location"]
    assert [s["name"] for s in shop.world.get("/v1/subscriptions").ok()["data"]].count("Twice") == 1


def test_what_is_wrong_in_a_form_is_said_at_its_field_and_what_was_typed_stays(shop: Shop) -> None:
    browser, before = shop.browser(), shop.world.state()
    form = {"do": "activate", "url": "ftp://x", "name": HOSTILE, "rate": "many", "key": "wrong-fields"}
    answer = browser.post("/console/t/default/subscriptions/new", form)
    assert answer.status == 422
    text = answer.body.decode()
    wrong = {a["name"] for tag, a in tags(text) if tag == "input" and a.get("aria-invalid") == "true"}
    assert {"url", "rate"} <= wrong
    assert 'value="ftp://x"' in text
    assert "<script>alert" not in text
    assert shop.world.state() == before


@pytest.mark.parametrize(
    ("page", "form"),
    [
        (
            "/subscriptions/{}/settings/edit",
            {"do": "change", "type": "documentCreated", "ordering": "loose", "rate": "9" * 5000},
        ),
        (
            "/subscriptions/{}/settings/edit",
            {"do": "change", "type": "documentCreated", "ordering": "loose", "rate": "0"},
        ),
        (
            "/subscriptions/{}/settings/edit",
            {"do": "change", "type": "documentCreated", "ordering": "loose", "after": "9" * 5000},
        ),
        ("/subscriptions/{}", {"do": "limit", "rate": "9" * 5000}),
        ("/subscriptions/{}", {"do": "limit", "rate": ""}),
        (
            "/subscriptions/new",
            {"do": "activate", "url": "https://a.example", "type": "documentCreated", "rate": "9" * 5000},
        ),
        ("/replays", {"do": "plan", "event": "9" * 5000, "to": "2099-01-01T00:00", "status": "all"}),
    ],
)
def test_a_number_that_cannot_be_is_refused_at_its_field(shop: Shop, page: str, form: dict[str, str]) -> None:
    made = shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok()
    path = f"/console/t/default{page.format(shop.subscription)}"
    answer = shop.browser().post(path, {"name": made["name"], "url": made["url"], **form})
    assert answer.status == 422
    assert b"Mend what is named here" in answer.body
    assert shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok() == made


def test_a_subscription_is_paused_resumed_changed_and_deleted(shop: Shop) -> None:
    browser = shop.browser()
    create(browser, name="Walked")
    [made] = [s for s in shop.world.get("/v1/subscriptions").ok()["data"] if s["name"] == "Walked"]
    path = f"/console/t/default/subscriptions/{made['id']}"

    def press(do: str, below: str = "", **form: object) -> str:
        answer = browser.post(path + below, {"do": do, "key": form_key(browser.open(path + below)), **form})
        assert answer.status == 303, answer.body
        return str(answer.headers["location"])

    def now() -> dict[str, object]:
        found: dict[str, object] = shop.world.get(f"/v1/subscriptions/{made['id']}").ok()
        return found

    assert "Resumed." in browser.open(press("resume"))
    assert now()["status"] == "active"
    assert "Paused. Events wait until it is resumed." in browser.open(press("pause"))
    assert now()["status"] == "paused"
    edited = {"name": "Walked on", "url": made["url"], "type": ["documentDeleted"], "ordering": "strict", "rate": ""}
    assert "Walked on" in browser.open(press("change", "/settings/edit", **edited))
    assert (now()["name"], now()["eventTypes"], now()["ordering"]) == ("Walked on", ["documentDeleted"], "strict")
    for wrong in ("", "Walked"):
        answer = browser.post(f"{path}/delete", {"do": "delete", "key": "typed-wrongly", "confirm": wrong})
        assert answer.status == 422
        assert b"Type the name exactly as it is shown." in answer.body
    assert press("delete", "/delete", confirm="Walked on").startswith("/console/t/default/subscriptions?done=deleted")
    assert shop.world.get(f"/v1/subscriptions/{made['id']}").status == 404


def test_a_rotation_shows_the_new_secret_once_and_can_be_ended(shop: Shop) -> None:
    browser, path = shop.browser(), f"/console/t/default/subscriptions/{shop.subscription}/secret"
    answer = browser.post(path, {"do": "rotate", "key": form_key(browser.open(path))})
    assert answer.status == 200
    assert b'<code id="secret">' in answer.body
    assert "both sign until" in browser.open(path)
    assert browser.post(path, {"do": "promote", "key": form_key(browser.open(path))}).status == 303
    assert "both sign until" not in browser.open(path)


def test_a_test_that_fails_says_what_it_most_likely_means(shop: Shop) -> None:
    browser, path = shop.browser(), f"/console/t/default/subscriptions/{shop.subscription}"
    text = browser.post(path, {"do": "test"}).body.decode()
    assert "The test did not arrive" in text
    assert "For the customer:" in text
    assert '<h3>Answer</h3><pre><span class="muted">none</span>' in text
    browser.post(path, {"do": "pause", "key": "pause-first"})
    assert "The test did not arrive" in browser.post(path, {"do": "test-resume", "key": "tr"}).body.decode()
    assert shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok()["status"] == "paused"


def test_a_signature_of_somebody_else_is_checked_on_the_page_of_a_delivery(shop: Shop) -> None:
    browser = shop.browser("subscriber")
    path = f"/console/t/default/subscriptions/{shop.subscription}/deliveries/{shop.event}"
    said = browser.post(path, {"do": "check", "signature": HOSTILE, "body": ""}).body.decode()
    assert "It is not what this header holds" in said
    assert HOSTILE not in said
    said = browser.post(path, {"do": "check", "signature": "0" * 128, "body": HOSTILE}).body.decode()
    assert "No secret fits the body." in said
    assert HOSTILE not in said


def test_a_replay_of_what_is_gone_by_now_says_so(shop: Shop) -> None:
    form = {"do": "start", "key": "gone-by-now", "to_subscription": shop.subscription,
            "from": "2020-01-01T00:00:00", "to": "2020-01-02T00:00:00", "status": "failed"}  # fmt: skip
    answer = shop.browser().post("/console/t/default/replays", form)
    assert answer.headers["location"].endswith("done=nothing")


def test_a_delivery_says_what_its_event_changed(shop: Shop) -> None:
    every = ["documentCreated", "documentUpdated"]
    subscription = shop.world.create_subscription(eventTypes=every, status="paused")["id"]
    made = shop.world.create_document(title="Before")["externalId"]
    shop.world.send("PATCH", f"/v1/documents/{made}", {"title": "After", "counterpartyName": "Acme"}).ok()
    created, updated = (each["event"]["id"] for each in shop.world.events()[-2:])
    path = f"/console/t/default/subscriptions/{subscription}/deliveries"
    first = shop.browser().open(f"{path}/{updated}").partition('id="steps"')[2].partition("</li>")[0]
    assert re.sub(r"<[^>]*>", " ", first).split()[1:6] == ["The", "document", "changed", "title,", "counterpartyName"]
    assert "The document was created" in shop.browser().open(f"{path}/{created}")


def test_a_replay_from_an_event_on_is_counted_from_its_page(shop: Shop) -> None:
    browser = shop.browser()
    sequence = shop.world.get(f"/v1/events/{shop.event}").ok()["sequence"]
    [path] = re.findall(r'href="([^"]*)">Send from here on', browser.open(f"/console/t/default/events/{shop.event}"))
    assert f'name="event" value="{sequence}"' in browser.open(unescape(path))
    form = {"do": "plan", "event": f"{sequence}", "from": "2099-01-01T00:00", "to": "2099-01-02T00:00", "status": "all"}
    assert browser.post("/console/t/default/replays", form).status == 200
    refused = browser.post("/console/t/default/replays", {**form, "event": "the first"})
    assert (refused.status, b"<strong>Or from event</strong>" in refused.body) == (422, True)


IMPOSSIBLE = "2026-99-99T99:99:99Z, 9999-99-99 99:99 UTC"
"""Looks like moments to a person who writes these by hand."""


def test_a_moment_that_cannot_be_stays_the_text_that_it_is(shop: Shop) -> None:
    made = shop.world.create_document(title="Before")["externalId"]
    shop.world.send("PATCH", f"/v1/documents/{made}", {"title": IMPOSSIBLE}).ok()
    changed = shop.world.events()[-1]["event"]["id"]
    browser = shop.browser()
    shop.world.create_subscription(name=IMPOSSIBLE)
    for page in (f"/documents/{made}", f"/events/{changed}", "/audit"):
        assert IMPOSSIBLE in browser.open(f"/console/t/default{page}")
    assert prose(f"<i> {IMPOSSIBLE}") == f"&lt;i&gt; {IMPOSSIBLE}"


def test_moments_in_sentences_are_written_as_people_write_them() -> None:
    told = prose("Since 2026-11-07 03:52 UTC. It is probed at 2026-11-25T10:47:46.123456+00:00.")
    at = '<time datetime="2026-11-25T10:47:46.123456+00:00">25 Nov 2026, 10:47:46 UTC</time>'
    assert told == f"Since 7 Nov 2026, 03:52 UTC. It is probed at {at}."


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (None, ""),
        (EventArrivals(sequence=1, delivered=0, waiting=0, failed=0, skipped=2), "nobody wanted it"),
        (EventArrivals(sequence=1, delivered=1_000, waiting=2, failed=0, skipped=0), "1,000 of 1,002 got it"),
        (EventArrivals(sequence=1, delivered=None, waiting=None, failed=0, skipped=None), "none given up"),
        (EventArrivals(sequence=1, delivered=None, waiting=None, failed=7, skipped=None), "7 given up"),
        (EventArrivals(sequence=1, delivered=None, waiting=None, failed=100, skipped=None), "100 or more given up"),
    ],
)
def test_who_got_an_event_is_said_as_far_as_it_was_counted(counted: EventArrivals | None, said: str) -> None:
    shown = environment().from_string('{% import "parts.html" as p %}{{ p.got(counted) }}').render(counted=counted)
    assert re.sub("<.*?>", "", shown).strip() == said


def test_gateways_of_one_process_share_what_templates_were_compiled_to() -> None:
    first, second = (environment().get_template("overview.html").root_render_func for _ in range(2))
    assert first is not second
    assert first.__code__ is second.__code__


def test_a_delivery_says_how_many_newer_events_of_its_document_wait(shop: Shop) -> None:
    types = ["documentCreated", "documentUpdated"]
    subscription = shop.world.create_subscription(name="Waits", eventTypes=types)["id"]
    made = shop.world.create_document()["externalId"]
    created = shop.world.events()[-1]["event"]["id"]
    path = f"/console/t/default/subscriptions/{subscription}/deliveries/{created}"
    said = []
    for title in ("", "Once", "Twice"):
        if title:
            shop.world.send("PATCH", f"/v1/documents/{made}", {"title": title}).ok()
        facts = shop.browser().open(path).partition('id="facts"')[2].partition("</section>")[0]
        said.append(re.sub(r"<[^>]*>", "", facts))
    assert "Behind it" not in said[0]
    assert "Behind it1 newer event of this document waits" in said[1]
    assert "Behind it2 newer events of this document wait" in said[2]


def test_support_sees_until_when_what_waits_is_kept(shop: Shop) -> None:
    shop.world.create_document()
    kept = shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok()["health"]["keptUntil"]
    shown = shop.browser("viewer").open(f"/console/t/default/subscriptions/{shop.subscription}")
    assert f"The oldest event that waits is kept until {moment(kept)} (<time" in shown
    assert "in 29 d" in shown


def test_a_replay_says_how_what_it_queued_ended(shop: Shop) -> None:
    path = f"/v1/subscriptions/{shop.world.create_subscription(status='paused')['id']}/replays"
    asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "status": "failed"}
    made = shop.world.send("POST", path, asked).ok(202)
    assert [made[name] for name in ("delivered", "failed", "skipped", "waiting")] == [0, 0, 0, 0]
    for page in ("/replays", ""):
        shown = re.sub(r"<[^>]*>", "", shop.browser().open(f"/console/t/default{page}"))
        for word in ("0 of 0 queued", "0 delivered", "0 given up", "0 wait"):
            assert word in shown
    span = "what was given up, 1 Jan 2020, 00:00:00 UTC to 1 Jan 2100, 00:00:00 UTC, by operator"
    assert span in shop.browser().open("/console/t/default")
    shop.world.send("DELETE", f"{path}/{made['id']}").ok()


def test_a_key_is_made_shown_once_and_revoked(shop: Shop) -> None:
    browser = shop.browser()
    answer = browser.post("/console/t/default/keys", {"do": "create", "key": "new", "name": "Made here", "role": "app",
                                                       "expires": "2099-12-31"})  # fmt: skip
    assert answer.status == 200
    found = re.search(rb'<code id="key">(sp_[^<]+)</code>', answer.body)
    assert found
    assert found[1].decode() not in browser.open("/console/t/default/keys")
    [made] = [k for k in shop.world.get("/v1/keys").ok()["data"] if k["name"] == "Made here"]
    assert made["expiresAt"].startswith("2099-12-31T00:00:00")
    past = {"do": "create", "key": "past", "name": "Over", "role": "app", "expires": "2001-01-01"}
    refused = browser.post("/console/t/default/keys", past)
    assert (refused.status, b'name="expires" type="date" value="2001-01-01"' in refused.body) == (422, True)
    answer = browser.post("/console/t/default/keys", {"do": "revoke", "key": "gone", "id": made["id"]})
    assert answer.status == 303
    assert "Made here" not in browser.open("/console/t/default/keys")


ENDS = ("revoke", "remove", "skip", "promote", "stop")
"""The buttons that end a person's access, a part of what is kept, or what is under way."""


def test_no_button_that_ends_something_is_pressed_without_a_question(shop: Shop) -> None:
    """Neither without a script, nor by Enter in a field of the same form."""
    browser, path = shop.browser(), f"/subscriptions/{shop.subscription}"
    shop.world.send("POST", "/v1/members", {"name": HOSTILE, "email": "asked@example.com", "role": "viewer"}).ok(201)
    shop.world.send("POST", f"/v1{path}/secret/rotate").ok()
    shop.world.send("PATCH", f"/v1{path}", {"status": "paused"}).ok()
    shop.world.create_document()
    asked_for = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "status": "failed"}
    replay = shop.world.send("POST", f"/v1{path}/replays", asked_for).ok(202)["id"]
    seen = set()
    for page in ("", "/replays", "/keys", "/members", path, f"{path}/secret"):
        html = browser.open(f"/console/t/default{page}")
        for button in re.finditer(r'<button[^>]* value="(\w+)"', html):
            if button[1] in ENDS:
                form, asked = html.rindex("<form", 0, button.start()), html.rindex("popover role", 0, button.start())
                assert form < html.index("disabled hidden", form) < asked
                assert "</div></div>" not in html[asked : button.start()]
                seen.add(button[1])
    assert seen == {*ENDS}
    shop.world.send("DELETE", f"/v1{path}/replays/{replay}").ok()
    shop.world.send("POST", f"/v1{path}/secret/promote").ok()
    shop.world.send("PATCH", f"/v1{path}", {"status": "active"}).ok()


def test_every_template_asks_before_it_ends_something() -> None:
    """This covers pages that only show up after a test, and those of the portal, too."""
    for template in TEMPLATES.rglob("*.html"):
        if template.name != "parts.html":  # which has the question
            assert re.findall(rf'value="({"|".join(ENDS)})"', template.read_text()) == [], template


def test_a_form_of_an_unknown_button_and_one_that_is_too_large_are_refused(shop: Shop) -> None:
    browser = shop.browser()
    assert browser.post("/console/t/default/keys", {"do": "x"}).status == 400
    assert browser.post("/console/t/default/keys", {"do": "create", "name": "x" * 70_000}).status == 413


def test_a_link_for_a_customer_is_made_shown_once_and_revoked(shop: Shop) -> None:
    browser, path = shop.browser("subscriber"), "/console/t/default/portal-links"
    text = browser.open(f"{path}?subscription={shop.subscription}")
    assert f'value="{shop.subscription}" selected' in text
    form = {"do": "create", "key": "pl1", "name": "Northwind", "subscription": shop.subscription, "hours": "4"}
    made = browser.post(path, {**form, "can": ["test", "retry"]})
    found = re.search(r'<code id="url">http[^<]*(/portal/enter/[^<]+)</code>', made.body.decode())
    assert found, made.body
    listed = browser.open(path)
    assert found[1] not in listed
    assert "Not opened yet" in listed
    assert "<td>send tests, send one again</td>" in listed
    [link] = shop.world.get("/v1/portal-links").ok()["data"]
    assert (link["name"], link["subscriptions"]) == ("Northwind", [shop.subscription])
    assert set(link["can"]) == {"view", "test", "retry"}
    refused = browser.post(path, {**form, "key": "pl2", "can": "create"})
    assert refused.status == 422
    assert b"Only a link to all subscriptions can allow" in refused.body
    assert browser.post(path, {"do": "revoke", "key": "pl3", "id": link["id"]}).status == 303
    assert "Ended" in browser.open(path)
    viewer = shop.browser("viewer")
    assert "Make the link" not in viewer.open(path)
    assert viewer.post(path, {**form, "key": "pl4"}).status == 403


def test_a_link_is_made_with_the_pages_that_may_frame_it_and_with_looks(shop: Shop) -> None:
    browser, path = shop.browser("subscriber"), "/console/t/default/portal-links"
    logo = png(more=100)
    looks = {
        "embed": "https://app.example.com\r\nhttp://localhost:3000", "theme.name": "Northwind hooks",
        "theme.accent": "#7A1FA2", "theme.radius": "12", "theme.mode": "dark",
        "theme.logo": f"{logo[:76]}\r\n{logo[76:]}",
    }  # fmt: skip
    assert {"embed", *looks} <= {name for form in forms_of(browser.open(path)) for name, _ in form.fields}
    form = {"do": "create", "name": "Framed", "subscription": "all", "hours": "1", **looks}
    made = browser.post(path, {**form, "key": "framed"}).body.decode()
    [link] = shop.world.get("/v1/portal-links?limit=1").ok()["data"]
    assert link["embed"] == ["https://app.example.com", "http://localhost:3000"]
    assert link["theme"] == {"name": "Northwind hooks", "accent": "#7a1fa2", "radius": 12, "mode": "dark"}
    assert "Pages of https://app.example.com and of http://localhost:3000 may show it in a frame" in made
    entered = re.search(r'<code id="url">http[^<]*(/portal/enter/[^<]+)</code>', made)
    assert entered
    guest = Guest(shop.world)
    assert guest.get(entered[1], sec_fetch_dest="document", sec_fetch_mode="navigate").status == 303
    assert "Northwind hooks" in guest.open()
    assert guest.get("/portal/logo.png").body == b64decode(logo)
    assert shop.world.send("DELETE", f"/v1/portal-links/{link['id']}").status == 204


def test_looks_that_are_refused_are_named_as_the_form_calls_them_and_stay_typed(shop: Shop) -> None:
    browser, path = shop.browser(), "/console/t/default/portal-links"
    before = shop.world.get("/v1/portal-links").ok()["data"]
    looks = {
        "embed": "https://app.example.com app.example.com", "theme.name": "N" * 65, "theme.accent": "red",
        "theme.radius": "17", "theme.mode": "dim", "theme.logo": "bm8gbG9nbw==",
    }  # fmt: skip
    refused = browser.post(
        path, {"do": "create", "key": "looks", "name": "", "subscription": "x", "hours": "1", **looks}
    )
    assert refused.status == 422
    page = refused.body.decode()
    named = re.findall(r"<p><strong>([^<]+)</strong>: ", page)
    assert sorted(named) == sorted(LABELS.values())
    [typed] = [dict(form.fields) for form in forms_of(page) if "create" in form.buttons]
    assert {name: typed[name] for name in looks if name != "theme.mode"} == {
        name: value for name, value in looks.items() if name != "theme.mode"
    }
    assert shop.world.get("/v1/portal-links").ok()["data"] == before


# --- Vendors, without code --------------------------------------------------------------------------------------------


def connect_http(browser: Browser) -> str:
    """The path of a connection of the kind `http`, made by its form."""
    path = "/console/t/default/connections/new?kind=http&signIn.with=bearer"
    text = browser.open(path)
    assert 'name="signIn.token" type="password"' in text
    assert 'name="signIn.password"' not in text
    form = {
        "do": "create", "key": form_key(text), "name": "Our service",
        "origin": "https://r.example.com", "signIn.with": "bearer", "signIn.token": "a-token-of-ours",
    }  # fmt: skip
    answer = browser.post(path, form)
    assert answer.status == 303, re.findall(rb'class="wrong"[^>]*>([^<]+)', answer.body)
    return str(answer.headers["location"]).partition("?")[0]


def test_a_connection_is_made_by_a_form_that_follows_from_its_kind(shop: Shop) -> None:
    browser = shop.browser()
    path = connect_http(browser)
    for page in (path, "/console/t/default/connections"):
        text = browser.open(page)
        assert "Our service" in text
        assert "a-token-of-ours" not in text
    assert browser.post(path, {"do": "disconnect", "key": "d1"}).status == 303
    assert "Broken" in browser.open(path)
    assert browser.post(path, {"do": "delete", "key": "d2"}).status == 422
    assert browser.post(path, {"do": "delete", "key": "d3", "confirm": "Our service"}).status == 303
    assert browser.get(path).status == 404


def test_only_an_operator_is_led_to_a_new_connection(shop: Shop) -> None:
    path, link = "/console/t/default/subscriptions/new/salesforce", "/connections/new?kind=salesforce"
    assert link in shop.browser().open(path)
    text = shop.browser("subscriber").open(path)
    assert link not in text
    assert "Operators make them." in text


def values_of(text: str) -> dict[str, str]:
    """What the fields of a page's forms hold, as a browser would send them."""
    held = {str(a["name"]): a.get("value") or "" for tag, a in tags(text) if tag == "input" and "name" in a}
    areas = re.findall(r'<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>', text)
    return {**held, **{name: unescape(value).removeprefix("\n") for name, value in areas}}


def test_a_connection_is_given_another_secret_and_keeps_the_rest(shop: Shop) -> None:
    browser = shop.browser()
    path = connect_http(browser)
    held = values_of(browser.open(path))
    assert (held["name"], held["origin"], held["signIn.token"]) == ("Our service", "https://r.example.com", "")
    form = {"do": "change", "name": "Ours", "origin": "https://r.example.com", "signIn.with": "bearer"}
    assert browser.post(path, {**form, "key": "c1", "signIn.token": ""}).status == 303
    shown = browser.open(path)
    assert "Ours" in shown
    assert browser.post(path, {**form, "key": "c2", "signIn.token": "another-token"}).status == 303
    assert "another-token" not in browser.open(path)
    elsewhere = browser.post(path, {**form, "key": "c3", "origin": "https://elsewhere.example.com"})
    assert elsewhere.status == 422
    assert b"This secret would now go to https://elsewhere.example.com" in elsewhere.body
    text = browser.open(f"{path}?signIn.with=basic")
    assert 'name="signIn.password" type="password" value="" placeholder="" autocomplete="new-password" required' in text


def test_of_two_people_who_change_a_connection_at_once_the_second_is_told(shop: Shop) -> None:
    first, second = shop.browser(), shop.browser()
    path = connect_http(first)
    form = {"do": "change", "origin": "https://r.example.com", "signIn.with": "bearer", "signIn.token": "",
            "version": values_of(first.open(path))["version"]}  # fmt: skip
    assert first.post(path, {**form, "key": "e1", "name": "The first name"}).status == 303
    told = second.post(path, {**form, "key": "e2", "name": "The second name"})
    assert told.status == 412
    text = told.body.decode()
    assert "Somebody else changed this meanwhile" in text
    again = values_of(text)
    assert again["name"] == "The second name"
    assert again["version"] != form["version"]
    assert second.post(path, {**form, **again, "do": "change", "key": "e3"}).status == 303
    assert "The second name" in first.open(path)


def test_what_a_vendor_gets_is_changed_among_the_settings_of_its_subscription(shop: Shop) -> None:
    browser, world = shop.browser(), shop.world
    sign_in = {"with": "bot", "token": "xoxb-secret-token", "channel": "#contracts"}
    connection = world.send("POST", "/v1/connections", {"kind": "slack", "config": {"signIn": sign_in}}).ok(201)["id"]
    when = {"field": "document.status", "changedTo": "executed"}
    made = {"kind": "slack", "connection": connection, "eventTypes": ["documentUpdated"], "when": when,
            "config": {"text": "Signed", "oneThreadPerDocument": True}}  # fmt: skip
    api = f"/v1/subscriptions/{world.send('POST', '/v1/subscriptions', made).ok(201)['id']}"
    path = f"{api.replace('/v1', '/console/t/default')}/settings/edit"
    held = values_of(browser.open(path))
    assert "url" not in held, "the connection says where it goes"
    assert held["config.text"] == "Signed"
    assert chosen_in(browser.open(path), "when.field")[0] == "document.status"
    assert chosen_in(browser.open(path), "when.operator")[0] == "changedTo"
    form = {"do": "change", "name": "S", "type": "documentUpdated", "ordering": "loose", "rate": "", "after": ""}
    said = {"config.text": "*{{ document.title }}*", "config.channel": "#legal", "when.field": ""}
    said["config.oneThreadPerDocument"] = "off"
    assert browser.post(path, {**form, **said, "key": "s1"}).status == 303
    changed = world.get(api).ok()
    assert changed["config"] == {
        "text": "*{{ document.title }}*", "channel": "#legal", "oneThreadPerDocument": False,
    }  # fmt: skip
    assert "when" not in changed
    row = {"when.field": "document.x", "when.fact": "", "when.operator": "is", "when.value": "1"}
    wrong = {**form, "config.text": "{{ document.titel }}", **row, "key": "s2"}
    refused = browser.post(path, wrong)
    assert refused.status == 422
    assert b"did you mean title?" in refused.body
    assert b"There is no document.x" in refused.body
    assert "{{ document.titel }}" in values_of(refused.body.decode())["config.text"]


def test_each_group_of_settings_leads_to_its_own_in_the_form(shop: Shop) -> None:
    browser, path = shop.browser(), f"/console/t/default/subscriptions/{shop.subscription}/settings"
    shown, form = browser.open(path), browser.open(f"{path}/edit")
    groups = re.findall(r'/settings/edit#(\w+)">Change<span class="hidden">: ([^<]+)<', shown)
    assert [title for _, title in groups] == ["Which events", "How it is sent", "Who is told when it fails"]
    for at, title in [("where", "Where it goes"), *groups]:
        assert f'id="{at}"><h2>{title}</h2>' in form
    assert "loosely, as events come" in shown
    assert "loosely, as events come" in form


def chosen_in(text: str, name: str) -> list[str]:
    """What is chosen in each select of that name."""
    selects = re.findall(rf'<select name="{re.escape(name)}".*?</select>', text, re.DOTALL)
    return [next(iter(re.findall(r'<option value="([^"]*)" selected', each)), "") for each in selects]


def test_statuses_are_offered_by_name_where_a_vendor_is_told_by_them(shop: Shop) -> None:
    sign_in = {"with": "consent", "clientId": "1.apps.googleusercontent.com", "clientSecret": "GOCSPX-0"}
    shop.world.send("POST", "/v1/connections", {"kind": "google_calendar", "config": {"signIn": sign_in}}).ok(201)
    said = shop.browser().open("/console/t/default/subscriptions/new/google_calendar")
    assert f"One a line, any of {', '.join(STATUSES)}." in said


def test_a_webhook_that_moves_to_another_host_is_given_the_values_of_its_headers_again(shop: Shop) -> None:
    browser = shop.browser()
    api = f"/v1/subscriptions/{shop.world.create_subscription(headers={'X-Key~': 'canary-1'})['id']}"
    path = f"{api.replace('/v1', '/console/t/default')}/settings/edit"
    form = {"do": "change", "name": "S", "url": "https://new.example.com/", "type": "documentUpdated",
            "ordering": "loose", "rate": "", "after": ""}  # fmt: skip
    refused = browser.post(path, {**form, "key": "m1"})
    assert refused.status == 422
    assert b'name="header.X-Key~"' in refused.body
    assert b"canary" not in refused.body
    assert browser.post(path, {**form, "header.X-Key~": "another", "key": "m2"}).status == 303
    assert shop.world.get(api).ok()["url"] == "https://new.example.com/"


def test_a_condition_and_a_delay_are_typed_as_rows_and_come_back(shop: Shop) -> None:
    browser = shop.browser()
    made = shop.world.send(
        "POST", "/v1/subscriptions", {"url": "https://example.com/", "eventTypes": ["documentUpdated"]}
    )
    api = f"/v1/subscriptions/{made.ok(201)['id']}"
    path = f"{api.replace('/v1', '/console/t/default')}/settings/edit"
    form = {"do": "change", "name": "S", "url": "https://example.com/", "type": "documentUpdated", "ordering": "loose",
            "rate": "", "when.join": "any", "when.field": "document.status", "when.fact": "", "when.value": "paused",
            "when.operator": "changedTo", "after": "3", "after.unit": "days", "still.field": "document.status",
            "still.fact": "", "still.operator": "in", "still.value": "paused, approved"}  # fmt: skip
    assert browser.post(path, {**form, "key": "r1"}).status == 303
    changed = shop.world.get(api).ok()
    assert changed["when"] == {"field": "document.status", "changedTo": "paused"}
    still = {"field": "document.status", "in": ["paused", "approved"]}
    assert changed["after"] == {"seconds": 259_200, "if": still}
    text = browser.open(path)
    assert values_of(text)["after"] == "3"
    assert chosen_in(text, "still.operator")[0] == "in"
    refused = browser.post(path, {**form, "after": "three", "still.value": "pausd", "key": "r2"})
    assert refused.status == 422
    assert b"did you mean paused?" in refused.body
    assert values_of(refused.body.decode())["after"] == "three"
    shop.world.send("PATCH", api, {"when": {"not": {"field": "document.status", "is": "paused"}}}).ok()
    assert '"not"' in browser.open(path).replace("&#34;", '"')


def test_what_was_cleared_and_unticked_stays_so_on_the_page_that_says_what_is_wrong(shop: Shop) -> None:
    browser = shop.browser()
    made = {"url": "https://example.com/", "eventTypes": ["documentUpdated"], "rateLimit": 5, "name": "Limited"}
    api = f"/v1/subscriptions/{shop.world.send('POST', '/v1/subscriptions', made).ok(201)['id']}"
    path = f"{api.replace('/v1', '/console/t/default')}/settings/edit"
    refused = browser.post(path, {"do": "change", "name": "", "url": "https://example.com/", "rate": "", "type": ""})
    assert refused.status == 422
    held = values_of(refused.body.decode())
    assert (held["name"], held["rate"]) == ("", "")
    assert ticked_in(refused.body.decode()) == []
    new = browser.post("/console/t/default/subscriptions/new", {"do": "activate", "url": "x", "type": ""})
    assert new.status == 422
    assert ticked_in(new.body.decode()) == []
    assert browser.post(path, {"do": "change", "rate": ""}).status == 303
    assert shop.world.get(api).ok()["rateLimit"] is None


def ticked_in(text: str) -> list[str]:
    boxes = [attributes for tag, attributes in tags(text) if tag == "input" and attributes.get("type") == "checkbox"]
    return [str(each["value"]) for each in boxes if each.get("name") == "type" and "checked" in each]


def test_a_kind_is_begun_without_a_recipe_previewed_and_activated(shop: Shop) -> None:
    browser, world = shop.browser(), shop.world
    page = "/console/t/default/subscriptions/new/slack"
    assert "This needs a connection" in browser.open(page.replace("slack", "hubspot"))
    assert browser.get(page.replace("slack", "none")).status == 404
    body = {"kind": "slack", "name": "Slack", "config": {"signIn": {"with": "bot", "token": "xoxb-secret-token"}}}
    connection = world.send("POST", "/v1/connections", body).ok(201)["id"]
    assert page in browser.open(f"/console/t/default/connections/{connection}")
    said = {"connection": connection, "config.text": "Look: {{ document.title }}", "config.channel": "#contracts",
            "type": "documentCreated", "when.field": "document.title", "when.fact": "", "when.operator": "exists:true",
            "when.value": "", "after": "", "name": ""}  # fmt: skip
    text = browser.post(page, {"do": "preview", **said}).body.decode()
    assert "Preview: " in text
    assert "Look: " in text[text.index("Preview: ") :]
    answer = browser.post(page, {"do": "activate", "key": form_key(text), **said})
    assert answer.status == 303, answer.body
    made = world.get(f"/v1/subscriptions/{answer.headers['location'].split('/')[5].split('?')[0]}").ok()
    assert (made["kind"], made["name"], made["eventTypes"]) == ("slack", "Slack", ["documentCreated"])
    assert made["when"] == {"field": "document.title", "exists": True}
    wrong = browser.post(page, {"do": "activate", "key": "x", **said, "when.operator": "above", "when.value": "5"})
    assert wrong.status == 422
    assert b"document.title is a text and takes is," in wrong.body


def test_the_time_until_a_reminder_is_typed_in_days(shop: Shop) -> None:
    browser = shop.browser()
    body = {"kind": "slack", "config": {"signIn": {"with": "bot", "token": "xoxb-secret-token", "channel": "#a"}}}
    connection = shop.world.send("POST", "/v1/connections", body).ok(201)["id"]
    path = "/console/t/default/recipes/slack-approval-waits"
    assert values_of(browser.open(path))["blank.seconds"] == "3"
    blanks = {"connection": connection, "blank.seconds": "2", "blank.seconds.unit": "hours", "blank.text": "Wake up"}
    answer = browser.post(path, {"do": "activate", "key": "reminder-1", **blanks})
    assert answer.status == 303, answer.body
    made = shop.world.get(f"/v1/subscriptions/{answer.headers['location'].split('/')[5].split('?')[0]}").ok()
    assert made["after"]["seconds"] == 7_200
    wrong = browser.post(path, {"do": "activate", "key": "reminder-2", **blanks, "blank.seconds": "soon"})
    assert wrong.status == 422
    assert values_of(wrong.body.decode())["blank.seconds"] == "soon"


def test_a_form_of_a_kind_says_what_is_wrong_at_its_field(shop: Shop) -> None:
    browser = shop.browser()
    path = "/console/t/default/connections/new?kind=slack&signIn.with=bot"
    answer = browser.post(path, {"do": "create", "key": "w", "name": "S", "signIn.token": "nonsense-that-is-secret"})
    assert answer.status == 422
    wrong = {a["name"] for tag, a in tags(answer.body.decode()) if tag == "input" and a.get("aria-invalid")}
    assert wrong == {"signIn.token"}
    assert b"nonsense-that-is-secret" not in answer.body


def test_every_kind_has_a_form_and_every_recipe_a_page(shop: Shop) -> None:
    browser = shop.browser()
    kinds = shop.world.get("/v1/destinations").ok()["data"]
    assert len(kinds) >= 5
    for kind in kinds:
        text = browser.open(f"/console/t/default/connections/new?kind={kind['kind']}")
        for _, variant in re.findall(rf"\?kind={kind['kind']}&amp;([\w.]+)=(\w+)", text):
            browser.open(f"/console/t/default/connections/new?kind={kind['kind']}&signIn.with={variant}")
        for preset in kind["presets"]:
            of, other = (
                ("operations", "default") if preset["body"]["eventTypes"] == ["notice"] else ("default", "operations")
            )
            path = f"recipes/{preset['name']}"
            assert preset["title"] in browser.open(f"/console/t/{of}/{path}").replace("&#39;", "'")
            assert browser.get(f"/console/t/{other}/{path}").status == 404
            new = f"subscriptions/new?to={kind['kind']}"
            assert path in browser.open(f"/console/t/{of}/{new}")
            assert path not in browser.open(f"/console/t/{other}/{new}")
            sought = f"subscriptions/new?{urlencode({'q': preset['title'].upper()})}"
            assert path in browser.open(f"/console/t/{of}/{sought}")
            assert path not in browser.open(f"/console/t/{other}/{sought}")
    assert browser.get("/console/t/default/recipes/none").status == 404


def test_what_to_reach_is_chosen_or_searched_for(shop: Shop) -> None:
    browser, path = shop.browser(), "/console/t/default/subscriptions/new"
    tiles = browser.open(path)
    for kind in shop.world.get("/v1/destinations").ok()["data"]:
        assert f'href="{path}?to={kind["kind"]}"' in tiles
    found = browser.open(f"{path}?q=xero+BILL")
    assert "/subscriptions/new/xero_bill" in found
    assert "/subscriptions/new/slack" not in found
    assert 'name="url"' not in found
    assert re.search(r'id="find"[^>]* value="">', found), "what is searched for here is not searched for everywhere"
    nothing = browser.open(f"{path}?q={quote(HOSTILE)}")
    assert "Nothing that can be reached is called like that." in nothing


def test_a_sample_document_is_made_where_there_is_none(make_world: Any) -> None:
    world = make_world()
    browser = Browser(world).sign_in(world.key)
    empty = browser.open("/console/t/default/documents")
    for page in (empty, browser.open("/console/t/default/events")):
        assert "Make a sample document" in page
    answer = browser.post("/console/t/default/documents", {"do": "sample", "key": form_key(empty)})
    assert "The sample is there." in browser.open(answer.headers["location"])
    assert [each["event"]["type"] for each in world.events()] == ["documentCreated"]
    assert "Make a sample document" not in browser.open("/console/t/default/documents")
    key = world.send("POST", "/v1/keys", {"name": "v", "role": "viewer"}).ok(201)["key"]
    viewer = Browser(world).sign_in(key)
    assert viewer.post("/console/t/default/documents", {"do": "sample"}).status == 403
    assert "sample" not in viewer.open("/console/t/default/events?type=documentDeleted")


def test_a_kind_that_nothing_fitted_yet_is_previewed_with_a_sample_that_fits(shop: Shop) -> None:
    world, path = shop.world, "/console/t/default/subscriptions/new/slack"
    sign_in = {"with": "bot", "token": "xoxb-secret-token", "channel": "#contracts"}
    connection = world.send("POST", "/v1/connections", {"kind": "slack", "config": {"signIn": sign_in}}).ok(201)["id"]
    row = {"when.field": "document.status", "when.fact": "", "when.operator": "changedTo", "when.value": "executed"}
    form = {"connection": connection, "config.text": "Now {{ document.status }}", "type": "documentUpdated", **row}
    text = unescape(shop.browser().post(path, {"do": "preview", **form}).body.decode())
    assert "Preview: a sample" in text
    assert "made up to fit" in text
    assert "Now executed" in re.sub("<[^>]+>", "", text)


def test_a_recipe_is_previewed_and_activated(shop: Shop) -> None:
    browser = shop.browser()
    [slack] = [k for k in shop.world.get("/v1/destinations").ok()["data"] if k["kind"] == "slack"]
    body = {"kind": "slack", "name": "Slack", "config": {"signIn": {"with": "bot", "token": "xoxb-secret-token"}}}
    connection = shop.world.send("POST", "/v1/connections", body).ok(201)["id"]
    shop.world.send("PATCH", f"/v1/documents/{shop.document}", {"referenceId": "R-1"}).ok(200)
    path = f"/console/t/default/recipes/{slack['presets'][0]['name']}"
    blanks = {"blank.text": "Look: {{ document.title }}", "blank.channel": "#contracts", "connection": connection}
    text = browser.post(path, {"do": "preview", **blanks}).body.decode()
    assert "Preview: a sample" in text
    assert "Look: Sample: a test of your endpoint" in re.sub("<[^>]+>", "", text)
    assert "Not sent: document.status did not change" in text[text.index("The last events") :]
    asked = {
        "eventId": shop.world.events()[-1]["event"]["id"],
        "connection": connection,
        "config": {"text": "Look", "channel": "#c"},
    }
    when = {"when": slack["presets"][0]["body"]["when"]}
    why = shop.world.send("POST", "/v1/destinations/slack/preview", {**asked, **when}).ok()["why"]
    assert why in text.replace("&#39;", "'").replace("&#34;", '"')
    assert "xoxb-secret-token" not in text
    answer = browser.post(path, {"do": "activate", "key": form_key(browser.open(path)), **blanks})
    assert answer.status == 303, answer.body
    made = shop.world.get(f"/v1/subscriptions/{answer.headers['location'].split('/')[5].split('?')[0]}").ok()
    assert (made["kind"], made["config"]["channel"], made["status"]) == ("slack", "#contracts", "active")
    wrong = browser.post(path, {"do": "activate", "key": "x", **blanks, "blank.text": "{{ document.titel }}"})
    assert wrong.status == 422
    assert b"title" in wrong.body


def test_a_tenant_is_made_limited_paused_resumed_and_deleted_by_its_name(shop: Shop) -> None:
    browser = shop.browser()
    made = browser.post("/console/t/default/tenants", {"do": "create", "name": "northwind", "key": "made"})
    assert made.headers["location"] == "/console/t/default/tenants/northwind?done=created"
    unlike = browser.post("/console/t/default/tenants", {"do": "create", "name": "North Wind", "key": "unlike"})
    assert b"Write it like acme-legal." in unlike.body
    page = "/console/t/default/tenants/northwind"
    wrong = browser.post(page, {"do": "limit", "documents": "many", "days": "0"})
    assert wrong.status == 422
    for said in ('name="documents" value="many"', 'name="days" value="0"', "aria-invalid"):
        assert said in wrong.body.decode()
    assert browser.post(page, {"do": "limit", "documents": "10,000", "days": "7"}).status == 303
    shown = shop.world.get("/v1/tenants/northwind").ok()
    assert (shown["limits"]["documents"], shown["retentionDays"]) == (10_000, 7)
    assert browser.post(page, {"do": "limit"}).status == 303
    assert shop.world.get("/v1/tenants/northwind").ok() == shown, "what was not sent was not edited"
    assert browser.post(page, {"do": "limit", "documents": ""}).status == 303  # what is emptied is as the settings say
    assert shop.world.get("/v1/tenants/northwind").ok()["limits"]["documents"] is None
    assert browser.post(page, {"do": "pause"}).headers["location"].endswith("done=paused")
    assert "Nothing in it is changed or sent" in browser.open(f"{page}?done=paused")
    assert browser.post(page, {"do": "resume"}).status == 303
    unsure = browser.post(page, {"do": "delete", "confirm": "northwing"})
    assert unsure.status == 422
    assert "a deleted tenant cannot be brought back" in unsure.body.decode()
    assert browser.post(page, {"do": "delete", "confirm": "northwind"}).status == 303
    assert browser.get(page).status == 404
    assert "all of it" in browser.open("/console/t/default/tenants")


def test_each_setting_is_in_one_group_with_where_it_comes_from(make_world: Any) -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(map(str.upper, SETTINGS))
    settings = read_settings({"SIGNALPOST_RETENTION_DAYS": "7"}, {"attempt_timeout": "4"})
    shown = {each.name: (each.value, each.source) for each in settings_in_force(settings)}
    assert shown["retention_days"] == ("7", "environment")
    assert shown["attempt_timeout"] == ("4", "flag")
    assert shown["in_flight"][1] == "default"
    world = make_world(retention_days=7)
    text = Browser(world).sign_in(world.key).open("/console/t/default/gateway")
    row = text[text.index("<code>RETENTION_DAYS</code>") :].split("</tr>")[0]
    assert "the program that embeds it" in row
    assert "<code>OIDC_ISSUER</code></td>" not in text, "what has no value has no row"


def test_the_gateways_page_tells_no_secret(make_world: Any) -> None:
    proxy, key = "http://someone:hunter2@127.0.0.1:9", f"sp_{'k' * 43}"
    world = make_world(egress_proxy=parse_egress_proxy(proxy), operator_key=key)
    page = Browser(world).sign_in(world.key).open("/console/t/default/gateway")
    assert "EGRESS_PROXY" in page
    for secret in ("hunter2", key):
        assert secret not in page
        assert secret not in world.get("/v1/gateway").body.decode()
    shown = {each["name"]: each for each in world.get("/v1/gateway").ok()["settings"]}
    assert (shown["EGRESS_PROXY"]["value"], shown["EGRESS_PROXY"]["isDefault"]) == ("set", False)
    assert (shown["IN_FLIGHT"]["value"], shown["IN_FLIGHT"]["isDefault"]) == ("512", True)


def test_who_is_no_operator_sees_nothing_of_tenants_and_of_the_gateway(shop: Shop) -> None:
    browser = shop.browser("subscriber")
    assert "/gateway" not in browser.open("/console/t/default")
    for page in ("/tenants", "/tenants/default", "/gateway"):
        assert browser.get(f"/console/t/default{page}").status == 403
