"""People in the console: invited, signed in by password, changed, removed; slowed down, and asked again."""

import asyncio
import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from gateway.tests.api.conftest import World
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.console.conftest import Browser

from signalpost.api.guards.principals import OPERATOR
from signalpost.console.page import ProofNeeded, Visit
from signalpost.console.pages import replays
from signalpost.console.pages.replays import CONFIRMED_FROM
from signalpost.domain.access.member import INVITATION_LIFETIME
from signalpost.domain.access.sign_in import PROOF_LASTS
from signalpost.domain.access.sign_in_tries import OF_ACCOUNT

if TYPE_CHECKING:
    from signalpost.console.calls import Calls

PASSWORD = "correct horse battery"
NAVIGATES = {"sec_fetch_dest": "document", "sec_fetch_mode": "navigate", "sec_fetch_site": "none"}


class Team:
    """A gateway whose operator invites people."""

    def __init__(self, world: World, clock: MovedClock) -> None:
        self.world = world
        self.clock = clock
        self._invited = 0

    def invite(self, role: str = "viewer", tenant: str = "default", **more: str) -> dict[str, Any]:
        self._invited += 1
        body = {"name": f"Person {self._invited}", "email": f"person{self._invited}@example.com", "role": role, **more}
        made: dict[str, Any] = self.world.send("POST", "/v1/members", body, {"signalpost-tenant": tenant}).ok(201)
        return made

    def join(self, member: dict[str, Any], password: str = PASSWORD) -> Browser:
        """The browser of a person who accepts an invitation."""
        browser = Browser(self.world)
        answer = browser.post(path_of(member), {"password": password})
        assert answer.status == 303, answer.body
        return browser

    def member(self, role: str = "viewer", tenant: str = "default") -> tuple[dict[str, Any], Browser]:
        made = self.invite(role, tenant)
        return made, self.join(made)

    def sign_in(self, email: str, password: str = PASSWORD, address: str | None = None) -> tuple[int, Browser]:
        browser, given = Browser(self.world), {"email": email, "password": password}
        return browser.post("/console/sign-in", given, x_forwarded_for=address).status, browser


def path_of(member: dict[str, Any]) -> str:
    return "/console/" + str(member["url"]).partition("/console/")[2]


def is_signed_in(browser: Browser, tenant: str = "default") -> bool:
    return browser.get(f"/console/t/{tenant}").status == 200


@pytest.fixture(scope="module")
def team(make_world: Callable[..., World]) -> Team:
    clock = MovedClock()
    # A test that comes from several addresses says so as a proxy does.
    return Team(make_world(clock=clock, trusted_proxies=(ip_network("127.0.0.1"),)), clock)


# --- Invitations ------------------------------------------------------------------------------------------------------


def test_an_invited_person_sets_a_password_is_signed_in_and_signs_in_with_it(team: Team) -> None:
    made = team.invite("subscriber")
    assert made["status"] == "invited"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/console/join/[\w-]{43}", made["url"])
    assert is_signed_in(team.join(made))
    shown = team.world.get(f"/v1/members/{made['id']}").ok()
    assert (shown["status"], shown["invitedUntil"], shown["createdBy"]) == ("active", None, "operator")
    assert "url" not in shown
    status, browser = team.sign_in(made["email"].upper())
    assert status == 303
    assert is_signed_in(browser)


def test_an_invitation_is_opened_as_often_as_one_likes_and_used_once(team: Team) -> None:
    made = team.invite()
    for headers in ({}, NAVIGATES, {**NAVIGATES, "sec_purpose": "prefetch"}):
        answer = Browser(team.world).get(path_of(made), **headers)
        assert answer.status == 200
        assert made["email"].encode() in answer.body
        assert "set-cookie" not in answer.headers
    assert Browser(team.world).post(path_of(made), {"password": PASSWORD}, sec_fetch_site="cross-site").status == 403
    assert b"at least 12" in Browser(team.world).post(path_of(made), {"password": "short"}).body
    team.join(made)
    again = Browser(team.world)
    assert again.get(path_of(made)).status == 410
    assert again.post(path_of(made), {"password": "another password"}).status == 410
    assert team.sign_in(made["email"])[0] == 303


