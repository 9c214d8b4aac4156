"""Who gets into the console: a key or a link that works once, a session of one's own, and no one from another site."""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from gateway.tests.api.test_live import Viewer
from gateway.tests.console.conftest import Browser, Shop
from gateway.tests.sqlite_file import database_file

from signalpost.domain.access.api_key import hash_key
from signalpost.domain.access.sign_in import hash_token
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite.connect import rows

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

NAVIGATES = {"sec_fetch_dest": "document", "sec_fetch_mode": "navigate", "sec_fetch_site": "none"}


def link(shop: Shop) -> str:
    made = shop.world.send("POST", "/v1/console-links").ok(201)
    return str(made["url"]).partition("/console/")[1] + str(made["url"]).partition("/console/")[2]


def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_then_to_the_page_that_was_asked_for(shop: Shop) -> None:
    browser = Browser(shop.world)
    answer = browser.get("/console/t/default/deliveries?status=failed")
    assert answer.status == 303
    to_sign_in = answer.headers["location"]
    assert to_sign_in.startswith("/console/sign-in?to=")
    answer = browser.post(to_sign_in, {"key": shop.keys["viewer"]})
    assert (answer.status, answer.headers["location"]) == (303, "/console/t/default/deliveries?status=failed")


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "/console", "javascript:alert(1)"])
def test_nobody_is_led_away_after_signing_in(shop: Shop, to: str) -> None:
    answer = Browser(shop.world).post(f"/console/sign-in?to={to}", {"key": shop.keys["viewer"]})
    assert answer.headers["location"] == "/console/t/default"


@pytest.mark.parametrize("key", ["", "sp_" + "x" * 43, "nonsense\x00"])
def test_a_wrong_key_signs_nobody_in(shop: Shop, key: str) -> None:
    browser = Browser(shop.world)
    answer = browser.post("/console/sign-in", {"key": key})
    assert answer.status == 401
    assert b"unknown" in answer.body
    assert browser.cookie is None


def test_a_session_begins_anew_at_each_sign_in_and_ends_at_sign_out(shop: Shop) -> None:
    browser = Browser(shop.world)
    browser.cookie = "chosen-by-somebody-else"
    browser.sign_in(shop.keys["operator"])
    first = browser.cookie
    assert first != "chosen-by-somebody-else"
    browser.sign_in(shop.keys["operator"])
    assert browser.cookie != first
    kept = browser.cookie
    for ended in (first, "chosen-by-somebody-else"):
        browser.cookie = ended
        assert browser.get("/console/t/default").status == 303
    browser.cookie = kept
    assert browser.post("/console/sign-out", {}).status == 303
    browser.cookie = kept
    assert browser.get("/console/t/default").status == 303


def test_nobodys_form_is_waited_for_where_a_session_is_needed(shop: Shop) -> None:
    """A client without a session is answered before its form has arrived."""
    for path in ("/console/sign-out", "/console/account", "/console/t/default/keys"):
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\ncontent-length: 9\r\n\r\n"
        assert shop.world.raw(head.encode() + b"d").startswith(b"HTTP/1.1 303 "), path


def test_a_session_ends_with_its_key(shop: Shop) -> None:
    made = shop.world.send("POST", "/v1/keys", {"name": "short", "role": "viewer"}).ok(201)
    browser = Browser(shop.world).sign_in(made["key"])
    browser.open("/console/t/default")
    assert shop.world.send("DELETE", f"/v1/keys/{made['id']}").status == 204
    assert browser.get("/console/t/default").headers["location"].startswith("/console/sign-in")


def test_a_link_signs_in_once(shop: Shop) -> None:
    path = link(shop)
    browser = Browser(shop.world)
    assert browser.get(path, **NAVIGATES).status == 303
    browser.open("/console/t/default")
    assert Browser(shop.world).get(path, **NAVIGATES).status == 410


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_signs_nobody_in_by_a_link_without_a_click(shop: Shop, site: str) -> None:
    """A person would type their secrets into a session that the other site has, too."""
    path, browser = link(shop), Browser(shop.world)
    asked = browser.get(path, **{**NAVIGATES, "sec_fetch_site": site})
    assert asked.status == 200
    assert b"<button" in asked.body
    assert browser.cookie is None
    assert browser.post(path, {}).status == 303


