"""Signing in with an identity provider: members alone come in, in the browser that asked, by tokens that are good."""

import asyncio
import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest
from gateway.tests.api.conftest import Answer, World
from gateway.tests.fakes.identity_provider import CLIENT, CLIENT_SECRET, Claims, IdentityProvider, Key, unsigned
from gateway.tests.fakes.vendor import VendorRequest

from signalpost.console import identity_provider
from signalpost.console.identity_provider import AGAIN_AFTER, OidcClient
from signalpost.domain.access.identity import Disbelieved, Identity, Secret
from signalpost.domain.delivery.outcome import Outcome
from signalpost.domain.errors import StartError
from signalpost.domain.request import OutgoingRequest
from signalpost.engine.connectors.wire import VendorTransport
from signalpost.gateway import Gateway
from signalpost.sender.addresses import parse_allow_targets
from signalpost.settings import Settings

pytest.importorskip("joserfc", reason="SKIPPED: joserfc is not installed (make test does)")
PUBLIC = "https://gateway.example.com"


class Person:
    """A browser with cookies."""

    def __init__(self, office: "Office") -> None:
        self.office = office
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self.office.world.send("GET", path, None, {"authorization": None, "cookie": cookies or None})
        line = answer.headers.get("set-cookie")
        if line is not None:
            assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(line.split("; "))
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.split(";")[0]
        return answer

    def leaves(self, query: str = "") -> str:
        """Begins to sign in. Returns where the provider is."""
        answer = self.get(f"/console/oidc{query}")
        assert answer.status == 303, answer.body
        return answer.headers["location"]

    def comes_back(self, location: str) -> Answer:
        assert location.startswith(PUBLIC)
        return self.get(location.removeprefix(PUBLIC))

    def signs_in(self, subject: str, query: str = "") -> Answer:
        return self.comes_back(self.office.provider.sign_in(self.leaves(query), subject))

    def is_in(self) -> bool:
        return self.get("/console/t/default").status == 200


class Office:
    def __init__(self, world: World, provider: IdentityProvider) -> None:
        self.world = world
        self.provider = provider
        self._people = 0

    def member(self, role: str = "viewer") -> tuple[dict[str, Any], str]:
        """A person who was invited, and who they are at the provider."""
        self._people += 1
        subject, email = f"subject-{self._people}", f"person{self._people}@example.com"
        self.provider.person(subject, email)
        body = {"name": f"Person {self._people}", "email": email, "role": role}
        return self.world.send("POST", "/v1/members", body).ok(201), subject


@pytest.fixture(scope="module")
def office(make_world: Callable[..., World]) -> Iterator[Office]:
    with IdentityProvider().served() as provider:
        world = make_world(
            public_url=PUBLIC,
            oidc_issuer=provider.origin,
            oidc_client_id=CLIENT,
            oidc_client_secret=CLIENT_SECRET,
            allow_targets=parse_allow_targets(provider.origin),
        )
        yield Office(world, provider)


@pytest.fixture(autouse=True)
def _honest(office: Office) -> Iterator[None]:
    yield
    office.provider.tamper, office.provider.sign, office.provider.auth_time = (lambda claims: claims), None, None


def test_an_invited_person_comes_in_and_is_known_from_then_on(office: Office) -> None:
    made, subject = office.member("subscriber")
    person = Person(office)
    assert b"/console/oidc" in person.get("/console/sign-in").body
    answer = person.signs_in(subject, "?to=/console/t/default/deliveries")
    assert (answer.status, answer.headers["location"]) == (303, "/console/t/default/deliveries")
    assert person.is_in()
    shown = office.world.get(f"/v1/members/{made['id']}").ok()
    assert (shown["status"], shown["invitedUntil"]) == ("active", None)
    told = office.world.get(f"/v1/audit?actor={made['id']}").ok()["data"]
    assert [entry["action"] for entry in told] == ["member.join", "session.begin"]
    assert told[1]["changes"]["by"]["new"] == "oidc"
    again = Person(office)
    again.signs_in(subject)
    assert again.is_in()
    assert office.world.send("DELETE", f"/v1/members/{made['id']}").status == 204
    assert not again.is_in()
    assert again.signs_in(subject).status == 403


def test_nobody_comes_in_who_is_no_member(office: Office) -> None:
    office.provider.person("stranger", "stranger@example.com")
    person = Person(office)
    answer = person.signs_in("stranger")
    assert answer.status == 403
    assert b"stranger" not in answer.body
    assert not person.is_in()


def test_an_address_that_was_given_to_somebody_else_opens_nothing(office: Office) -> None:
    made, subject = office.member()
    assert Person(office).signs_in(subject).status == 303
    office.provider.person("its next owner", made["email"])
    assert Person(office).signs_in("its next owner").status == 403
    assert Person(office).signs_in(subject).status == 303