def test_an_invitation_expires_and_another_one_makes_it_worthless(team: Team) -> None:
    late, replaced = team.invite(), team.invite()
    again = team.world.send("POST", f"/v1/members/{replaced['id']}/invitation").ok(201)
    assert Browser(team.world).get(path_of(replaced)).status == 410
    assert is_signed_in(team.join(again))
    team.clock.move(INVITATION_LIFETIME)
    assert Browser(team.world).get(path_of(late)).status == 410
    assert Browser(team.world).post(path_of(late), {"password": PASSWORD}).status == 410


def test_a_repeated_invitation_is_the_same_and_a_second_one_of_an_address_is_refused(team: Team) -> None:
    body = {"name": "Ada", "email": "Ada@example.com", "role": "viewer"}
    first, second = (team.world.send("POST", "/v1/members", body, {"idempotency-key": "i"}).ok(201) for _ in range(2))
    assert first == second
    assert first["email"] == "ada@example.com"
    team.world.refuses("POST", "/v1/members", body, status=409, code="member_exists")
    team.world.refuses("POST", "/v1/members", {**body, "email": "ada"}, at=("/email",))


def test_nobody_but_an_operator_invites(team: Team) -> None:
    for role in ("viewer", "subscriber", "app"):
        key = team.world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"]
        body = {"name": "x", "email": "x@example.com", "role": "viewer"}
        answer = team.world.send("POST", "/v1/members", body, {"authorization": f"Bearer {key}"})
        answer.refused(403, code="role_not_allowed")


# --- What members may do ----------------------------------------------------------------------------------------------


def test_a_member_sees_their_own_tenant_alone_and_does_what_their_role_may(team: Team) -> None:
    team.world.send("POST", "/v1/tenants", {"name": "acme"}).ok(201)
    _, viewer = team.member("viewer", "acme")
    assert viewer.get("/console").headers["location"] == "/console/t/acme"
    assert is_signed_in(viewer, "acme")
    assert viewer.get("/console/t/default").status == 404
    assert viewer.get("/console/t/acme/members").status == 403
    _, operator = team.member("operator")
    for tenant in ("default", "acme"):
        assert is_signed_in(operator, tenant)
    assert "person" in operator.open("/console/t/acme/members")


def test_what_a_member_did_is_told_of_them_in_the_audit(team: Team) -> None:
    made, browser = team.member("operator")
    form = {"do": "create", "key": "k", "name": "made by a person", "role": "viewer"}
    assert browser.post("/console/t/default/keys", form).status == 200
    told = team.world.get(f"/v1/audit?actor={made['id']}").ok()["data"]
    assert [entry["action"] for entry in told] == ["member.join", "session.begin", "key.create"]
    assert {entry["actor"]["kind"] for entry in told} == {"member"}
    assert {entry["actor"]["name"] for entry in told} == {made["name"]}
    assert told[1]["changes"]["by"]["new"] == "invitation"
    assert PASSWORD not in str(told)


def test_another_role_ends_the_sessions_and_so_does_removal(team: Team) -> None:
    made, browser = team.member("viewer")
    path = f"/v1/members/{made['id']}"
    assert team.world.send("PATCH", path, {"name": "Renamed"}).ok()["name"] == "Renamed"
    assert is_signed_in(browser)
    assert team.world.send("PATCH", path, {"role": "subscriber"}).ok()["role"] == "subscriber"
    assert not is_signed_in(browser)
    status, browser = team.sign_in(made["email"])
    assert status == 303
    assert team.world.send("DELETE", path).status == 204
    assert not is_signed_in(browser)
    assert team.sign_in(made["email"])[0] == 401
    team.world.get(path).refused(404, code="member_not_found")


