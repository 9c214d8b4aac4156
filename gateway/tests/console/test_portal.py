"""The portal: who gets in by a link, what its pages show and do, and what foreign sites and texts come to there."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.api.two_tenants import ABSENT, make_key
from gateway.tests.bodies import ONE_IN_A_PART
from gateway.tests.console.conftest import HOSTILE, HTML, Browser, Shop, make_world
from gateway.tests.domain.access.test_portal_link import png

from signalpost.api.resources.planned_replays import MAX_PARTS_ASKED
from signalpost.console.html import moment
from signalpost.console.portal.theme import css
from signalpost.domain.access.portal_link import OPEN_WITHIN, Mode, Theme
from signalpost.domain.timestamps import SECOND
from signalpost_receiver.sign import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.tests.api.conftest import Answer, World

__all__ = ["make_world"]
NAVIGATES = {"sec_fetch_dest": "document", "sec_fetch_mode": "navigate"}
FRAMED = {"sec_fetch_dest": "iframe", "sec_fetch_mode": "navigate", "sec_fetch_site": "cross-site"}
APP = "https://app.example.com"
ALL = ["payload", "test", "retry", "replay", "edit", "create", "secret"]


def link(world: "World", headers: Any = None, **given: Any) -> tuple[str, str]:
    """The path of a new link, and its id."""
    body = {"name": "Acme", "subscriptions": "all", "can": [], **given}
    made = world.send("POST", "/v1/portal-links", body, headers).ok(201)
    return urlsplit(made["url"]).path, made["id"]


class Guest:
    """A customer's browser."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.cookie: str | None = None
        self.kept = ""
        """How the cookie is kept."""

    def get(self, path: str, **headers: str | None) -> "Answer":
        return self._send("GET", path, None, headers)

    def post(self, path: str, form: "Mapping[str, Any]", **headers: str | None) -> "Answer":
        given = {"content_type": "application/x-www-form-urlencoded", "sec_fetch_site": "same-origin", **headers}
        return self._send("POST", path, urlencode(form, doseq=True).encode(), given)

    def _send(self, method: str, path: str, body: Any, given: "Mapping[str, str | None]") -> "Answer":
        headers: dict[str, str | None] = {name.replace("_", "-"): value for name, value in given.items()}
        headers["authorization"] = None
        if self.cookie is not None:
            headers["cookie"] = f"__Host-portal={self.cookie}"
        answer = self.world.send(method, path, body, headers)
        if (line := answer.headers.get("set-cookie")) is not None:
            name, _, rest = line.partition("=")
            assert name == "__Host-portal"
            self.cookie, self.kept = rest.split(";")[0] or None, rest.partition("; ")[2]
        return answer

    def enter(self, **given: Any) -> "Guest":
        answer = self.get(link(self.world, **given)[0], **NAVIGATES)
        assert (answer.status, answer.headers["location"]) == (303, "/portal")
        return self

    def open(self, path: str = "/portal") -> str:
        answer = self.get(path)
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == HTML
        return answer.body.decode()


def framed_by(answer: "Answer") -> str:
    found = re.search(r"frame-ancestors ([^;]+);", answer.headers["content-security-policy"])
    assert found
    return found[1]


# --- In and out -------------------------------------------------------------------------------------------------------


def test_a_link_opens_once_and_leads_to_a_clean_address(shop: Shop) -> None:
    path, link_id = link(shop.world)
    guest = Guest(shop.world)
    assert guest.get(path, **NAVIGATES).headers["location"] == "/portal"
    assert guest.kept == "Path=/; Secure; HttpOnly; SameSite=Lax"
    assert "Endpoints" in guest.open()
    assert shop.world.get(f"/v1/portal-links/{link_id}").ok()["state"] == "open"
    for again in (Guest(shop.world), guest):
        for answer in (again.get(path, **NAVIGATES), again.post(path, {})):
            assert answer.status == 410
            assert "set-cookie" not in answer.headers


