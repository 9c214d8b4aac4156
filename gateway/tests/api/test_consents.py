"""A person's consent, from the first call to the grant that is kept, against a vendor on the loopback."""

import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

CANARY = "canary-of-a-refresh-token"
GRANT = {"access_token": "canary-of-an-access-token", "refresh_token": CANARY, "expires_in": 3600}


class Vendor(LocalServer):
    """Takes one code, and remembers how it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), VendorHandler)
        self.forms: list[dict[str, str]] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class VendorHandler(QuietHandler):
    """Answers at every path as a token endpoint does."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Vendor)
        form = {name: values[0] for name, values in parse_qs(self._body()).items()}
        self.server.forms.append(form)
        is_good = form.get("code") == "good"
        answer = json.dumps(GRANT if is_good else {"error": "invalid_grant"}).encode()
        self.reply(200 if is_good else 400, answer)

    def _body(self) -> str:
        return self.rfile.read(int(self.headers["content-length"])).decode()


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor() as vendor:
        thread = threading.Thread(target=vendor.serve_forever)
        thread.start()
        yield vendor
        vendor.shutdown()
        thread.join()


@pytest.fixture
def world(make_world: Callable[..., "World"], vendor: Vendor) -> "World":
    return make_world(allow_targets=parse_allow_targets(vendor.origin), public_url="https://gateway.example.com")


@pytest.fixture
def path(world: "World", vendor: Vendor) -> str:
    sign_in = {"with": "consent", "clientId": "client", "clientSecret": "canary-of-a-client-secret"}
    body = {"kind": "google_calendar", "config": {"signIn": sign_in, "standIn": vendor.origin}}
    made = world.send("POST", "/v1/connections", body).ok(201)
    assert made["state"] == "needs_consent"
    return f"/v1/connections/{made['id']}"


def begun(world: "World", path: str) -> tuple[dict[str, Any], str, dict[str, str]]:
    """What the gateway asks for, the browser's cookie, and the parameters with which it is sent to the vendor."""
    asked = world.send("POST", f"{path}/connect").ok()
    start = urlsplit(asked["url"])._replace(scheme="", netloc="").geturl()
    there = world.send("GET", start, None, {"authorization": None})
    assert there.status == 302
    cookie = there.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    sent = {name: values[0] for name, values in parse_qs(urlsplit(there.headers["location"]).query).items()}
    return asked, cookie.partition(";")[0], sent


def back(world: "World", query: str, cookie: str | None) -> Any:
    return world.send("GET", f"/oauth/callback?{query}", None, {"authorization": None, "cookie": cookie})


def test_a_person_lets_the_gateway_in(world: "World", vendor: Vendor, path: str) -> None:
    asked, cookie, sent = begun(world, path)
    assert sent["redirect_uri"] == "https://gateway.example.com/oauth/callback"
    assert (sent["state"], sent["response_type"], sent["code_challenge_method"]) == (asked["state"], "code", "S256")
    done = back(world, f"code=good&state={asked['state']}", cookie)
    assert done.status == 200, done.body
    assert done.headers["content-type"].startswith("text/html")
    form = vendor.forms[-1]
    assert form["redirect_uri"] == sent["redirect_uri"]
    digest = sha256(form["code_verifier"].encode()).digest()
    assert urlsafe_b64encode(digest).decode().rstrip("=") == sent["code_challenge"]
    shown = world.get(path)
    assert shown.ok()["state"] == "ready"
    assert b"canary" not in shown.body
    cut = world.send("POST", f"{path}/disconnect").ok()
    assert cut["state"] == "needs_consent"
    world.send("POST", f"{path}/disconnect").refused(409, code="not_connected")


def test_a_consent_comes_back_once_and_to_the_browser_that_asked(world: "World", vendor: Vendor, path: str) -> None:
    asked, cookie, _ = begun(world, path)
    good = f"code=good&state={asked['state']}"
    before = len(vendor.forms)
    for query, brought in (
        (good, None),
        (good, "signalpost-consent=" + "0" * 64),
        (f"code=good&state={asked['state'][:-2]}AA", cookie),
        ("code=good", cookie),
        ("", None),
        (f"{good}&iss=https://evil.example.com", cookie),
        (f"{good}&iss=https://accounts.google.com.evil.example.com", cookie),
        (f"{good}&iss=https://www.google.com", cookie),
        (f"{good}&iss=https://accounts.google.com/", cookie),
        (f"{good}&iss=", cookie),
        (f"state={asked['state']}", cookie),
    ):
        back(world, query, brought).refused(403, code="consent_refused")
    assert len(vendor.forms) == before
    assert back(world, f"{good}&iss=https://accounts.google.com", cookie).status == 200
    back(world, good, cookie).refused(403, code="consent_refused")
    assert len(vendor.forms) == before + 1


def test_whoever_does_not_agree_begins_again(world: "World", path: str) -> None:
    asked, cookie, _ = begun(world, path)
    back(world, f"error=access_denied&state={asked['state']}", cookie).refused(403, code="consent_denied")
    back(world, f"code=good&state={asked['state']}", cookie).refused(403, code="consent_refused")
    assert world.get(path).ok()["state"] == "needs_consent"


def test_a_code_can_be_pasted(world: "World", path: str) -> None:
    asked = world.send("POST", f"{path}/connect").ok()
    assert asked["authorizeUrl"].startswith("http")
    wrong = world.send("POST", f"{path}/connect", {"code": "bad", "state": asked["state"]})
    wrong.refused(409, code="consent_failed")
    asked = world.send("POST", f"{path}/connect").ok()
    mixed_up = {"code": "good", "state": asked["state"], "iss": "https://evil.example.com"}
    world.send("POST", f"{path}/connect", mixed_up).refused(403, code="consent_refused")
    asked = world.send("POST", f"{path}/connect").ok()
    assert world.send("POST", f"{path}/connect", {"code": "good", "state": asked["state"]}).ok()["connected"] is True
    assert world.get(path).ok()["state"] == "ready"


def test_what_needs_no_consent_asks_for_none(world: "World") -> None:
    config = {"signIn": {"with": "bot", "token": "xoxb-1"}}
    made = world.send("POST", "/v1/connections", {"kind": "slack", "config": config}).ok(201)
    world.send("POST", f"/v1/connections/{made['id']}/connect").refused(409, code="no_consent_needed")