def test_another_address_ends_the_sessions_and_is_the_one_to_sign_in_with(team: Team) -> None:
    made, browser = team.member("viewer")
    other, path = team.invite(), f"/v1/members/{made['id']}"
    team.world.send("PATCH", path, {"email": other["email"].upper()}).refused(409, code="member_exists")
    team.world.refuses("PATCH", path, {"email": "no address"}, at=("/email",))
    assert team.world.send("PATCH", path, {"email": made["email"]}).ok()["email"] == made["email"]
    assert is_signed_in(browser)
    another = f"new-{made['email']}"
    assert team.world.send("PATCH", path, {"email": another.upper()}).ok()["email"] == another
    assert not is_signed_in(browser)
    assert team.sign_in(made["email"])[0] == 401
    assert team.sign_in(another)[0] == 303
    listed = team.world.get(f"/v1/audit?object={made['id']}&newest=true").ok()["data"]
    told = next(each for each in listed if each["action"] == "member.change")
    assert told["changes"]["email"] == {"old": made["email"], "new": another}


def test_an_address_that_was_given_up_is_free_for_others(team: Team) -> None:
    made, _ = team.member()
    team.world.send("PATCH", f"/v1/members/{made['id']}", {"email": "moved@example.com"}).ok()
    body = {"name": "Next", "email": made["email"], "role": "viewer"}
    assert team.world.send("POST", "/v1/members", body).ok(201)["email"] == made["email"]


def test_a_reset_takes_the_password_and_the_sessions_and_the_link_sets_another_one(team: Team) -> None:
    made, browser = team.member()
    link = team.world.send("POST", f"/v1/members/{made['id']}/invitation").ok(201)
    assert not is_signed_in(browser)
    assert team.sign_in(made["email"])[0] == 401
    assert is_signed_in(team.join(link, "a password after it"))
    assert team.sign_in(made["email"], "a password after it")[0] == 303


def test_a_member_sees_where_they_are_signed_in_and_ends_one_of_these_sessions(team: Team) -> None:
    made, browser = team.member()
    _, stranger = team.member()
    elsewhere, kept = team.sign_in(made["email"])[1], team.sign_in(made["email"])[1]
    body = elsewhere.get("/console/account").body.decode()
    [here, third] = re.findall(r'name="end" value="([0-9a-f]{64})"', body)
    assert stranger.post("/console/account", {"end": here}).headers["location"] == "/console/account?done=ended"
    assert stranger.post("/console/account", {"end": "no hash"}).status == 303
    assert is_signed_in(browser), "nobody ends a session of somebody else"
    assert is_signed_in(kept)
    assert elsewhere.post("/console/account", {"end": here}).status == 303
    assert elsewhere.post("/console/account", {"end": third}).status == 303
    assert not is_signed_in(browser)
    assert not is_signed_in(kept)
    assert is_signed_in(elsewhere)
    assert b'name="end"' not in elsewhere.get("/console/account").body
    ends = [each for each in _told(team, made) if each["action"] == "session.end"]
    assert [each["changes"]["which"]["new"] for each in ends] == ["another", "another"]


