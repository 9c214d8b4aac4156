"""A support team's day by the Tab and the Enter key alone, with and without scripts; keys that are shortcuts, and how
to turn them off; and the pages of that day on paper."""

from collections.abc import Iterator

import pytest
from gateway.tests.console.test_browser import Desk, Visit, desk, pytestmark, visit

__all__ = ["desk", "pytestmark", "visit"]
PAPER = 794
"""Pixels across a page of A4."""


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def at_keys(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A person who has no mouse."""
    made = Visit(desk, java_script_enabled=request.param)
    yield made
    made.context.close()
    assert (made.clicks, made.trouble) == (0, [])


def test_anything_wrong_is_seen_and_looked_into(at_keys: Visit) -> None:
    at_keys.sees("need you")
    at_keys.chooses("See why")
    at_keys.sees("What happened")


def test_why_an_event_did_not_arrive_is_found_by_its_id(desk: Desk, at_keys: Visit) -> None:
    at_keys.types(desk.event, into="#find")
    at_keys.page.keyboard.press("Enter")
    at_keys.page.wait_for_url("**/find?q=*")
    at_keys.chooses("to Acme Legal")
    at_keys.sees("The endpoint does not accept our signature")
    at_keys.goes_to("summary")
    at_keys.page.keyboard.press("Enter")
    at_keys.page.locator("#attempt-1").get_by_text("plexus-webhook-signature").wait_for()


def test_a_new_endpoint_is_tested_and_activated(desk: Desk, at_keys: Visit) -> None:
    at_keys.chooses("New subscription")
    at_keys.sees("It gets every event from now on")
    at_keys.types("ftp://nowhere", into="input[name=url]")
    at_keys.chooses("Send a test")
    at_keys.sees("Nothing was saved. Mend what is named here")
    at_keys.page.locator("input[name=url]:focus").wait_for()  # what is wrong has the focus
    at_keys.page.keyboard.press("ControlOrMeta+a")
    at_keys.page.keyboard.type(f"{desk.origin}/acme")
    at_keys.chooses("Send a test")
    at_keys.sees("Code that verifies")  # since the signature was refused
    at_keys.types(f"{desk.origin}/by-keys", into="input[name=url]")
    at_keys.chooses("Send a test")
    at_keys.sees("The test arrived")
    at_keys.chooses("Activate")
    at_keys.sees("Events go there from now on.")
    [made] = [each for each in desk.world.get("/v1/subscriptions").ok()["data"] if "/by-keys" in each["url"]]
    desk.world.send("DELETE", f"/v1/subscriptions/{made['id']}")


def test_what_failed_is_sent_again(desk: Desk, at_keys: Visit) -> None:
    subscription = desk.subscribe("/lame", "Zulu, which was lame")
    desk.answers["/lame"] = (503, b"down")
    desk.world.create_document(title="Sent again by keys")
    desk.wait_for("failed", subscription, 1)
    del desk.answers["/lame"]
    at_keys.open("")
    at_keys.chooses("Send again …")
    at_keys.sees("First see what would be sent")
    at_keys.goes_to("select[name=subscription]")
    at_keys.page.keyboard.press("z")  # the only one that begins so
    at_keys.chooses("Count")
    at_keys.sees("1 delivery to 1 subscription")
    box = at_keys.page.locator("input[name=to_subscription]")
    if not box.is_checked():  # it failed a moment ago, so nobody knows yet that it is well again
        at_keys.goes_to("input[name=to_subscription]")
        at_keys.page.keyboard.press("Space")
    at_keys.chooses("Send them again")
    at_keys.sees("It is being sent again")
    desk.world.wait_until(lambda: desk.deliveries("delivered", subscription))
    desk.world.send("DELETE", f"/v1/subscriptions/{subscription}")


def test_a_secret_is_rotated_seen_to_work_and_the_old_one_ended(desk: Desk, at_keys: Visit) -> None:
    subscription = desk.subscribe("/fine", "Rotated by keys")
    at_keys.open("")
    at_keys.types("Rotated by", into="#find")
    at_keys.page.keyboard.press("Enter")
    at_keys.page.wait_for_url(f"**/subscriptions/{subscription}")  # the only one that is called so
    at_keys.chooses("Secret and headers")
    at_keys.sees("has the fingerprint")
    at_keys.chooses("Rotate the secret")
    at_keys.page.locator("#secret").wait_for()
    at_keys.chooses("Test the new secret")
    at_keys.sees("The endpoint accepts the new secret")
    at_keys.chooses("End the old secret now")
    at_keys.page.get_by_text("Whoever still verifies with it refuses everything").wait_for()
    at_keys.goes_to(".ask button", "End the old secret now")
    at_keys.page.keyboard.press("Enter")
    at_keys.sees("The new secret is the only one now.")
    desk.world.send("DELETE", f"/v1/subscriptions/{subscription}")


def test_what_ends_somebodys_access_is_asked_first(desk: Desk, at_keys: Visit) -> None:
    key = desk.world.send("POST", "/v1/keys", {"name": "A <b>robot</b>", "role": "viewer"}).ok(201)["key"]
    at_keys.open("/keys")
    at_keys.goes_to("tr:has-text('robot') button", "Revoke")
    at_keys.page.keyboard.press("Enter")
    at_keys.page.get_by_text("Revoke the key A <b>robot</b>? Whoever uses it is refused at once.").wait_for()
    at_keys.page.locator("button:focus", has_text="No, leave it").wait_for()
    at_keys.page.keyboard.press("Enter")
    at_keys.page.locator("button:focus", has_text="Revoke").wait_for()
    desk.world.get("/v1/events", authorization=f"Bearer {key}").ok()
    at_keys.page.keyboard.press("Enter")
    at_keys.goes_to(".ask button", "Revoke")
    at_keys.page.keyboard.press("Enter")
    at_keys.sees("The key is revoked")
    assert desk.world.get("/v1/events", authorization=f"Bearer {key}").status == 401


def test_keys_that_are_shortcuts_can_be_turned_off_and_on(visit: Visit) -> None:
    """WCAG 2.1.4: a person who speaks to the computer must not set off a dozen of them with a word."""
    visit.page.get_by_role("button", name="Keys").click()
    visit.page.get_by_label("Use these keys in this browser").uncheck()
    visit.page.get_by_role("button", name="Close").click()
    for path in ("", "/events"):  # on later pages too
        visit.open(path)
        visit.page.keyboard.type("/?gd")
        assert visit.page.locator("#find:focus, dialog[open]").count() == 0
        assert visit.page.url == visit.root + path
    visit.page.get_by_role("button", name="Keys").click()
    visit.page.get_by_label("Use these keys in this browser").check()
    visit.page.keyboard.press("Escape")
    visit.page.keyboard.type("gr")
    visit.page.wait_for_url("**/replays")


def test_lists_are_walked_by_keys(desk: Desk, visit: Visit) -> None:
    for _ in range(60):
        desk.world.create_document(title="Many")
    visit.open("/events")
    visit.page.keyboard.press("]")
    visit.page.wait_for_url("**/events?before=*")
    visit.page.keyboard.press("j")
    visit.page.locator("#events a.row:focus").wait_for()
    visit.page.keyboard.press("[")
    visit.page.wait_for_url("**/events?")


def test_on_paper_the_days_pages_have_everything_and_no_frame(desk: Desk, visit: Visit) -> None:
    """What is folded on the screen is open on paper, and nothing is cut off at its edge."""
    subscription = desk.subscribe("/fine", "On paper")
    shows = {
        "": ["#needs", "#numbers", "#hour"],
        f"/find?q={desk.event}": ["main .rows"],
        f"/subscriptions/{desk.acme}/deliveries/{desk.event}": ["#why", "#attempt-1 pre", "#customer", "#as-curl pre"],
        "/subscriptions/new": ["input[name=header]"],
        "/replays": ["#replays"],
        f"/subscriptions/{desk.acme}": ["#health", "#numbers", "#latest"],
    }
    visit.page.set_viewport_size({"width": PAPER, "height": 1123})
    visit.page.emulate_media(media="print")
    for path, selectors in shows.items():
        visit.open(path)
        for selector in selectors:
            assert visit.page.locator(selector).first.is_visible(), (path, selector)
        assert not visit.page.locator(".side, .top, .bottom, button").filter(visible=True).count(), path
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= PAPER, path
    visit.open(f"/subscriptions/{subscription}")
    desk.world.send("POST", f"/v1/subscriptions/{subscription}/secret/rotate").ok()
    visit.page.reload()
    visit.sees("Two secrets sign until")
    visit.open(f"/subscriptions/{subscription}/secret")
    visit.sees("both sign until")
    desk.world.send("DELETE", f"/v1/subscriptions/{subscription}")
