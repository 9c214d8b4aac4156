"""The calls of the kinds are those that the vendors' own clients make: method, address, headers that matter, body.

`recorded.json` is what the clients send; `make oracles` looks whether they still do. Where ours differ on purpose, the
difference is written out here with its reason.
"""

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from gateway.tests.destinations.kinds import PEM, config, connection, context, reply
from msgspec import UNSET

from signalpost.destinations.access import Fixed, Grant
from signalpost.destinations.calls import Call
from signalpost.destinations.google_calendar import GoogleCalendar
from signalpost.destinations.rulings import Then
from signalpost.destinations.salesforce import Salesforce
from signalpost.destinations.slack import Slack
from signalpost.destinations.xero_bill import XeroBill
from signalpost.engine.connectors.assertion import signed

RECORDED: Mapping[str, Any] = json.loads(Path(__file__).with_name("recorded.json").read_text(encoding="utf-8"))


def sent(call: Call | object, token: str | None = "t") -> dict[str, Any]:
    """A call as it is recorded, with the token that the engine adds."""
    assert isinstance(call, Call)
    headers = {name.lower(): value for name, value in call.headers.items() if name.lower() != "accept"}
    if call.authorised and token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = None if call.json is UNSET else json.loads(msgspec.json.encode(call.json))
    if body is not None:
        headers["content-type"] = "application/json"
    return {"method": call.method, **address(call.url), "headers": headers, "body": body}


def asked(grant: object) -> dict[str, Any]:
    """The request for a token as it is recorded."""
    assert isinstance(grant, Grant)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if grant.basic is not None:
        headers["authorization"] = "Basic " + base64.b64encode(":".join(grant.basic).encode()).decode()
    body: dict[str, Any] = dict(grant.form)
    if grant.claims is not None:
        body["assertion"] = dict(grant.claims)
    return {"method": "POST", **address(grant.url), "headers": headers, "body": body}


def address(url: str) -> dict[str, Any]:
    target = urlsplit(url)
    query = dict(parse_qsl(target.query))
    return {"origin": f"{target.scheme}://{target.netloc}", "path": unquote(target.path), "query": query}


def recorded(vendor: str) -> list[dict[str, Any]]:
    """What the vendor's client sends, in the form in which `sent` shows ours."""
    return [_comparable(request) for request in RECORDED[vendor]]


def _comparable(request: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name: value.replace(";charset=utf-8", "") for name, value in request["headers"].items()}
    if request["body"] is None:
        headers.pop("content-type", None)
    return {**request, "headers": headers, "path": unquote(request["path"])}


def test_slack() -> None:
    hook, bot, answer, probe = recorded("slack")
    kind = Slack()
    by_hook = connection("slack", signIn={"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/secret"})
    assert sent(kind.prepare(by_hook, config("slack", by_hook, text="Signed."), context())) == hook
    by_bot = connection("slack", signIn={"with": "bot", "token": "xoxb-1", "channel": "#contracts"})
    said = config("slack", by_bot, text="Signed.", oneThreadPerDocument=True)
    assert kind.access(by_bot) == Fixed("Bearer xoxb-1")
    assert sent(kind.prepare(by_bot, said, context()), "xoxb-1") == bot
    made = {"channel": "#contracts", "ts": "17.1"}
    assert sent(kind.prepare(by_bot, said, context(made=made)), "xoxb-1") == answer
    # The client sends an empty form; Slack takes JSON too, which all our calls are.
    headers = {**probe["headers"], "content-type": "application/json"}
    assert sent(kind.probe(by_bot), "xoxb-1") == {**probe, "headers": headers}


