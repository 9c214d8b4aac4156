"""What pages say of endpoints is so: of new, mended and paused ones, and of those that were there before or after."""

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gateway.tests.api.conftest import World
from gateway.tests.console.conftest import Browser, make_world
from gateway.tests.console.forms_as_sent import forms_of
from gateway.tests.console.office import PORTAL, Office
from gateway.tests.console.test_portal import Guest
from gateway.tests.examples import cases
from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost.console.outcome_words import WITHOUT_ANSWER
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.delivery.outcome import Failure
from signalpost.sender.addresses import parse_allow_targets
from signalpost_receiver.sign import PAGE_SIGNATURE, Signer

__all__ = ["make_world"]
ROOT = "/console/t/default"


class Receiver(QuietHandler):
    """Answers by its path as told to, with 0 not at all; where it was given a secret, takes only what is signed with it
    (C19)."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        told = self.server.told.get(self.path, 204)  # type: ignore[attr-defined]
        if isinstance(told, str):
            told = 204 if self.headers[PAGE_SIGNATURE] == Signer(told).page_signature(body) else 401
        if told == 0:
            self.close_connection = True
            return
        self.send_response(told)
        self.send_header("content-length", "0")
        self.end_headers()


class Desk:
    def __init__(self, world: World, origin: str, told: dict[str, int | str]) -> None:
        self.world, self.origin, self.told = world, origin, told
        self.browser = Browser(world).sign_in(world.key)

    def subscribe(self, path: str, **given: Any) -> str:
        body = {"url": f"{self.origin}{path}", "name": path.strip("/"), "status": "active", "retryDelays": [], **given}
        return str(self.world.create_subscription(**body)["id"])

    def send(self, path: str, form: Any) -> str:
        answer = self.browser.post(f"{ROOT}{path}", form)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.body.decode()

    def wait_for(self, status: str, subscription: str) -> None:
        path = f"/v1/subscriptions/{subscription}/deliveries?status={status}"
        self.world.wait_until(lambda: self.world.get(path).ok()["data"])


@pytest.fixture
def desk(make_world: Callable[..., World]) -> Iterator[Desk]:
    server: Any = LocalServer(("127.0.0.1", 0), Receiver)
    server.told = {}
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    yield Desk(make_world(allow_targets=parse_allow_targets(origin)), origin, server.told)
    server.shutdown()
    server.server_close()


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


# --- A new endpoint ---------------------------------------------------------------------------------------------------


def test_a_test_before_anything_is_saved_is_signed_with_the_secret_that_is_shown_and_then_kept(desk: Desk) -> None:
    """C19, C20: an endpoint that verifies can pass it."""
    form = next(each for each in forms_of(desk.browser.open(f"{ROOT}/subscriptions/new")) if "test" in each.buttons)
    shown = dict(form.fields)["secret"]
    assert shown.startswith("whsec_")
    assert len(shown) == len("whsec_") + 44
    desk.told["/new"] = shown
    url = {"url": [f"{desk.origin}/new"]}
    said = desk.browser.post(f"{ROOT}/subscriptions/new", _form(form.pressed("test", url))).body.decode()
    assert "The test arrived" in said
    again = next(each for each in forms_of(said) if "activate" in each.buttons)
    assert dict(again.fields)["secret"] == shown
    made = desk.browser.post(f"{ROOT}/subscriptions/new", _form(again.pressed("activate")))
    assert "Events go there from now on." in desk.browser.open(made.headers["location"])
    desk.world.create_document()
    [subscription] = desk.world.get("/v1/subscriptions?name=127").ok()["data"]
    desk.wait_for("delivered", subscription["id"])
    assert shown not in desk.browser.open(f"{ROOT}/subscriptions/{subscription['id']}")


def test_no_two_people_are_shown_the_same_secret(desk: Desk) -> None:
    asked = [desk.browser.get(f"{ROOT}/subscriptions/new", signalpost_told="0").body.decode() for _ in range(2)]
    one, other = (re.search(r'name="secret"[^>]*value="(whsec_[^"]+)"', text) for text in asked)
    assert one
    assert other
    assert one[1] != other[1]


def test_a_test_whose_secret_was_emptied_makes_one_and_shows_it(desk: Desk) -> None:
    given = {"do": "test", "url": f"{desk.origin}/x", "type": "documentCreated", "secret": ""}
    said = desk.send("/subscriptions/new", given)
    assert re.search(r'name="secret"[^>]*value="whsec_', said)


def _form(sent: list[tuple[str, str]]) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in sent:
        form.setdefault(name, []).append(value)
    return form


def test_an_endpoint_that_got_nothing_is_not_said_to_take_what_is_sent(desk: Desk) -> None:
    made = desk.subscribe("/quiet")
    page = text_of(desk.browser.open(f"{ROOT}/subscriptions/{made}"))
    assert "Nothing was sent there yet." in page
    assert "takes what is sent" not in page
    guest = Guest(desk.world).enter()
    assert "Nothing was sent there yet." in text_of(guest.open(f"{PORTAL}/subscriptions/{made}"))
    desk.world.create_document()
    desk.wait_for("delivered", made)
    for text in (desk.browser.open(f"{ROOT}/subscriptions/{made}"), guest.open(f"{PORTAL}/subscriptions/{made}")):
        assert "Its endpoint takes what is sent." in text_of(text)


# --- One that fails, is paused, is mended -----------------------------------------------------------------------------


def test_one_that_fails_leads_to_why_also_while_its_latest_events_just_wait(desk: Desk) -> None:
    own = desk.subscribe("/why", retryDelays=[])
    desk.told["/why"] = 401
    path = f"/v1/subscriptions/{own}"

    def fails() -> bool:
        desk.world.create_document()
        return bool(desk.world.get(path).ok()["health"]["state"] == "failing")

    def latest_wait() -> bool:
        for _ in range(10):
            desk.world.create_document()
        latest = desk.world.get(f"{path}/deliveries?limit=10").ok()["data"]
        return len(latest) == 10 and all(each["status"] == "pending" for each in latest)

    desk.world.wait_until(fails)
    desk.world.wait_until(latest_wait)
    for page in (
        desk.browser.open(f"{ROOT}/subscriptions/{own}"),
        Guest(desk.world).enter().open(f"{PORTAL}/subscriptions/{own}"),
    ):
        [why] = re.findall(rf'/subscriptions/{own}/deliveries/([^"]+)">See why', page)
        assert desk.world.get(f"{path}/deliveries/{why}").ok()["status"] == "failed"


def test_one_that_was_just_paused_is_not_said_to_be_so_since_it_fails(desk: Desk) -> None:
    desk.told["/down"] = 500
    made = desk.subscribe("/down")
    desk.world.create_document()
    desk.wait_for("failed", made)
    path = f"{ROOT}/subscriptions/{made}"
    assert re.search(r"Failing for (less than a second|\d)", text_of(desk.browser.open(path)))
    desk.world.send("PATCH", f"/v1/subscriptions/{made}", {"status": "paused"}).ok()
    for text in (desk.browser.open(path), Guest(desk.world).enter().open(f"{PORTAL}/subscriptions/{made}")):
        assert "Paused. Events wait until it is resumed." in text_of(text)
        assert "Paused for" not in text_of(text)


def test_who_skips_a_backlog_is_told_what_that_ends_and_of_no_replay_that_would_send_it(desk: Desk) -> None:
    """A replay leaves out what its subscription never took in."""
    made = desk.subscribe("/skipped", status="paused")
    for _ in range(2):
        desk.world.create_document()
    question = desk.browser.get(f"{ROOT}/subscriptions/{made}").body.decode()
    assert "Skip 2 events? They are not sent, and replays that run are cancelled." in question
    assert desk.browser.post(f"{ROOT}/subscriptions/{made}", {"do": "skip"}).status == 303
    replay = {"from": "2020-01-01T00:00:00Z", "status": "all", "dryRun": True}
    assert desk.world.send("POST", f"/v1/subscriptions/{made}/replays", replay).ok()["count"] == 0


def test_what_has_never_worked_is_not_said_to_fail_again(desk: Desk) -> None:
    desk.told["/never"] = 500
    made = desk.subscribe("/never")
    desk.world.create_document()
    desk.wait_for("failed", made)
    said = desk.world.wait_until(lambda: desk.world.get("/v1/overview").ok()["attention"])
    assert [each["detail"] for each in said] == [
        "Its last attempt failed. 1 event was given up. A replay sends them again."
    ]


def test_a_mended_endpoint_is_ticked_once_a_test_shows_that_it_is(desk: Desk) -> None:
    desk.told |= {"/mended": 503, "/broken": 503}
    mended, broken = desk.subscribe("/mended"), desk.subscribe("/broken")
    desk.world.create_document()
    for each in (mended, broken):
        desk.wait_for("failed", each)
    del desk.told["/mended"]
    plan = {"do": "plan", "from": "2020-01-01T00:00", "to": "2100-01-01T00:00", "status": "failed"}
    counted = desk.send("/replays", plan)
    assert ticked_in(counted) == set()
    assert text_of(counted).count("its last attempt failed") == 2
    assert "still fails" not in counted
    tested = desk.send("/replays", {**plan, "do": "test"})
    assert "it has just taken a test" in tested
    assert "a test has just failed" in tested
    assert ticked_in(tested) == {mended}
    assert ticked_in(desk.send("/replays", {**plan, "subscription": broken})) == {broken}, "it was asked for"


def test_what_was_counted_stays_when_nothing_is_ticked(desk: Desk) -> None:
    desk.told["/down"] = 503
    made = desk.subscribe("/down")
    desk.world.create_document()
    desk.wait_for("failed", made)
    span = {"from": "2020-01-01T00:00", "to": "2100-01-01T00:00", "status": "failed", "document": ""}
    said = desk.send("/replays", {"do": "start", **span})
    assert "Nothing was sent: tick at least one of them." in text_of(said)
    assert f'value="{made}"' in said
    assert "1 delivery to 1 subscription" in text_of(said)
    assert desk.world.get("/v1/replays").ok()["data"] == []


def ticked_in(page: str) -> set[str]:
    return set(re.findall(r'name="to_subscription" value="([^"]+)" checked', page))


# --- Numbers and others -----------------------------------------------------------------------------------------------


def test_the_overview_counts_every_subscription_once(desk: Desk) -> None:
    desk.told["/down"] = 500
    for path in ("/a", "/b", "/down"):
        desk.subscribe(path)
    for path in ("/c", "/d"):
        desk.subscribe(path, status="paused")
    desk.world.create_document()
    desk.world.wait_until(lambda: desk.world.get("/v1/overview").ok()["subscriptions"]["failing"] == 1)
    said = text_of(desk.browser.open(ROOT))
    assert "5 subscriptions: 2 healthy, 1 failing, 2 paused." in said


def test_a_subscription_that_was_made_later_is_not_said_not_to_want_an_event(desk: Desk) -> None:
    first = desk.subscribe("/first")
    other = desk.subscribe("/other", eventTypes=["documentDeleted"])
    desk.world.create_document()
    event = desk.world.events()[-1]["event"]["id"]
    later = desk.subscribe("/later")
    text = desk.browser.open(f"{ROOT}/subscriptions/{first}/deliveries/{event}")
    [(_, of_other)], [(_, of_later)] = (
        re.findall(rf'subscriptions/({each})">[^<]+</a><span[^>]*>([^<]+)<', text) for each in (other, later)
    )
    assert (of_other, of_later) == ("not wanted there", "subscribed later")


def test_nothing_is_said_to_arrive_where_nothing_is_sent(desk: Desk) -> None:
    made = desk.subscribe("/a", status="paused")
    desk.world.create_document()
    event = desk.world.events()[-1]["event"]["id"]
    said = text_of(desk.browser.open(ROOT))
    assert "Nothing needs you 1 subscription: 1 paused." in said
    assert "Nothing was sent in the last hour." in said
    assert "Everything arrives" not in said
    asked = Guest(desk.world).enter(can=["retry"]).open(f"{PORTAL}/subscriptions/{made}/deliveries/{event}")
    assert ("Send now" in asked, "Send again" in asked) == (True, False)


def test_what_arrived_after_it_was_sent_again_says_so(desk: Desk) -> None:
    desk.told["/late"] = 503
    made = desk.subscribe("/late", retryDelays=[1])
    desk.world.create_document()
    desk.wait_for("failed", made)
    event = desk.world.events()[-1]["event"]["id"]
    path = f"/v1/subscriptions/{made}/deliveries/{event}"
    del desk.told["/late"]
    assert desk.world.send("POST", f"{path}/retry").status == 202
    desk.wait_for("delivered", made)
    assert desk.world.get(path).ok()["cause"]["detail"].endswith(", after somebody had it sent again.")


def test_a_test_that_was_answered_is_not_said_not_to_arrive(desk: Desk) -> None:
    desk.told["/refuses"] = 401
    path = f"/subscriptions/{desk.subscribe('/refuses')}"
    new = {"do": "test", "url": f"{desk.origin}/refuses", "type": "documentCreated", "secret": ""}
    guest = Guest(desk.world).enter(can=["test"]).post(f"{PORTAL}{path}", {"do": "test"}).body.decode()
    for said in (desk.send(path, {"do": "test"}), desk.send("/subscriptions/new", new), guest):
        assert "The endpoint did not take the test" in said
        assert "did not arrive" not in said


def test_why_no_answer_came_is_said_in_words_in_lists_and_on_pages(desk: Desk) -> None:
    desk.told["/closes"] = 0
    path = f"/subscriptions/{desk.subscribe('/closes')}"
    desk.world.create_document()
    desk.wait_for("failed", path.rpartition("/")[2])
    event = desk.world.events()[-1]["event"]["id"]
    guest = Guest(desk.world).enter(can=["test"])
    for visitor, root in ((desk.browser, ROOT), (guest, PORTAL)):
        for page in ("/deliveries", f"{path}/deliveries/{event}"):
            said = text_of(visitor.open(f"{root}{page}"))
            assert "Connection closed early" in said
            assert " reset " not in said


def test_every_reason_for_no_answer_has_words() -> None:
    assert WITHOUT_ANSWER.keys() == set(Failure)


def test_tables_about_one_event_or_document_do_not_repeat_it_in_each_row(desk: Desk) -> None:
    desk.subscribe("/a", status="paused")
    document = desk.world.create_document(title="Said once")["externalId"]
    event = desk.world.events()[-1]["event"]["id"]
    heads = {
        path: re.findall("<th[^>]*>([^<]+)</th>", desk.browser.open(f"{ROOT}{path}").partition('id="deliveries"')[2])
        for path in ("/deliveries", f"/documents/{document}", f"/events/{event}")
    }
    assert [("Document" in each, "Event" in each) for each in heads.values()] == [
        (True, True), (False, True), (False, False),
    ]  # fmt: skip


def test_pages_about_a_vendor_do_not_say_that_the_event_is_what_was_sent(desk: Desk) -> None:
    config = {"signIn": {"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/canary"}}
    connection = desk.world.send("POST", "/v1/connections", {"kind": "slack", "config": config}).ok(201)["id"]
    given = {"kind": "slack", "connection": connection, "config": {"text": "New"}, "status": "paused"}
    made = desk.world.send("POST", "/v1/subscriptions", {**given, "eventTypes": ["documentCreated"]}).ok(201)["id"]
    hook = desk.subscribe("/hook", status="paused")
    desk.world.create_document()
    event = desk.world.events()[-1]["event"]["id"]
    guest = Guest(desk.world).enter(can=["payload"])
    for visitor, root in ((desk.browser, ROOT), (guest, PORTAL)):
        of_slack = f"{root}/subscriptions/{made}/deliveries/{event}"
        of_hook = of_slack.replace(made, hook)
        assert "The event" in (said := text_of(visitor.open(of_slack)))
        assert "What is sent is made of this" in said
        assert "What is sent is made of this" not in text_of(visitor.open(of_hook))
        assert "It does not show what those requests said" in text_of(visitor.open(f"{of_slack}/evidence"))
        assert "It shows what was sent from here" in text_of(visitor.open(f"{of_hook}/evidence"))


def test_what_marks_mean_is_said_only_where_there_are_some(desk: Desk) -> None:
    """A delivery that made no request has no timings to explain."""
    made = desk.subscribe("/waits", status="paused")
    desk.told["/refuses"] = 500
    other = desk.subscribe("/refuses")
    desk.world.create_document()
    desk.wait_for("failed", other)
    event = desk.world.events()[-1]["event"]["id"]
    assert "fill-connect" not in desk.browser.open(f"{ROOT}/subscriptions/{made}/deliveries/{event}")
    assert "fill-connect" in desk.browser.open(f"{ROOT}/subscriptions/{other}/deliveries/{event}")


# --- The portal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("can", cases([None, *Capability], [None, Capability.REPLAY, Capability.EDIT]))
def test_the_portal_offers_only_what_the_link_allows(desk: Desk, can: Capability | None) -> None:
    desk.told["/429"] = 429
    office = Office(desk.world, desk.origin)
    allowed = [] if can in (None, Capability.VIEW) else [can]
    paths = [path for _, _, path in office.pages() if path.startswith(PORTAL)]
    guest = office.guest = Guest(desk.world).enter(can=allowed)
    followed: set[str] = set()
    for path in paths:
        answer = guest.get(path)
        assert answer.status in (200, 403), path
        text = answer.body.decode()
        if can is not Capability.EDIT:
            assert "Resume it" not in text, path
        if answer.status == 200:
            for to, form in office.forms(path):
                for do in form.buttons:
                    typed = {"body": ["{}"]} if "body" in form.types else {}  # which a browser asks for
                    assert office.send(to, form.pressed(do, typed)).status != 403, (to, do)
            for link in {*re.findall(rf'href="({PORTAL}[^"?]*)', text)} - followed:
                assert guest.get(link).status != 403, (path, link)
                followed.add(link)