def test_what_fetches_a_link_ahead_of_a_person_does_not_use_it_up(shop: Shop) -> None:
    path = link(shop)
    for ahead in ({}, {**NAVIGATES, "sec_purpose": "prefetch"}, {"sec_fetch_dest": "empty", "sec_fetch_mode": "cors"}):
        early = Browser(shop.world)
        answer = early.get(path, **ahead)
        assert answer.status == 200
        assert early.cookie is None
    person = Browser(shop.world)
    assert person.post(path, {}).status == 303
    person.open("/console/t/default")


def test_a_link_for_something_else_signs_nobody_in_and_is_not_used_up(shop: Shop) -> None:
    token, now = "portal", time.time_ns() // 1000
    ground = (hash_token(token), "portal", "key", "operator", hash_key(shop.world.key))
    with contextlib.closing(apsw.Connection(str(database_file(shop.world.settings.data_dir)))) as database:
        database.execute("INSERT INTO sign_in_link VALUES (?, ?, ?, ?, ?, ?)", (*ground, now + 60 * SECOND))
        times = (now, now + 60 * SECOND, now, now)
        columns = "hash, purpose, ground_kind, ground_id, proof, began_at, ends_at, proved_at, used_at"
        database.execute(f"INSERT INTO session ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*ground, *times))
        assert Browser(shop.world).post(f"/console/enter/{token}", {}).status == 410
        assert rows(database, "SELECT count(*) FROM sign_in_link WHERE purpose = 'portal'") == [(1,)]
    browser = Browser(shop.world)
    browser.cookie = token
    assert browser.get("/console/t/default").headers["location"].startswith("/console/sign-in")


def test_a_link_is_worth_no_more_than_the_key_that_made_it(shop: Shop) -> None:
    made = shop.world.send("POST", "/v1/keys", {"name": "short", "role": "operator"}).ok(201)
    asked = shop.world.send("POST", "/v1/console-links", headers={"authorization": f"Bearer {made['key']}"}).ok(201)
    assert shop.world.send("DELETE", f"/v1/keys/{made['id']}").status == 204
    path = asked["url"].partition("/console/")
    assert Browser(shop.world).post(f"/console/{path[2]}", {}).status == 410


def test_signing_out_everywhere_ends_every_session_of_the_key_and_no_other(shop: Shop) -> None:
    mine, elsewhere, other = shop.browser("viewer"), shop.browser("viewer"), shop.browser("subscriber")
    kept = mine.cookie
    assert mine.post("/console/sign-out", {"everywhere": "yes"}).status == 303
    mine.cookie = kept
    for ended in (mine, elsewhere):
        assert ended.get("/console/t/default").headers["location"].startswith("/console/sign-in")
    other.open("/console/t/default")


def test_who_signed_in_and_out_and_who_was_refused_is_told_by_the_audit(shop: Shop) -> None:
    made = shop.world.send("POST", "/v1/keys", {"name": "told", "role": "viewer"}).ok(201)
    Browser(shop.world).sign_in(made["key"]).post("/console/sign-out", {})
    shop.world.send("DELETE", f"/v1/keys/{made['id']}")
    assert Browser(shop.world).post("/console/sign-in", {"key": made["key"]}).status == 401

    def told() -> list[dict[str, Any]]:
        return list(shop.world.get(f"/v1/audit?actor={made['id']}").ok()["data"])

    shop.world.wait_until(lambda: len(told()) == 3)
    begun, ended, refused = told()
    assert (begun["action"], begun["changes"]) == ("session.begin", {"by": {"old": None, "new": "key"}})
    assert ended["action"] == "session.end"
    assert refused["outcome"] == "refused"
    assert all(entry["source"] == "127.0.0.1" for entry in (begun, ended, refused))
    assert made["key"] not in str(told())


def test_the_api_takes_no_cookie(shop: Shop) -> None:
    assert shop.browser().get("/v1/subscriptions").status == 401


@pytest.mark.parametrize(
    "sent",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": None},
        {"sec_fetch_site": None, "origin": "https://evil.example"},
        {"sec_fetch_site": None, "origin": "null"},
    ],
)
def test_another_sites_form_changes_nothing(shop: Shop, sent: dict[str, str | None]) -> None:
    browser, path = shop.browser(), f"/console/t/default/subscriptions/{shop.subscription}"
    assert browser.post(path, {"do": "delete", "key": "k"}, **sent).status == 403
    browser.open(path)