def test_what_fetches_a_link_ahead_of_a_person_does_not_use_it_up(shop: Shop) -> None:
    path, _ = link(shop.world, embed=[APP])
    for ahead in (
        {},
        {**NAVIGATES, "sec_purpose": "prefetch"},
        {**NAVIGATES, "sec_purpose": "prefetch;prerender"},
        {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"},
        {"sec_fetch_dest": "image", "sec_fetch_mode": "no-cors"},
    ):
        early = Guest(shop.world)
        answer = early.get(path, **ahead)
        assert (answer.status, early.cookie) == (200, None)
        assert b'<form method="post">' in answer.body
    assert (
        shop.world.send("HEAD", path, None, {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate"}).status == 200
    )
    person = Guest(shop.world)
    assert person.post(path, {}).status == 303
    person.open()


def test_a_link_without_origins_is_not_opened_by_a_frame(shop: Shop) -> None:
    path, _ = link(shop.world)
    framed = Guest(shop.world)
    answer = framed.get(path, **FRAMED)
    assert (answer.status, framed.cookie, framed_by(answer)) == (200, None, "'none'")


def test_a_token_of_another_purpose_opens_nothing(shop: Shop) -> None:
    console = str(shop.world.send("POST", "/v1/console-links").ok(201)["url"]).rpartition("/")[2]
    path, _ = link(shop.world)
    token = path.rpartition("/")[2]
    for wrong in (console, "", "x" * 43, shop.world.key, "..%2f"):
        assert Guest(shop.world).post(f"/portal/enter/{wrong}", {}).status in (401, 410)
    assert Browser(shop.world).post(f"/console/enter/{token}", {}).status == 410
    assert Browser(shop.world).post(f"/console/enter/{console}", {}).status == 303
    assert Guest(shop.world).post(path, {}).status == 303


def test_sessions_of_console_and_portal_are_worth_nothing_to_one_another(shop: Shop) -> None:
    guest, operator = Guest(shop.world).enter(), shop.browser()
    browser = Browser(shop.world)
    browser.cookie = guest.cookie
    assert browser.get("/console/t/default").headers["location"].startswith("/console/sign-in")
    other = Guest(shop.world)
    other.cookie = operator.cookie
    assert other.get("/portal").status == 401
    for header in ({"authorization": f"Bearer {guest.cookie}"}, {"cookie": f"__Host-portal={guest.cookie}"}):
        headers = {"authorization": None, **header}
        assert shop.world.send("GET", "/v1/subscriptions", None, headers).status == 401


def test_a_session_begins_anew_with_each_link_and_ends_when_one_leaves(shop: Shop) -> None:
    guest = Guest(shop.world)
    guest.cookie = "chosen-by-somebody-else"
    guest.enter()
    first = guest.cookie
    guest.enter()
    assert len({first, guest.cookie, "chosen-by-somebody-else"}) == 3
    kept = guest.cookie
    for ended in (first, "chosen-by-somebody-else"):
        guest.cookie = ended
        assert guest.get("/portal").status == 401
    guest.cookie = kept
    assert guest.post("/portal/leave", {}).status == 303
    guest.cookie = kept
    assert guest.get("/portal").status == 401


def test_a_session_ends_with_its_link_and_a_link_with_the_key_that_made_it(shop: Shop) -> None:
    path, link_id = link(shop.world)
    guest = Guest(shop.world)
    guest.get(path, **NAVIGATES)
    guest.open()
    assert shop.world.send("DELETE", f"/v1/portal-links/{link_id}").status == 204
    assert guest.get("/portal").status == 401
    headers = make_key(shop.world, "subscriber", "default")
    guest.get(link(shop.world, headers)[0], **NAVIGATES)
    later, _ = link(shop.world, headers)
    guest.open()
    [made, *_] = shop.world.get("/v1/keys").ok()["data"]
    assert shop.world.send("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert guest.get("/portal").status == 401
    assert Guest(shop.world).get(later, **NAVIGATES).status == 410


def test_links_and_sessions_end_in_time(make_world: "Callable[..., World]") -> None:
    clock = MovedClock()
    world = make_world(clock=clock)
    late, _ = link(world)
    guest = Guest(world).enter(expiresIn=900)
    clock.move(OPEN_WITHIN)
    assert Guest(world).get(late, **NAVIGATES).status == 410
    guest.open()
    clock.move(900 * SECOND - OPEN_WITHIN)
    assert guest.get("/portal").status == 401


def test_nobody_is_kept_in_over_plain_http_to_another_machine(make_world: "Callable[..., World]") -> None:
    world = make_world(public_url="http://gateway.example.com")
    path, _ = link(world)
    answer = Guest(world).get(path, **NAVIGATES, host="gateway.example.com")
    assert answer.status == 400
    assert b"HTTPS" in answer.body
    assert Guest(world).get(path, **NAVIGATES).status == 303


# --- Frames and foreign sites -----------------------------------------------------------------------------------------


def test_a_page_is_framed_by_the_origins_of_its_link_alone(shop: Shop) -> None:
    path, _ = link(shop.world, embed=[APP, "http://localhost:3000"])
    guest = Guest(shop.world)
    assert framed_by(guest.get(path)) == f"{APP} http://localhost:3000"
    entered = guest.get(path, **FRAMED)
    assert (entered.status, framed_by(entered)) == (303, f"{APP} http://localhost:3000")
    assert guest.kept == "Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
    for path in ("/portal", f"/portal/subscriptions/{shop.subscription}", "/portal/nowhere", "/portal/theme.css"):
        assert framed_by(guest.get(path)) == f"{APP} http://localhost:3000"
    assert framed_by(Guest(shop.world).enter().get("/portal")) == "'none'"


def test_whoever_is_not_in_sees_nothing_in_any_frame(shop: Shop) -> None:
    for answer in (Guest(shop.world).get("/portal"), Guest(shop.world).get("/portal/enter/x", **FRAMED)):
        assert framed_by(answer) == "*"
        for what in (b"<form", b"<a ", b"<script", b"<button"):
            assert what not in answer.body


@pytest.mark.parametrize(
    "sent",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": None, "origin": "https://evil.example"},
        {"sec_fetch_site": None, "origin": "null"},
        {"sec_fetch_site": None},
    ],
)
def test_a_foreign_form_changes_nothing(shop: Shop, sent: dict[str, str | None]) -> None:
    guest = Guest(shop.world).enter(can=ALL)
    path = f"/portal/subscriptions/{shop.subscription}"
    before = shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok()["name"]
    answer = guest.post(path, {"do": "change", "name": "Taken"}, **sent)
    assert answer.status == 403
    assert shop.world.get(f"/v1/subscriptions/{shop.subscription}").ok()["name"] == before
    unused, _ = link(shop.world)
    assert guest.post(unused, {}, **sent).status == 403
    assert Guest(shop.world).post(unused, {}).status == 303


# --- Pages ------------------------------------------------------------------------------------------------------------


def pages(shop: Shop) -> tuple[str, ...]:
    of = f"/portal/subscriptions/{shop.subscription}"
    return (
        "/portal",
        of,
        f"{of}/deliveries",
        f"{of}/deliveries?status=failed",
        f"{of}/deliveries/{shop.event}",
        f"{of}/again",
        "/portal/subscriptions/new",
        "/portal/subscriptions/new/poll",
    )


def test_every_page_opens_and_hostile_texts_are_texts(shop: Shop) -> None:
    guest = Guest(shop.world).enter(name=HOSTILE, can=ALL, theme={"name": HOSTILE, "logo": png()})
    for path in pages(shop):
        html = guest.open(path)
        assert "<script>alert" not in html
        assert "<b>" not in html
        assert "style=" not in html
        assert "&lt;script&gt;" in html
        assert not re.search(r'(src|href)="(?!/|\?|#)', html)


def test_a_page_has_the_buttons_that_its_link_allows(shop: Shop) -> None:
    path, buttons = f"/portal/subscriptions/{shop.subscription}", {"test": "test", "edit": "change", "secret": "rotate"}
    for can, do in buttons.items():
        html = Guest(shop.world).enter(can=[can]).open(path)
        for other in buttons.values():
            assert (f'value="{other}"' in html) is (other == do)
    delivery = f"{path}/deliveries/{shop.event}"
    assert 'value="send"' in Guest(shop.world).enter(can=["retry"]).open(delivery)
    plain = Guest(shop.world).enter()
    for page in ("/portal", path, delivery):
        assert '<button name="do"' not in plain.open(page)
    assert "owner@example.com" not in plain.open(delivery)
    assert "owner@example.com" in Guest(shop.world).enter(can=["payload"]).open(delivery)
    for page in (f"{path}/again", delivery):
        assert Guest(shop.world).enter(can=["replay", "payload"]).get(page).status == 200
    assert plain.get(f"{path}/again").status == 403


def test_a_count_that_ended_before_any_event_met_the_condition_does_not_say_that_there_is_nothing(shop: Shop) -> None:
    when = {"field": "document.title", "is": "something else"}
    made = shop.world.create_subscription(status="active", eventTypes=["documentCreated"], when=when)["id"]
    for _ in range(MAX_PARTS_ASKED + 1):
        shop.world.create_document(additionalFacts=ONE_IN_A_PART)
    skipped = f"/v1/subscriptions/{made}/deliveries?status=skipped&limit=100"
    shop.world.wait_until(lambda: len(shop.world.get(skipped).ok()["data"]) == MAX_PARTS_ASKED + 1)
    form = {"do": "plan", "from": "2020-01-01T00:00", "to": "2099-01-01T00:00", "status": "all"}
    guest = Guest(shop.world).enter(can=["replay"])
    page = f"/portal/subscriptions/{made}/again"
    key = re.search(r'name="key" value="([^"]+)"', guest.open(page))
    assert key is not None
    counted = guest.post(page, {**form, "key": key[1]}).body.decode()
    assert "0 or more deliveries would be sent again." in counted
    assert 'value="start"' in counted


def test_what_the_link_does_not_allow_is_refused_also_without_its_button(shop: Shop) -> None:
    guest = Guest(shop.world).enter()
    path = f"/portal/subscriptions/{shop.subscription}"
    for page, do in (
        *((path, do) for do in ("test", "pause", "resume", "change", "headers", "rotate", "promote")),
        (f"{path}/deliveries/{shop.event}", "send"),
        (f"{path}/deliveries/{shop.event}", "check"),
        (f"{path}/again", "plan"),
        (f"{path}/again", "start"),
        ("/portal/subscriptions/new", "create"),
        ("/portal/subscriptions/new/poll", "create"),
    ):
        answer = guest.post(page, {"do": do, "url": "https://a.example", "type": "documentCreated"})
        assert answer.status == 403, do
        assert b"Not allowed here" in answer.body


def test_what_is_not_in_the_link_looks_like_what_is_not_there(shop: Shop) -> None:
    own = shop.world.create_subscription(name="Own")["id"]
    guest = Guest(shop.world).enter(subscriptions=[own], can=ALL[:-2])
    assert shop.subscription not in guest.open()
    answers = set()
    for of in (shop.subscription, ABSENT):
        for path in ("", "/deliveries", f"/deliveries/{shop.event}", "/again"):
            answer = guest.get(f"/portal/subscriptions/{of}{path}")
            answers.add((answer.status, answer.body))
            posted = guest.post(f"/portal/subscriptions/{of}", {"do": "pause"})
            answers.add((posted.status, posted.body))
    [(status, body)] = answers
    assert status == 404
    assert b"There is no subscription with this id." in body


def test_a_customer_changes_tests_rotates_and_sends_again_by_forms_alone(shop: Shop) -> None:
    own = shop.world.create_subscription(name="To mend")["id"]
    shop.world.create_document()
    event = shop.world.events()[-1]["event"]["id"]
    path, guest = f"/portal/subscriptions/{own}", Guest(shop.world).enter(can=ALL)
    changed = guest.post(path, {"do": "change", "name": "Mended", "url": "https://new.example.com/"})
    assert (changed.status, changed.headers["location"]) == (303, f"{path}?done=changed")
    guest.post(path, {"do": "headers", "header": ["x-a", ""], "value": ["secret value", ""]})
    shown = guest.open(path)
    assert "Mended" in shown
    assert "x-a" in shown
    assert "secret value" not in shown
    wrong = guest.post(path, {"do": "change", "name": "Mended", "url": "http://127.0.0.1/"})
    assert wrong.status == 422
    assert b'aria-invalid="true"' in wrong.body
    rotated = guest.post(path, {"do": "rotate"})
    assert b"whsec_" in rotated.body
    assert "whsec_" not in guest.open(path)
    assert guest.post(path, {"do": "promote"}).status == 303
    assert guest.post(path, {"do": "resume"}).status == 303
    assert guest.post(f"{path}/deliveries/{event}", {"do": "send"}).status == 303
    assert guest.post(path, {"do": "pause"}).status == 303
    span = {"from": "2020-01-01T00:00", "to": "2099-01-01T00:00", "status": "all"}
    assert b"There is nothing of that time" in guest.post(f"{path}/again", {"do": "plan", **span}).body
    assert b"did not arrive" in guest.post(path, {"do": "test"}).body
    form = {"do": "create", "url": "https://b.example.com/", "type": ["documentCreated"]}
    made = guest.post("/portal/subscriptions/new", form)
    assert b"whsec_" in made.body
    assert "b.example.com" in guest.open()


def test_a_customer_who_moves_an_endpoint_is_asked_for_the_values_of_its_headers(shop: Shop) -> None:
    own = shop.world.create_subscription(name="To move", headers={"X-Key": "canary-1", "X-Shop": "canary-2"})["id"]
    path, guest = f"/portal/subscriptions/{own}", Guest(shop.world).enter(can=ALL)
    assert 'name="header.X-Key"' not in guest.open(path)
    form = {"do": "change", "name": "Moved", "url": "https://new.example.com/"}
    refused = guest.post(path, form)
    assert refused.status == 422
    assert b"canary" not in refused.body
    for name in (b'name="header.X-Key"', b'name="header.X-Shop"'):
        assert name in refused.body
    moved = guest.post(path, {**form, "header.X-Key": "of the new one", "header.X-Shop": "7"})
    assert (moved.status, moved.headers["location"]) == (303, f"{path}?done=changed")
    shown = shop.world.get(f"/v1/subscriptions/{own}").ok()
    assert (shown["url"], shown["headers"]) == ("https://new.example.com/", {"X-Key": None, "X-Shop": None})


def test_a_customer_sees_until_when_what_waits_is_kept(shop: Shop) -> None:
    shop.world.create_document()
    path = f"/subscriptions/{shop.subscription}"
    kept = shop.world.get(f"/v1{path}").ok()["health"]["keptUntil"]
    assert f"is kept until {moment(kept)}" in Guest(shop.world).enter().open(f"/portal{path}")


def test_a_customer_checks_the_signature_that_they_compute(shop: Shop) -> None:
    secret = "a secret of theirs"
    own = shop.world.create_subscription(name="Computes", secret=secret)["id"]
    shop.world.create_document(title="Größe")
    event = shop.world.events()[-1]["event"]["id"]
    path = f"/portal/subscriptions/{own}/deliveries/{event}"
    sent = shop.world.get(f"/v1{path.removeprefix('/portal')}/event").body
    right = Signer(secret).page_signature(sent)
    may_see, may_not = (Guest(shop.world).enter(can=can) for can in (["secret", "payload"], ["secret"]))

    def says(guest: Guest, **form: str) -> str:
        answer = guest.post(path, {"do": "check", "body": "", **form})
        assert answer.status == 200, answer.body
        return answer.body.decode()

    for said in (says(may_see, signature=right), says(may_not, signature=right, body=sent.decode())):
        assert "It fits the secret." in said
        assert secret not in said
    assert "in upper case" in says(may_see, signature=right.upper())
    assert "Left empty" not in may_not.open(path)
    assert may_not.post(path, {"do": "check", "signature": right}).status == 403
    hostile = says(may_not, signature=HOSTILE, body=HOSTILE)
    assert HOSTILE not in hostile
    assert hostile.count("&lt;script&gt;") >= 2
    assert "Check a signature" not in Guest(shop.world).enter(can=["payload"]).open(path)


# --- Looks ------------------------------------------------------------------------------------------------------------


def test_a_theme_is_served_as_safe_css_and_an_image(shop: Shop) -> None:
    guest = Guest(shop.world).enter(theme={"accent": "#FFE600", "radius": 0, "mode": "dark", "logo": png()})
    sheet = guest.get("/portal/theme.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert re.fullmatch(r":root\{([a-z-]+:[a-z0-9#(), -]+;)+\}", sheet.body.decode())
    assert b"color-scheme:dark;" in sheet.body
    logo = guest.get("/portal/logo.png")
    assert (logo.headers["content-type"], logo.headers["x-content-type-options"]) == ("image/png", "nosniff")
    assert logo.body.startswith(b"\x89PNG")
    assert Guest(shop.world).get("/portal/logo.png").status == 401
    assert Guest(shop.world).enter().get("/portal/logo.png").status == 404


def test_the_colour_of_buttons_and_links_can_be_read_whatever_was_chosen() -> None:
    sheet = css(Theme(accent="#ffff00", mode=Mode.LIGHT))
    assert "--fill:#ffff00" not in sheet
    assert "color-scheme:light;" in sheet