def test_salesforce() -> None:
    by_secret, by_key, by_id, by_number = recorded("salesforce")
    kind, domain = Salesforce(), "https://example.my.salesforce.com"
    secret = {"with": "clientCredentials", "clientId": "id", "clientSecret": "s3"}
    home = connection("salesforce", domain=domain, signIn=secret)
    assert asked(kind.access(home)) == by_secret
    key = {"with": "jwt", "clientId": "id", "username": "u@example.com", "privateKey": PEM}
    # The client asks login.salesforce.com for tokens; we ask the organisation's own domain, the only one called.
    assert asked(kind.access(connection("salesforce", domain=domain, signIn=key))) == {**by_key, "origin": domain}
    lead: dict[str, Any] = {"object": "Lead", "matchValue": "00Q5g", "fields": {"Status": "Working"}}
    assert sent(kind.prepare(home, config("salesforce", home, **lead), context())) == by_id
    found = config("salesforce", home, **lead, matchField="Number__c", whenMissing="create")
    assert sent(kind.prepare(home, found, context())) == by_number
    # The client's upsert always creates; ours does so only if the subscription says so.
    found = config("salesforce", home, **lead, matchField="Number__c")
    assert sent(kind.prepare(home, found, context())) == {**by_number, "query": {"updateOnly": "true"}}


def test_an_assertion_is_that_of_the_library_with_which_the_clients_sign() -> None:
    made = RECORDED["assertion"]
    claims = {name: value for name, value in made["claims"].items() if name not in ("iat", "exp")}
    key = Path(__file__).with_name("assertion_key.pem").read_text(encoding="ascii")
    assert signed(claims, key, made["claims"]["iat"]) == made["token"]


def test_google_calendar() -> None:
    token, patch, insert, delete = recorded("google_calendar")
    kind = GoogleCalendar()
    sign_in = {"with": "serviceAccount", "clientEmail": "bot@example.com", "privateKey": PEM}
    account = connection("google_calendar", signIn=sign_in)
    assert asked(kind.access(account)) == token
    said = config("google_calendar", account, calendarId="team@example.com", summary="It ends", start="2026-12-31")
    # The client asks for JSON by `alt`, which is what Google answers anyway; its tokens are added elsewhere.
    bare = [{**request, "query": {}} for request in (patch, insert, delete)]
    call = kind.prepare(account, said, context())
    assert sent(call, None) == bare[0]
    assert isinstance(call, Call)
    then = kind.classify(account, said, context(), call, reply(404))
    assert isinstance(then, Then)
    assert sent(then.call, None) == bare[1]
    assert sent(kind.prepare(account, said, context("documentDeleted")), None) == bare[2]


def test_xero_bill() -> None:
    token, look_up, make = recorded("xero_bill")
    kind = XeroBill()
    custom = connection("xero_bill", signIn={"with": "customConnection", "clientId": "id", "clientSecret": "s3"})
    # The client sends its secret in the form and no scopes; Xero documents the header, and scopes that are few.
    asked_ours = asked(kind.access(custom))
    assert (asked_ours["origin"], asked_ours["path"]) == (token["origin"], token["path"])
    assert asked_ours["body"]["grant_type"] == token["body"]["grant_type"]
    line = {"description": "Supply", "unitAmount": 12000.5, "accountCode": "400"}
    said = config("xero_bill", custom, contact="Smith & Sons", number="N 1", due="2026-02-14", lines=[line])
    here = context(account={"organisationId": "t1"})
    call = kind.prepare(custom, said, here)
    assert sent(call) == look_up
    assert isinstance(call, Call)
    then = kind.classify(custom, said, here, call, reply(200, {"Invoices": []}))
    assert isinstance(then, Then)
    assert sent(then.call) == {**make, "body": _plain(make["body"])}


def _plain(value: Any) -> Any:
    """What the client's JSON means: without the flags that only answers have, with days as days."""
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if not name.startswith("Has")}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    moment = re.fullmatch(r"/Date\((\d+)\)/", value) if isinstance(value, str) else None
    return value if moment is None else datetime.fromtimestamp(int(moment[1]) / 1000, UTC).date().isoformat()
