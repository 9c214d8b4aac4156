"""Where the operator names a proxy, nothing leaves but through it: webhooks, tests, vendors' calls and tokens."""

from collections.abc import Callable

import pytest
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.fakes.connect_proxy import FROM, ConnectProxy
from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest
from gateway.tests.fakes.xero import Xero
from gateway.tests.token_server import token_server

pytestmark = pytest.mark.slow

Gateways = Callable[..., GatewayProcess]


class Canary(Vendor):
    """Takes whatever comes."""

    def act(self, asked: VendorRequest) -> Answer:
        return Answer(200)


def test_a_webhook_a_test_a_call_and_its_token_leave_through_the_proxy_alone(gateways: Gateways) -> None:
    canary, xero = Canary(), Xero()
    with canary.served(), xero.served(), token_server() as server, ConnectProxy() as proxy:
        xero.tokens.client = ("id", "secret")
        api = gateways(
            allow=f"{canary.origin},{xero.origin},{server.origin}",
            egress_proxy=f"http://gate:way@127.0.0.1:{proxy.port}",
        ).api
        webhook = api.ask(
            "POST", "/v1/subscriptions", {"url": f"{canary.origin}/hook", "eventTypes": ["documentCreated"]}, expect=201
        )
        signs_in = {"with": "customConnection", "clientId": "id", "clientSecret": "secret"}
        config = {"signIn": signs_in, "standIn": xero.origin}
        connection = api.ask("POST", "/v1/connections", {"kind": "xero_bill", "config": config}, expect=201)
        api.ask("POST", f"/v1/connections/{connection['id']}/test")
        api.ask("POST", f"/v1/subscriptions/{webhook['id']}/test")
        api.until_delivery(webhook, api.events_of(api.create())[0]["id"], "delivered")
        with_token = api.subscribe(f"{canary.origin}/hook", oauth=server.client, eventTypes=["documentCreated"])
        assert api.ask("POST", f"/v1/subscriptions/{with_token['id']}/test")["delivered"]
    assert canary.callers == xero.callers == {FROM}
    assert [asked.path for asked in canary.asked] == ["/hook", "/hook", "/hook"]
    assert {f"http://{target}" for target in proxy.targets} == {canary.origin, xero.origin, server.origin}
    assert server.asked == 1
    assert all(lines[-1].startswith("proxy-authorization: Basic ") for lines in proxy.asked)


def test_a_proxy_that_lets_nothing_through_fails_attempts_as_its_own_fault_and_shows_no_password(
    gateways: Gateways,
) -> None:
    with ConnectProxy() as gone:
        pass
    gateway = gateways(
        allow="http://127.0.0.1:9", retry_delays="1,1,1", egress_proxy=f"http://gate:wayward@127.0.0.1:{gone.port}"
    )
    api = gateway.api
    webhook = api.ask(
        "POST", "/v1/subscriptions", {"url": "http://127.0.0.1:9/", "eventTypes": ["documentCreated"]}, expect=201
    )
    failed = api.until_delivery(webhook, api.events_of(api.create())[0]["id"], "failed")
    assert {each["error"] for each in failed["attempts"]} == {"proxy"}
    assert {each["counted"] for each in failed["attempts"]} == {True}
    assert api.request("GET", "/metrics").body.count(b'signalpost_attempts_total{outcome="proxy"} 4.0') == 1
    gateway.stop()
    assert b"wayward" not in gateway.stdout.read_bytes() + gateway.stderr.read_bytes()
