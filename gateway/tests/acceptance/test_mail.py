"""Documents become mails, through a real gateway and a real mail server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.fakes.mail_server import PASSWORD, USER, MailServer

pytestmark = pytest.mark.slow

Gateways = Callable[..., GatewayProcess]


@pytest.fixture(params=["smtp", "smtps"])
def server(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[MailServer]:
    with MailServer(authority, scheme=request.param) as made:
        yield made


def connection(url: str) -> dict[str, Any]:
    sign_in = {"with": "password", "username": USER, "password": PASSWORD}
    config = {"server": url, "signIn": sign_in, "sender": "us@example.com"}
    return {"kind": "mail", "config": config}


def subscription(api: Client, server: MailServer) -> dict[str, Any]:
    made: dict[str, Any] = api.ask("POST", "/v1/connections", connection(server.url), expect=201)
    body = {
        "kind": "mail",
        "connection": made["id"],
        "eventTypes": ["documentCreated"],
        "config": {"to": ["legal@example.com"], "subject": "{{ document.title }}", "text": "Signed ✔"},
    }
    found: dict[str, Any] = api.ask("POST", "/v1/subscriptions", body, expect=201)
    return found


def test_a_document_becomes_a_mail_and_its_repeat_can_be_told(gateways: Gateways, server: MailServer) -> None:
    allow = server.url
    gateway = gateways(allow_targets=allow)
    api = gateway.api
    found = subscription(api, server)
    assert api.ask("POST", f"/v1/connections/{found['connection']}/test", expect=200)["works"] is True
    shown = api.ask("GET", f"/v1/connections/{found['connection']}", expect=200)
    assert shown["config"]["signIn"]["password"] is None
    api.create(title="NDA\r\nBcc: x@evil.example")
    until(lambda: len(server.taken) == 1)
    [taken] = server.taken
    assert (taken.sender, taken.recipients, taken.user) == ("us@example.com", ["legal@example.com"], USER)
    assert taken.message["subject"] == "NDA Bcc: x@evil.example"
    assert taken.message.get_content().strip() == "Signed ✔"
    api.ask(
        "POST",
        f"/v1/subscriptions/{found['id']}/replays",
        {"status": "all", "from": "2020-01-01T00:00:00Z"},
        expect=202,
    )
    until(lambda: len(server.taken) == 2)
    assert server.taken[1].message["message-id"] == taken.message["message-id"]


def test_a_mail_server_that_may_not_be_called_is_refused_by_its_field(gateways: Gateways, server: MailServer) -> None:
    api = gateways().api
    private = server.url.replace("localhost", "127.0.0.1")
    refused = api.ask("POST", "/v1/connections", connection(private), expect=422)
    assert [error["pointer"] for error in refused["errors"]] == ["/config/server"]
    assert server.sessions == 0