@pytest.mark.parametrize(
    "tampered",
    [
        {"iss": "https://another.example.com"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another client"]},
        {"azp": "another client"},
        {"exp": 1},
        {"exp": None},
        {"iat": 9_999_999_999},
        {"nonce": "another sign-in's"},
        {"nonce": None},
        {"sub": ""},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(office: Office, tampered: Claims) -> None:
    _, subject = office.member()
    office.provider.tamper = lambda claims: {**claims, **tampered}
    person = Person(office)
    assert person.signs_in(subject).status == 400
    assert not person.is_in()


def _signed_with_the_public_key(provider: IdentityProvider) -> Callable[[Claims], str]:
    def sign(claims: Claims) -> str:
        header = {"alg": "HS256", "kid": provider.keys[0].kid}
        part = unsigned(claims).split(".")[1]
        signed = urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=") + "." + part
        mac = hmac.digest(provider.keys[0].shown["n"].encode(), signed.encode(), hashlib.sha256)
        return signed + "." + urlsafe_b64encode(mac).decode().rstrip("=")

    return sign


def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(office: Office) -> None:
    _, subject = office.member()
    for sign in (unsigned, Key("first").sign, Key("unknown").sign, _signed_with_the_public_key(office.provider), str):
        office.provider.sign = sign
        person = Person(office)
        assert person.signs_in(subject).status == 400
        assert not person.is_in()


def test_an_answer_is_worth_nothing_in_another_browser_and_twice(office: Office) -> None:
    _, subject = office.member()
    person, other = Person(office), Person(office)
    back = office.provider.sign_in(person.leaves(), subject)
    assert other.comes_back(back).status == 400
    other.leaves()
    assert other.comes_back(back).status == 400
    assert not other.is_in()
    assert person.comes_back(back).status == 303
    assert person.is_in()
    assert person.cookies["__Host-signalpost"]
    assert Person(office).comes_back(back).status == 400


@pytest.mark.parametrize(
    "change",
    [
        lambda query: {**query, "state": "x"},
        lambda query: {**query, "iss": "https://another.example.com"},
        lambda query: {"error": "access_denied", "state": query["state"]},
        lambda query: {**query, "code": "never given"},
    ],
)
def test_an_answer_that_was_altered_lets_nobody_in(
    office: Office, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    _, subject = office.member()
    person = Person(office)
    back = urlsplit(office.provider.sign_in(person.leaves(), subject))
    query = urlencode(change(dict(parse_qsl(back.query))))
    assert person.comes_back(f"{PUBLIC}{back.path}?{query}").status in (400, 502)
    assert not person.is_in()


def test_nobody_is_led_away_after_it(office: Office) -> None:
    _, subject = office.member()
    for to in ("https://evil.example/", "//evil.example/", "/console/t/x%0d%0aset-cookie: a=b"):
        answer = Person(office).signs_in(subject, f"?to={to.replace(' ', '%20')}")
        assert answer.headers["location"] == "/console/t/default"


def test_what_is_risky_has_somebody_sign_in_again_who_showed_nothing_lately(office: Office) -> None:
    _, subject = office.member("operator")
    person = Person(office)
    person.signs_in(subject)
    form = b"do=create&key=k&name=risky&role=viewer"

    def make_key() -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        headers = {"authorization": None, "cookie": cookie, "sec-fetch-site": "same-origin"}
        return office.world.send("POST", "/console/t/default/keys", form, headers)

    assert b"/console/oidc?again=yes" in make_key().body
    where = person.leaves("?again=yes")
    assert dict(parse_qsl(urlsplit(where).query))["prompt"] == "login"
    office.provider.auth_time = int(time.time())
    person.comes_back(office.provider.sign_in(where, subject))
    assert b"sp_" in make_key().body


def test_a_provider_that_is_away_is_told_in_words(office: Office) -> None:
    _, subject = office.member()
    person = Person(office)
    back = office.provider.sign_in(person.leaves(), subject)
    office.provider.lose_answers()
    office.provider.sign = None
    answer = person.comes_back(back)
    assert answer.status == 502
    assert b"does not answer" in answer.body


def test_settings_that_are_not_complete_are_refused_at_the_start(tmp_path: Any) -> None:
    async def start() -> None:
        async with Gateway(Settings(data_dir=tmp_path, oidc_issuer="https://login.example.com")):
            pass

    with pytest.raises(StartError, match="OIDC_CLIENT_ID"):
        asyncio.run(start())


# --- Keys that change -------------------------------------------------------------------------------------------------


class Wire:
    """Hands requests to the fake without a network."""

    def __init__(self, provider: IdentityProvider) -> None:
        self._provider = provider

    def send(self, request: OutgoingRequest, done: Callable[[Outcome], None]) -> None:
        first, *lines = request.head.decode().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        answer = self._provider.answer(VendorRequest(method, unquote(path), {}, headers, request.body))
        ended = Outcome(status=answer.status, head=b"HTTP/1.1 200 OK\r\n\r\n", answer=json.dumps(answer.body).encode())
        asyncio.get_running_loop().call_soon(done, ended)

    async def close(self, grace: float) -> None:
        """Nothing is open."""


def test_keys_are_read_once_and_again_for_a_token_of_a_new_one_but_not_at_every_wrong_token() -> None:
    fake, now = IdentityProvider(), 1_000 * AGAIN_AFTER
    fake.origin = "https://login.example.com"
    fake.person("ada", "Ada@example.com")
    client = OidcClient(
        issuer=fake.origin, id=CLIENT, secret=CLIENT_SECRET, redirect_uri=f"{PUBLIC}/console/oidc/callback"
    )
    line = VendorTransport(Wire(fake))
    provider = identity_provider.IdentityProvider(client, line, lambda: now, lambda: time.time_ns() // 1000)

    async def sign_in() -> Identity:
        secret = Secret("a secret")
        back = fake.sign_in(await provider.authorize_url(secret, again=False), "ada")
        return await provider.identity(dict(parse_qsl(urlsplit(back).query))["code"], secret)

    def reads() -> int:
        return sum(asked.path == "/jwks" for asked in fake.asked)

    async def scenario() -> None:
        nonlocal now
        for _ in range(2):
            assert await sign_in() == Identity("https://login.example.com ada", "ada@example.com", None)
        assert reads() == 1
        fake.keys = [Key("second")]
        with pytest.raises(Disbelieved):
            await sign_in()
        now += AGAIN_AFTER
        await sign_in()
        assert reads() == 2
        fake.sign = Key("nobody's").sign
        for _ in range(3):
            with pytest.raises(Disbelieved):
                await sign_in()
        assert reads() == 2

    asyncio.run(scenario())
