"""Documents become messages, records, entries and bills, through a real gateway, at vendors that keep state and fail.

Every subscription is a preset with its blanks filled in, as a person would have it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess, run_command
from gateway.tests.destinations.kinds import PEM
from gateway.tests.fakes import google_calendar, salesforce, slack, xero
from gateway.tests.fakes.vendor import HTML_500

from signalpost.destinations.presets import body_of
from signalpost.destinations.registry import Destinations

pytestmark = pytest.mark.slow

Gateways = Callable[..., GatewayProcess]
CANARY = "canary-0123456789abcdef"
PRESETS = {preset.name: preset for kind in Destinations.installed([]).kinds.values() for preset in kind.presets}
TERMS = {"counterpartyName": "Smith & Sons", "contractValue": 12500.0, "expiryDate": "2099-12-31"}


class Vendors(NamedTuple):
    slack: slack.Slack
    salesforce: salesforce.Salesforce
    calendar: google_calendar.GoogleCalendar
    xero: xero.Xero

    @property
    def targets(self) -> str:
        return ",".join(vendor.origin for vendor in self)


@contextmanager
def served() -> Iterator[Vendors]:
    """The four, each on a port of its own."""
    made = Vendors(
        slack.Slack(f"xoxb-{CANARY}"), salesforce.Salesforce(), google_calendar.GoogleCalendar(), xero.Xero()
    )
    for tokens in (made.salesforce.tokens, made.xero.tokens):
        tokens.client = ("id", CANARY)
    public = load_pem_private_key(PEM.encode(), None).public_key()
    made.calendar.tokens.key = public  # type: ignore[assignment]
    with ExitStack() as stack:
        for vendor in made:
            stack.enter_context(vendor.served())
        yield made


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with served() as made:
        yield made


def subscribed(api: Client, vendors: Vendors) -> dict[str, Any]:
    """A connection to each vendor and a subscription of each, by kind."""
    secret = {"clientId": "id", "clientSecret": CANARY}
    account = {"with": "serviceAccount", "clientEmail": "bot@example.com", "privateKey": PEM}
    bot = {"with": "bot", "token": f"xoxb-{CANARY}", "channel": "#contracts"}
    found = {}
    for kind, config, preset, blanks in (
        ("slack", {"signIn": bot, "standIn": vendors.slack.origin}, "slack-executed", {}),
        ("salesforce",
         {"domain": "https://example.my.salesforce.com", "standIn": vendors.salesforce.origin,
          "signIn": {"with": "clientCredentials", **secret}},
         "salesforce-executed-opportunity", {}),
        ("google_calendar", {"signIn": account, "standIn": vendors.calendar.origin}, "google-calendar-expiry",
         {"calendarId": "primary"}),
        ("xero_bill", {"signIn": {"with": "customConnection", **secret}, "standIn": vendors.xero.origin},
         "xero-bill-executed", {"accountCode": "400"}),
    ):  # fmt: skip
        connection = api.ask("POST", "/v1/connections", {"kind": kind, "config": config}, expect=201)
        body = body_of(PRESETS[preset], blanks)
        subscription = {**body, "kind": kind, "connection": connection["id"]}
        found[kind] = api.ask("POST", "/v1/subscriptions", subscription, expect=201)
    return found


def signed(api: Client, reference: str = "006A") -> dict[str, Any]:
    """A contract that everybody signed; the last of its events says so."""
    contract: dict[str, Any] = api.create(**TERMS, referenceId=reference)
    api.upload(contract["externalId"], b"%PDF-1.7")
    path = f"/v1/documents/{contract['externalId']}/actions"
    asked = {"action": "requestSignature", "signers": ["ceo@example.com"], "expiresAt": "2099-12-31T00:00:00Z"}
    api.ask("POST", path, asked)
    api.ask("POST", path, {"action": "sign", "by": "ceo@example.com"})
    return contract


def delivered(api: Client, subscriptions: dict[str, Any], contract: dict[str, Any]) -> dict[str, Any]:
    """The deliveries of the contract's last event, by kind, once each is delivered."""
    last = api.events_of(contract)[-1]["id"]
    return {kind: api.until_delivery(each, last, "delivered") for kind, each in subscriptions.items()}


