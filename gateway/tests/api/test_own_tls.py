"""Client certificates and authorities of subscriptions: given, shown without the private key, offered, changed, taken
away."""

import datetime
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from gateway.tests.http_server import LocalServer, QuietHandler

from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

INSIDE, CLIENTS, STRANGERS = trustme.CA(), trustme.CA(), trustme.CA()
SEEN: list[str | None] = []


class Endpoint(QuietHandler):
    """Notes whose certificate came with each request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        certificate = self.connection.getpeercert()
        SEEN.append(certificate["subjectAltName"][0][1] if certificate else None)
        self.send_response(204)
        self.end_headers()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An endpoint inside, of an authority that only those know who were told, and which asks for a certificate."""
    server = LocalServer(("127.0.0.1", 0), Endpoint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    INSIDE.issue_cert("127.0.0.1").configure_cert(context)
    CLIENTS.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"], endpoint: str) -> "World":
    return make_world(allow_targets=parse_allow_targets(f"{endpoint},http://127.0.0.1:9"))


def certificate(identity: str, of: trustme.CA = CLIENTS) -> dict[str, str]:
    issued = of.issue_cert(identity)
    chain = "".join(each.bytes().decode() for each in issued.cert_chain_pems)
    return {"certificate": chain, "privateKey": issued.private_key_pem.bytes().decode()}


CALLS = ("/v1/subscriptions", "/v1/subscriptions/check", "/v1/subscriptions/test")
TRUSTED = {"authorities": INSIDE.cert_pem.bytes().decode()}


def subscribe(world: "World", endpoint: str, **more: Any) -> dict[str, Any]:
    usual = {"eventTypes": ["documentCreated"], "url": endpoint, "retryDelays": [], "status": "active"}
    made: dict[str, Any] = world.create_subscription(**usual, **more)
    return made


def arrives(world: "World", made: dict[str, Any]) -> bool:
    return bool(world.send("POST", f"/v1/subscriptions/{made['id']}/test").ok()["delivered"])


def test_each_subscription_offers_its_certificate_and_trusts_its_authorities(world: "World", endpoint: str) -> None:
    one = subscribe(world, endpoint, clientCertificate=certificate("one.example"), **TRUSTED)
    other = subscribe(world, endpoint, clientCertificate=certificate("other.example"), **TRUSTED)
    bare, untrusting = subscribe(world, endpoint, **TRUSTED), subscribe(world, endpoint)
    del SEEN[:]
    assert [arrives(world, each) for each in (one, other, bare, one, other, bare)] == [True] * 6
    assert SEEN == ["one.example", "other.example", None] * 2
    assert not arrives(world, untrusting)
    assert not arrives(world, subscribe(world, endpoint, authorities=STRANGERS.cert_pem.bytes().decode()))


def test_it_is_shown_without_its_private_key(world: "World", endpoint: str) -> None:
    given = certificate("one.example")
    made = subscribe(world, endpoint, clientCertificate=given, **TRUSTED)
    shown = world.get(f"/v1/subscriptions/{made['id']}")
    assert shown.ok()["clientCertificate"].keys() == {"subject", "expiresAt", "fingerprint"}
    assert len(shown.ok()["authorities"]) == 1
    entries = world.get(f"/v1/audit?object={made['id']}").body
    assert shown.ok()["clientCertificate"]["fingerprint"].encode() in entries
    for answer in (shown.body, world.get("/v1/subscriptions").body, entries):
        assert b"PRIVATE KEY" not in answer


def test_a_patch_changes_and_takes_away_what_it_names(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, **TRUSTED)
    path = f"/v1/subscriptions/{made['id']}"
    del SEEN[:]
    world.send("PATCH", path, {"clientCertificate": certificate("new.example")}).ok()
    assert arrives(world, made)
    world.send("PATCH", path, {"name": "Other"}).ok()
    assert arrives(world, made)
    assert "clientCertificate" not in world.send("PATCH", path, {"clientCertificate": None}).ok()
    assert arrives(world, made)
    assert SEEN == ["new.example", "new.example", None]
    assert "authorities" not in world.send("PATCH", path, {"authorities": None}).ok()
    assert not arrives(world, made)


def test_it_is_offered_to_no_other_origin_than_it_was_given_for(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, clientCertificate=certificate("one.example"), **TRUSTED)
    path = f"/v1/subscriptions/{made['id']}"
    moved = world.send("PATCH", path, {"url": "https://elsewhere.example/"})
    assert (moved.status, moved.json["errors"][0]["pointer"]) == (422, "/clientCertificate")
    assert moved.json["errors"][0]["code"] == "give_again"
    assert world.send("PATCH", path, {"url": f"{endpoint}/other"}).status == 200
    again = {"url": "https://elsewhere.example/", "clientCertificate": certificate("again.example")}
    assert world.send("PATCH", path, again).status == 200


def test_what_cannot_be_used_is_named(world: "World", endpoint: str) -> None:
    good, other = certificate("one.example"), certificate("other.example")
    key = rsa.generate_private_key(65537, 1024)
    weak = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    strong = rsa.generate_private_key(65537, 2048)
    locked = strong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")).decode()
    pair = "/clientCertificate"
    for members, at, code in (
        ({"clientCertificate": {**good, "privateKey": other["privateKey"]}}, f"{pair}/privateKey", "wrong_key"),
        ({"clientCertificate": {**good, "privateKey": "no key"}}, f"{pair}/privateKey", "bad_key"),
        ({"clientCertificate": {**good, "privateKey": weak}}, f"{pair}/privateKey", "weak_key"),
        ({"clientCertificate": {**good, "privateKey": locked}}, f"{pair}/privateKey", "encrypted_key"),
        ({"clientCertificate": {**good, "certificate": "none"}}, f"{pair}/certificate", "bad_certificate"),
        ({"clientCertificate": {"certificate": good["certificate"]}}, f"{pair}/privateKey", "required"),
        ({"authorities": "none"}, "/authorities", "bad_certificate"),
        ({"clientCertificate": good, "url": "http://127.0.0.1:9"}, pair, "needs_https"),
        ({"authorities": TRUSTED["authorities"], "url": "http://127.0.0.1:9"}, "/authorities", "needs_https"),
    ):
        body = {"url": endpoint, "eventTypes": ["documentCreated"], **members}
        for path in CALLS:
            refused = world.send("POST", path, body)
            assert (refused.status, [(each["pointer"], each["code"]) for each in refused.json["errors"]]) == (
                422,
                [(at, code)],
            )
            assert "PRIVATE" not in refused.body.decode()


def test_an_expired_certificate_is_refused(world: "World", endpoint: str) -> None:
    begins, ends = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2019, 2020))
    issued = CLIENTS.issue_cert("old.example", not_before=begins, not_after=ends)
    given = {
        "certificate": issued.cert_chain_pems[0].bytes().decode(),
        "privateKey": issued.private_key_pem.bytes().decode(),
    }
    body = {"url": endpoint, "eventTypes": ["documentCreated"], "clientCertificate": given}
    for path in CALLS:
        [error] = world.send("POST", path, body).json["errors"]
        assert (error["pointer"], error["code"]) == ("/clientCertificate/certificate", "expired")