def test_a_browser_without_fetch_metadata_is_known_by_its_origin(shop: Shop) -> None:
    browser = Browser(shop.world)
    origin = f"http://127.0.0.1:{shop.world.port}"
    given = {"key": shop.keys["viewer"]}
    assert browser.post("/console/sign-in", given, sec_fetch_site=None, origin=origin).status == 303


def test_a_page_over_plain_http_sends_no_form_to_a_gateway_behind_https(
    make_world: "Callable[..., World]",
) -> None:
    """An attacker between the browser and the gateway can write any page that comes over plain HTTP."""
    world = make_world(public_url="https://gateway.example.com")
    sent = {"sec_fetch_site": None, "host": "gateway.example.com"}
    form = {"key": world.key}
    assert Browser(world).post("/console/sign-in", form, **sent, origin="http://gateway.example.com").status == 403
    assert Browser(world).post("/console/sign-in", form, **sent, origin="https://gateway.example.com").status == 303
    local = f"https://127.0.0.1:{world.port}"
    assert Browser(world).post("/console/sign-in", form, sec_fetch_site=None, origin=local).status == 303


def test_a_request_that_the_listener_refuses_is_answered_with_a_page_that_says_why(shop: Shop) -> None:
    head = (
        "POST /console/sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 1"
    )
    answer = shop.world.raw(f"{head}\r\n\r\nx".encode()).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "<h1>Refused</h1>" in answer
    assert "A request with a body cannot ask for another protocol." in answer


def test_a_name_that_somebody_else_points_here_is_not_the_gateways(shop: Shop) -> None:
    browser = shop.browser()
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        answer = browser.get("/console/t/default", host=host)
        assert answer.status == 421
        assert b"PUBLIC_URL" in answer.body
    assert browser.get("/console/t/default", host="localhost:1234").status == 200


# --- What no browser of a person's sends ------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["/console/t/x%0d%0aset-cookie: a=b", "/console/t/%E6%BC%A2", "/console/t/ x"])
def test_where_to_go_on_is_no_way_to_write_headers(shop: Shop, to: str) -> None:
    answer = Browser(shop.world).post(f"/console/sign-in?to={to.replace(' ', '%20')}", {"key": shop.keys["viewer"]})
    assert (answer.status, answer.headers["location"]) == (303, "/console/t/default")


def test_a_form_that_cannot_be_read_is_refused_in_words(shop: Shop) -> None:
    browser = shop.browser()
    answer = browser.post("/console/t/default/keys", {str(number): "" for number in range(1_001)})
    assert answer.status == 400
    assert b"<h1>" in answer.body
    head = (
        f"POST /console/sign-in HTTP/1.1\r\nhost: 127.0.0.1:{shop.world.port}\r\nsec-fetch-site: same-origin\r\n"
        "content-length: 10\r\n\r\nkey="
    )
    assert shop.world.raw(head.encode(), hang_up=True).startswith(b"HTTP/1.1 400 ")


def test_a_request_that_the_listener_refused_is_not_answered_with_a_page(shop: Shop) -> None:
    head = f"GET /console HTTP/1.1\r\nhost: 127.0.0.1:{shop.world.port}\r\nx: {'y' * 100_000}\r\n\r\n"
    assert shop.world.raw(head.encode()).startswith(b"HTTP/1.1 431 ")


def test_where_a_browser_would_not_keep_the_cookie_the_page_says_what_to_do(shop: Shop) -> None:
    for path in ("/console/sign-in", "/console/enter/x"):
        answer = Browser(shop.world).get(path, host="192.0.2.7:8080")
        assert answer.status == 400
        assert b"HTTPS" in answer.body


def test_a_stream_of_changes_ends_with_the_session(shop: Shop) -> None:
    world = shop.world
    browser = Browser(world).sign_in(world.key)
    with Viewer(world, f"cookie: __Host-signalpost={browser.cookie}", path="/console/t/default/live", key="") as viewer:
        assert viewer.next() == set()
        browser.post("/console/sign-out", {})
        while viewer.next() is not None:
            pass
    assert browser.get("/console/t/default/live").status == 303