def has_each_once(vendors: Vendors) -> bool:
    opportunity = vendors.salesforce.records["Opportunity"][0]
    entries = vendors.calendar.confirmed()
    return (
        [message["text"] for message in vendors.slack.messages]
        == [":white_check_mark: *A title* with Smith &amp; Sons is signed."]
        and opportunity == {"Id": "006A", "StageName": "Closed Won"}
        and [entry["start"] for entry in entries] == [{"date": "2099-12-01"}]
        and [(bill["Status"], bill["LineItems"][0]["UnitAmount"]) for bill in vendors.xero.bills]
        == [("DRAFT", 12500.0)]
    )


def test_a_signed_contract_becomes_what_each_vendor_has_and_its_deletion_takes_the_reminder_away(
    gateways: Gateways, vendors: Vendors
) -> None:
    api = gateways(allow=vendors.targets, retry_delays="1,1,1").api
    vendors.salesforce.records["Opportunity"] = [{"Id": "006A", "StageName": "Open"}]
    subscriptions = subscribed(api, vendors)
    contract = signed(api)
    delivered(api, subscriptions, contract)
    assert has_each_once(vendors)
    api.delete(contract)
    until(lambda: not vendors.calendar.confirmed())
    uploaded = api.events_of(contract)[1]["id"]
    until(lambda: api.delivery(subscriptions["slack"], uploaded)["status"] == "skipped")
    skipped = api.delivery(subscriptions["slack"], uploaded)
    assert (skipped["attempts"], skipped["cause"]["code"]) == ([], "skipped")
    assert skipped["cause"]["detail"] == "Not sent: document.status did not change; it is 'created'."


def test_vendors_that_fail_in_their_own_ways_have_each_once_in_the_end(gateways: Gateways, vendors: Vendors) -> None:
    api = gateways(allow=vendors.targets, retry_delays="1,1,1").api
    vendors.salesforce.records["Opportunity"] = [{"Id": "006A", "StageName": "Open"}]
    subscriptions = subscribed(api, vendors)
    vendors.slack.fail(slack.refused("internal_error"), slack.too_fast(1), HTML_500)
    vendors.salesforce.fail(salesforce.LOCKED, HTML_500)
    vendors.calendar.fail(HTML_500)
    vendors.xero.lose_answers(3)
    contract = signed(api)
    delivered(api, subscriptions, contract)
    assert has_each_once(vendors)


def test_what_no_retry_mends_fails_at_once_and_goes_with_a_replay(gateways: Gateways, vendors: Vendors) -> None:
    api = gateways(allow=vendors.targets, retry_delays="1,1,1").api
    subscription = subscribed(api, vendors)["salesforce"]
    contract = signed(api)
    last = api.events_of(contract)[-1]["id"]
    failed = api.until_delivery(subscription, last, "failed")
    assert len(failed["attempts"]) == 1
    assert "NOT_FOUND" in failed["attempts"][0]["detail"]
    vendors.salesforce.records["Opportunity"].append({"Id": "006A", "StageName": "Open"})
    api.retry(subscription, last)
    api.until_delivery(subscription, last, "delivered", attempts=2)


def test_forty_deliveries_after_an_expiry_ask_for_one_token(gateways: Gateways, vendors: Vendors) -> None:
    api = gateways(allow=vendors.targets, retry_delays="1,1,1").api
    references = [f"006A{number:03}" for number in range(40)]
    vendors.salesforce.records["Opportunity"] = [{"Id": each, "StageName": "Open"} for each in references]
    subscription = subscribed(api, vendors)["salesforce"]
    delivered(api, {"salesforce": subscription}, signed(api, references[0]))
    assert vendors.salesforce.tokens.given == 1
    api.change_subscription(subscription, status="paused")
    contracts = [signed(api, each) for each in references[1:]]
    vendors.salesforce.tokens.expire()
    api.change_subscription(subscription, status="active")
    attempts = [
        delivered(api, {"salesforce": subscription}, contract)["salesforce"]["attempts"] for contract in contracts
    ]
    assert vendors.salesforce.tokens.given == 2
    assert not [each for tried in attempts for each in tried if each["counted"] and each["error"] is not None]
    assert {record["StageName"] for record in vendors.salesforce.records["Opportunity"]} == {"Closed Won"}