def test_the_overview_says_which_end_soon(world: "World", endpoint: str) -> None:
    ends = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=7)
    issued = CLIENTS.issue_cert("soon.example", not_after=ends)
    given = {
        "certificate": issued.cert_chain_pems[0].bytes().decode(),
        "privateKey": issued.private_key_pem.bytes().decode(),
    }
    made = subscribe(world, endpoint, clientCertificate=given, **TRUSTED)
    [soon] = [each for each in world.get("/v1/overview").ok()["soon"] if each["subscription"]["id"] == made["id"]]
    assert soon["what"] == "clientCertificate"
    assert datetime.datetime.fromisoformat(soon["at"]) == ends


def test_a_shadow_has_its_own_and_a_promotion_swaps_them(world: "World", endpoint: str) -> None:
    made = subscribe(world, endpoint, clientCertificate=certificate("one.example"), **TRUSTED)
    new = {"shadowOf": made["id"], "url": f"{endpoint}/new", "clientCertificate": certificate("two.example")}
    shadow = world.send("POST", "/v1/subscriptions", {**new, **TRUSTED}).ok(201)
    world.send("POST", f"/v1/subscriptions/{shadow['id']}/promote", {"anyway": True}).ok()
    promoted = world.get(f"/v1/subscriptions/{made['id']}").ok()
    assert promoted["clientCertificate"] == shadow["clientCertificate"]
    del SEEN[:]
    assert arrives(world, made)
    assert SEEN == ["two.example"]


def test_a_draft_is_tested_with_it(world: "World", endpoint: str) -> None:
    del SEEN[:]
    draft = {"url": endpoint, "eventTypes": ["documentCreated"], "clientCertificate": certificate("draft.example")}
    assert world.send("POST", "/v1/subscriptions/test", {**draft, **TRUSTED}).ok()["delivered"]
    assert SEEN == ["draft.example"]