def _told(team: Team, member: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = team.world.get(f"/v1/audit?actor={member['id']}").ok()["data"]
    return entries


def test_a_changed_password_ends_every_session_but_the_one_that_changed_it(team: Team) -> None:
    made, browser = team.member()
    elsewhere = team.sign_in(made["email"])[1]
    wrong = browser.post("/console/account", {"present": "not this one", "password": "the next password"})
    assert wrong.status == 401
    weak = browser.post("/console/account", {"present": PASSWORD, "password": "weak"})
    assert weak.status == 422
    assert is_signed_in(elsewhere)
    changed = browser.post("/console/account", {"present": PASSWORD, "password": "the next password"})
    assert changed.headers["location"] == "/console/account?done=changed"
    assert is_signed_in(browser)
    assert not is_signed_in(elsewhere)
    assert team.sign_in(made["email"])[0] == 401
    assert team.sign_in(made["email"], "the next password")[0] == 303


# --- Wrong passwords --------------------------------------------------------------------------------------------------


def test_nobody_learns_who_is_a_member(team: Team) -> None:
    """A wrong password, an address that no member has and one of a person who was invited get the same answer."""
    joined, invited = team.member()[0], team.invite()
    answers = []
    for email in (joined["email"], invited["email"], "nobody@example.com"):
        answer = Browser(team.world).post("/console/sign-in", {"email": email, "password": "a wrong password"})
        assert "set-cookie" not in answer.headers
        answers.append((answer.status, answer.body.replace(email.encode(), b"")))
    assert len({*answers}) == 1
    assert answers[0][0] == 401


def test_passwords_are_tried_slowly_also_those_of_nobody(team: Team) -> None:
    made, _ = team.member()
    for email in (made["email"], "no-such-person@example.com"):
        statuses = [team.sign_in(email, "a wrong password", "192.0.2.9")[0] for _ in range(OF_ACCOUNT.at_once + 1)]
        assert statuses[0] == 401
        assert statuses[-1] == 429
    told = team.world.wait_until(lambda: _refused(team, made))
    assert told is not None
    assert told["outcome"] == "refused"
    assert told["source"] == "192.0.2.9"
    assert "a wrong password" not in str(told)
    assert team.sign_in(made["email"])[0] == 303, "where they joined, nobody shuts them out"


def _refused(team: Team, member: dict[str, Any]) -> dict[str, Any] | None:
    entries = team.world.get(f"/v1/audit?actor={member['id']}").ok()["data"]
    return next((entry for entry in entries if entry["action"] == "call.refuse"), None)


# --- What is risky ----------------------------------------------------------------------------------------------------


def test_what_is_risky_asks_again_for_the_password_once_the_sign_in_is_old(team: Team) -> None:
    made, browser = team.member("operator")
    path, form = "/console/t/default/keys", {"do": "create", "key": "p", "name": "risky & <b>", "role": "viewer"}
    team.clock.move(PROOF_LASTS)
    asked = browser.post(path, form)
    assert b"Is it still you?" in asked.body
    assert b'value="risky &amp; &lt;b&gt;"' in asked.body
    assert "risky" not in str(team.world.get("/v1/keys?limit=250").ok())
    assert browser.post(path, {**form, "proof": "a wrong password"}).status == 401
    assert "risky" not in str(team.world.get("/v1/keys?limit=250").ok())
    made_key = browser.post(path, {**form, "proof": PASSWORD})
    assert made_key.status == 200
    assert b"sp_" in made_key.body
    assert b"sp_" in browser.post(path, {**form, "key": "p2"}).body
    assert made["role"] == "operator"


def test_to_delete_a_tenant_asks_again_for_the_password(team: Team) -> None:
    team.world.send("POST", "/v1/tenants", {"name": "short-lived"}).ok(201)
    _, browser = team.member("operator")
    path = "/console/t/default/tenants/short-lived"
    form = {"do": "delete", "key": "d", "confirm": "short-lived"}
    team.clock.move(PROOF_LASTS)
    assert b"Is it still you?" in browser.post(path, form).body
    assert team.world.get("/v1/tenants/short-lived").status == 200
    assert browser.post(path, {**form, "proof": PASSWORD}).headers["location"].endswith("deleted")


def test_a_session_from_a_key_is_proved_with_that_very_key(team: Team) -> None:
    browser = Browser(team.world).sign_in(team.world.key)
    other = team.world.send("POST", "/v1/keys", {"name": "other", "role": "operator"}).ok(201)["key"]
    team.clock.move(PROOF_LASTS)
    form = {"do": "invite", "key": "q", "name": "Eve", "email": "eve@example.com", "role": "operator"}
    assert b"Is it still you?" in browser.post("/console/t/default/members", form).body
    assert browser.post("/console/t/default/members", {**form, "proof": other}).status == 401
    shown = browser.post("/console/t/default/members", {**form, "proof": team.world.key})
    assert b"/console/join/" in shown.body


def test_sending_very_many_again_asks_for_a_name_and_a_proof_and_sending_some_does_not() -> None:
    class FixedCount:
        def __init__(self, count: int) -> None:
            self.count = count
            self.made: list[Any] = []

        async def change(self, name: str, body: Any = None, **_: Any) -> bytes:
            self.made.append(body)
            return msgspec.json.encode({"data": [], "count": self.count, "countIsCapped": False})

        async def read(self, name: str, shape: Any, query: Any = None, **_: Any) -> Any:
            answer: dict[str, Any] = {"data": [], "next": None, "total": 0}
            return shape(**{each: answer[each] for each in shape.__struct_fields__})

    def start(count: int, *, is_proved: bool, typed: str = "") -> tuple[list[Any], Any]:
        """The bodies of the calls that were made, and the result."""
        calls, form = FixedCount(count), {"to_subscription": ["id"], "key": ["k"], "confirm": [typed]}
        visit = Visit(
            calls=cast("Calls", calls),
            principal=OPERATOR,
            tenant="default",
            root="",
            request_id="",
            now=0,
            params={},
            query={},
            form=form,
            is_proved=is_proved,
        )
        outcome = asyncio.run(replays.start(visit))
        return [body.get("dryRun") for body in calls.made], outcome

    assert start(CONFIRMED_FROM, is_proved=False)[0] == [True, None]
    for typed in ("", "Default"):
        made, shown = start(CONFIRMED_FROM + 1, is_proved=True, typed=typed)
        assert (made, shown.view.is_unconfirmed, shown.view.confirmed_by) == ([True], True, "default")
    assert start(CONFIRMED_FROM + 1, is_proved=True, typed="default")[0] == [True, None]
    with pytest.raises(ProofNeeded):
        start(CONFIRMED_FROM + 1, is_proved=False, typed="default")


def test_rotating_a_secret_and_ending_the_old_one_ask_for_a_proof(team: Team) -> None:
    _, browser = team.member("subscriber")
    path = f"/console/t/default/subscriptions/{team.world.create_subscription()['id']}/secret"
    team.clock.move(PROOF_LASTS)
    assert b"Is it still you?" in browser.post(path, {"do": "rotate", "key": "r"}).body
    assert b'id="secret"' in browser.post(path, {"do": "rotate", "key": "r", "proof": PASSWORD}).body
    team.clock.move(PROOF_LASTS)
    assert b"Is it still you?" in browser.post(path, {"do": "promote", "key": "p"}).body
    assert browser.post(path, {"do": "promote", "key": "p", "proof": PASSWORD}).headers["location"].endswith("promoted")


def test_pages_of_members_work_without_a_script(team: Team) -> None:
    browser, made = Browser(team.world).sign_in(team.world.key), team.invite()
    path = "/console/t/default/members"
    assert made["email"] in browser.open(path)
    changed = browser.post(path, {"do": "change", "key": "1", "id": made["id"], "email": made["email"], "role": "app"})
    assert changed.headers["location"] == f"{path}?done=changed"
    assert b"/console/join/" in browser.post(path, {"do": "reset", "key": "2", "id": made["id"]}).body
    assert browser.post(path, {"do": "remove", "key": "3", "id": made["id"]}).status == 303
    assert made["email"] not in browser.open(path)
    taken = browser.post(path, {"do": "invite", "key": "4", "name": "", "email": "no address", "role": "viewer"})
    assert taken.status == 422
    assert b"no address" in taken.body
    assert b"Sign out everywhere" in browser.get("/console/account").body
