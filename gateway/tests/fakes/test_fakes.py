"""The fakes of vendors do what a vendor does: over HTTP, with tokens that end and refresh tokens that are replaced."""

import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from gateway.tests.fakes.slack import Slack
from gateway.tests.fakes.vendor import HTML_500, LOST, Answer, Tokens, VendorRequest


def asked(**form: str) -> VendorRequest:
    client = {"client_id": "id", "client_secret": "secret"}
    return VendorRequest("POST", "/token", {}, {}, urlencode({**client, **form}).encode())


def refreshed(tokens: Tokens, refresh_token: str) -> Any:
    return tokens.answer(asked(grant_type="refresh_token", refresh_token=refresh_token))


def is_good(tokens: Tokens, token: str) -> bool:
    return tokens.is_good(VendorRequest("GET", "/", {}, {"authorization": f"Bearer {token}"}, b""))


def test_a_token_is_good_until_it_expires() -> None:
    tokens = Tokens()
    token = tokens.answer(asked(grant_type="client_credentials")).body["access_token"]
    assert is_good(tokens, token)
    tokens.expire()
    assert not is_good(tokens, token)
    assert not is_good(tokens, "made-up")


def test_a_wrong_secret_and_a_login_that_is_down_give_nothing() -> None:
    tokens = Tokens()
    assert tokens.answer(asked(grant_type="client_credentials", client_secret="x")).status == 401
    tokens.is_down = True
    assert tokens.answer(asked(grant_type="client_credentials")).status == 503


def test_with_a_grace_the_refresh_token_before_works_on_until_it_ends() -> None:
    tokens = Tokens()
    tokens.rotates = True
    first = tokens.consented()
    second = refreshed(tokens, first).body["refresh_token"]
    third = refreshed(tokens, first).body["refresh_token"]
    assert len({first, second, third}) == 3
    tokens.end_grace()
    assert refreshed(tokens, first).status == 400
    assert refreshed(tokens, third).status == 200


def test_without_a_grace_a_lost_answer_loses_the_consent() -> None:
    tokens = Tokens()
    tokens.rotates, tokens.has_grace, tokens.loses = True, False, 1
    first = tokens.consented()
    assert refreshed(tokens, first).body is LOST
    assert refreshed(tokens, first).status == 400


def test_a_revoked_consent_gives_no_more_tokens() -> None:
    tokens = Tokens()
    first = tokens.consented()
    token = refreshed(tokens, first).body["access_token"]
    tokens.revoke()
    assert not is_good(tokens, token)
    assert refreshed(tokens, first).body["error"] == "invalid_grant"


def test_it_is_served_on_loopback_and_can_fail_and_lose_its_answers() -> None:
    with Slack().served() as vendor:
        target = urlsplit(vendor.origin)

        def post() -> tuple[int, bytes]:
            client = http.client.HTTPConnection(target.hostname or "", target.port, timeout=30)
            try:
                client.request("POST", vendor.WEBHOOK_PATH, json.dumps({"text": "Hi"}))
                response = client.getresponse()
                return response.status, response.read()
            finally:
                client.close()

        assert post() == (200, b"ok")
        vendor.fail(HTML_500, Answer(429, b""))
        assert [post()[0], post()[0]] == [500, 429]
        vendor.lose_answers()
        with pytest.raises(http.client.RemoteDisconnected):
            post()
        assert len(vendor.messages) == 2
        assert len(vendor.calls("POST")) == 4