def test_a_secret_that_no_longer_opens_disables_with_the_reason_and_loses_nothing(
    gateways: Gateways, vendors: Vendors
) -> None:
    api = gateways(allow=vendors.targets, retry_delays="1,1,1").api
    vendors.xero.tokens.client = ("id", "another")
    subscription = subscribed(api, vendors)["xero_bill"]
    contract = signed(api)
    until(lambda: api.subscription(subscription)["status"] == "disabled")
    assert "invalid_client" in str(api.subscription(subscription))
    config = {"signIn": {"with": "customConnection", "clientId": "id", "clientSecret": "another"}}
    api.ask("PATCH", f"/v1/connections/{subscription['connection']}", {"config": config})
    api.change_subscription(subscription, status="active")
    delivered(api, {"xero_bill": subscription}, contract)
    assert len(vendors.xero.bills) == 1


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_no_bill_and_no_entry_is_there_twice_if_the_gateway_is_killed_between_its_calls(
    gateways: Gateways, vendors: Vendors, calls: int
) -> None:
    gateway = gateways(allow=vendors.targets, retry_delays="1,1,1")
    api = gateway.api
    vendors.salesforce.records["Opportunity"] = [{"Id": "006A", "StageName": "Open"}]
    subscriptions = subscribed(api, vendors)
    contract = signed(api)
    until(lambda: len(vendors.xero.calls()) + len(vendors.calendar.calls()) >= calls)
    gateway.kill()
    gateway.start()
    delivered(api, subscriptions, contract)
    assert len(vendors.xero.bills) == 1
    assert len(vendors.calendar.confirmed()) == 1


def test_no_secret_is_in_a_log_an_answer_a_metric_a_preview_or_a_backup(
    gateways: Gateways, vendors: Vendors, tmp_path: Path
) -> None:
    gateway = gateways(allow=vendors.targets, retry_delays="1,1,1")
    api = gateway.api
    subscriptions = subscribed(api, vendors)
    vendors.slack.fail(slack.refused(f"xoxb-{CANARY} is not known here"))
    vendors.xero.tokens.is_down = True
    contract = signed(api)
    last = api.events_of(contract)[-1]["id"]
    api.until_delivery(subscriptions["slack"], last, "failed")
    paths = ["/v1/connections", "/v1/subscriptions", "/v1/destinations", "/metrics"]
    paths += [f"/v1/subscriptions/{each['id']}/deliveries/{last}" for each in subscriptions.values()]
    shown = [api.request("GET", path).body for path in paths]
    previews = [
        api.request("POST", f"/v1/subscriptions/{each['id']}/preview", {"eventId": last})
        for each in subscriptions.values()
    ]
    assert [preview.status for preview in previews] == [200] * len(subscriptions)
    shown += [preview.body for preview in previews]
    backup = tmp_path / "backup.db"
    run_command("db", "backup", backup, SIGNALPOST_DATA_DIR=str(gateway.data_dir))
    assert b"Smith & Sons" in backup.read_bytes(), "what is no secret is there"
    gateway.signal()
    gateway.wait()
    kept = [backup, gateway.stdout, gateway.stderr, *gateway.data_dir.glob("signalpost.db*")]
    places = [*shown, *(file.read_bytes() for file in kept)]
    for secret in (CANARY.encode(), PEM.splitlines()[1].encode(), b"access-1"):
        assert not [place for place in places if secret in place]
