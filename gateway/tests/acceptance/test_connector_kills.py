"""A real gateway dies while it renews tokens and calls vendors. No consent is lost, and nothing is at a vendor twice.

Xero's refresh tokens are replaced with each use, and the one before works for a while longer, as Xero's do: a kill
between the vendor's answer and its commit leaves the gateway with that one. `make connector-kills` kills it 200 times.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from gateway.tests.acceptance.client import Client, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.fakes.google_calendar import GoogleCalendar
from gateway.tests.fakes.salesforce import Salesforce
from gateway.tests.fakes.xero import Xero

from signalpost.destinations.presets import body_of
from signalpost.destinations.registry import Destinations

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("CONNECTOR_KILLS", "4"))
LEAST_CALLS = 8
"""How many requests of the vendors, those for tokens included, each contract takes at least."""
PRESETS = {preset.name: preset for kind in Destinations.installed([]).kinds.values() for preset in kind.presets}


CLIENT = {"clientId": "id", "clientSecret": "secret"}
TERMS = {"counterpartyName": "Smith & Sons", "contractValue": 12500.0, "expiryDate": "2099-12-31"}


class Vendors(NamedTuple):
    salesforce: Salesforce
    calendar: GoogleCalendar
    xero: Xero

    @property
    def asked(self) -> int:
        """How many requests came so far, those for tokens included."""
        return sum(len(vendor.asked) for vendor in self)


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    made = Vendors(Salesforce(), GoogleCalendar(), Xero())
    made.xero.names_organisation = True
    made.salesforce.records["Opportunity"] = []
    with ExitStack() as stack:
        for vendor in made:
            stack.enter_context(vendor.served())
        yield made


def subscribed(api: Client, vendors: Vendors) -> list[dict[str, Any]]:
    """A subscription at each vendor."""
    consent = {"with": "consent", **CLIENT}
    in_xero = {"signIn": consent, "standIn": vendors.xero.origin}
    in_calendar = {"signIn": consent, "standIn": vendors.calendar.origin}
    in_salesforce = {
        "domain": "https://example.my.salesforce.com", "standIn": vendors.salesforce.origin,
        "signIn": {"with": "clientCredentials", **CLIENT},
    }  # fmt: skip
    made = [
        subscribe(api, "xero_bill", in_xero, "xero-bill-executed", {"accountCode": "400"}),
        subscribe(api, "google_calendar", in_calendar, "google-calendar-expiry", {"calendarId": "primary"}),
        subscribe(api, "salesforce", in_salesforce, "salesforce-executed-opportunity", {}),
    ]
    for each in made[:2]:
        agree(api, each)
    return made


def subscribe(api: Client, kind: str, config: dict[str, Any], preset: str, blanks: dict[str, Any]) -> dict[str, Any]:
    connection = api.ask("POST", "/v1/connections", {"kind": kind, "config": config}, expect=201)
    body = {**body_of(PRESETS[preset], blanks), "kind": kind, "connection": connection["id"]}
    made: dict[str, Any] = api.ask("POST", "/v1/subscriptions", body, expect=201)
    return made


def agree(api: Client, subscription: dict[str, Any]) -> None:
    """A person agrees at the vendor, and pastes the code."""
    path = f"/v1/connections/{subscription['connection']}/connect"
    asked = api.ask("POST", path)
    assert api.ask("POST", path, {"code": "any", "state": asked["state"]})["connected"] is True


def sign(api: Client, vendors: Vendors, reference: str) -> dict[str, Any]:
    """A contract that everybody signs."""
    vendors.salesforce.records["Opportunity"].append({"Id": reference, "StageName": "Open"})
    contract: dict[str, Any] = api.create(**TERMS, referenceId=reference)
    path = f"/v1/documents/{contract['externalId']}/actions"
    asked = {"action": "requestSignature", "signers": ["ceo@example.com"], "expiresAt": "2099-12-31T00:00:00Z"}
    api.ask("POST", path, asked)
    api.ask("POST", path, {"action": "sign", "by": "ceo@example.com"})
    return contract


def test_a_kill_during_refreshes_and_calls_loses_no_consent_and_makes_nothing_twice(
    gateways: Callable[..., GatewayProcess], vendors: Vendors
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    targets = ",".join(vendor.origin for vendor in vendors)
    gateway = gateways(allow=targets, retry_delays="1,1,1,1,1,1", public_url="https://gateway.example.com")
    api = gateway.api
    subscriptions = subscribed(api, vendors)
    contracts = []
    for number in range(KILLS):
        for vendor in vendors:
            vendor.tokens.expire()
        dies_at = vendors.asked + chance.randint(1, LEAST_CALLS)
        contracts.append(sign(api, vendors, f"006A{number:04}"))
        until(lambda: vendors.asked >= dies_at)  # noqa: B023 - it is asked in this round alone
        gateway.kill()
        gateway.start()
        last = api.events_of(contracts[-1])[-1]["id"]
        for subscription in subscriptions:
            api.until_delivery(subscription, last, "delivered")
    ids = [contract["externalId"] for contract in contracts]
    assert Counter(bill["InvoiceNumber"] for bill in vendors.xero.bills) == Counter(ids)
    assert len(vendors.calendar.confirmed()) == len(contracts)
    assert {record["StageName"] for record in vendors.salesforce.records["Opportunity"]} == {"Closed Won"}
    states = {each["kind"]: each["state"] for each in api.ask("GET", "/v1/connections")["data"]}
    assert states == dict.fromkeys(("xero_bill", "google_calendar", "salesforce"), "ready")
    print(f"{KILLS} kills, {vendors.xero.tokens.given} tokens of Xero's, {len(vendors.xero.bills)} bills, none twice")
