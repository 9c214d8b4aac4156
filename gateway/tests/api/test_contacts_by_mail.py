"""Contacts are told by mail: a real gateway, an endpoint that fails, a real mail server, and the link in the mail."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from gateway.tests.api.conftest import World, url
from gateway.tests.api.moved_clock import MovedClock
from gateway.tests.fakes.mail_server import PASSWORD, USER, MailServer

from signalpost.domain.timestamps import HOUR, MINUTE
from signalpost.sender.addresses import parse_allow_targets

__all__ = ["url"]
pytestmark = pytest.mark.slow
ADA = "ada@customer.example"
OPERATIONS = {"signalpost-tenant": "operations"}


def test_a_customer_is_told_that_nothing_arrives_and_unsubscribes_by_the_link_in_the_mail(
    make_world: Callable[..., World], authority: trustme.CA, url: str, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    clock = MovedClock()
    with MailServer(authority) as server:
        server.answers["DATA"] = "451 4.3.0 Later"
        world = make_world(
            allow_targets=parse_allow_targets(f"{url},{server.url}"),
            ca_file=tmp_path / "ca.pem",
            clock=clock,
            public_url="https://gateway.example",
        )
        sign_in = {"with": "password", "username": USER, "password": PASSWORD}
        config = {"server": server.url, "signIn": sign_in, "sender": "us@example.com"}
        body = {"kind": "mail", "name": "To customers", "config": config}
        world.send("POST", "/v1/connections", body, OPERATIONS).ok(201)
        made = world.create_subscription(
            name="Acme", url=f"{url}/500", status="active", retryDelays=[], contacts=[ADA],
            eventTypes=["documentCreated"],
        )["id"]  # fmt: skip
        world.create_document(title="Secret plans")
        path = f"/v1/subscriptions/{made}"
        world.wait_until(lambda: world.get(path).ok()["health"]["failingSince"] is not None)
        clock.move(HOUR + MINUTE)
        world.wait_until(lambda: 'signalpost_contact_mails_total{outcome="failed"} 1.0' in metrics(world))
        assert not server.taken
        server.answers.clear()
        clock.move(15 * MINUTE)
        world.wait_until(lambda: bool(server.taken))

        [mail] = server.taken
        assert (mail.recipients, mail.user) == ([ADA], USER)
        assert mail.message["subject"] == "Nothing arrives at Acme"
        text = mail.message.get_content()
        assert "Secret plans" not in text
        [link] = re.findall(r"https://gateway\.example(/unsubscribe/\S+)", text)
        assert urlsplit(mail.message["list-unsubscribe"].strip("<>")).path == link
        one_click = {"authorization": None, "content-type": "application/x-www-form-urlencoded"}
        assert world.send("POST", link, b"List-Unsubscribe=One-Click", one_click).status == 200
        assert world.get(path).ok()["unsubscribed"] == [ADA]
        assert 'signalpost_contact_mails_total{outcome="sent"} 1.0' in metrics(world)


def metrics(world: World) -> str:
    return world.get("/metrics").body.decode()
