"""Databases as released versions left them, and what those versions answered: `gateway/tests/releases/`.

`make keep-release` fills a database of this version through the API, on SQLite and on PostgreSQL, and keeps both with
what the gateway answered about them. Later versions are tried with them: `test_kept_releases.py`.

Years may pass until then. So nothing is compared that depends on the time, or on how far the gateway's own work is when
it is asked: portal links end, and a notice is closed once its tenant is paused.
"""

import base64
import json
import lzma
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gateway.tests.acceptance.client import DOCUMENT, Client, until
from gateway.tests.acceptance.receiver import Endpoint
from gateway.tests.acceptance.test_destinations import Vendors, delivered, signed, subscribed
from gateway.tests.acceptance.test_mail import connection

from signalpost_bench import postgres_server
from signalpost_bench.postgres_server import PostgresServer

KEPT = Path(__file__).parents[1] / "releases"
SQLITE, POSTGRES, ANSWERS = "signalpost.db.xz", "postgres.sql.xz", "answers-of-{}.json.xz"

YEARS = 3650
"""The longest retention, in days."""

SETTINGS: Mapping[str, str] = {
    "master_key": base64.b64encode(b"k" * 32).decode(),
    "operator_key": "sp_" + "k" * 43,
    "public_url": "https://gateway.example.com",
    "retention_days": str(YEARS),
    "audit_retention_days": str(YEARS),
    "disable_after_days": "0",
    "notice_after": "10",
    "retry_delays": ",".join(["86400"] * 10),
}
"""Settings with which nothing is removed or given up because years have passed."""

SECRET = "a secret of mine"
"""What signs the events that are owed."""

FORMER_SECRET = "a secret of another system"
FORMER_SIGNATURE: Mapping[str, str] = {
    "header": "X-Convoy-Signature",
    "over": "{timestamp},{body}",
    "prefix": "t={timestamp},v1=",
    "secret": FORMER_SECRET,
}
"""What signs them, too, for receivers of another system."""

EMPTY = {"audit_draft", "correspondence", "job", "node", "retry", "sign_in_link", "sign_in_try"}
"""Tables that have nothing worth keeping: what processes that run tell one another, and what is over within hours."""

CHANGES = {"detail", "downloadUrl", "health", "lastUsedAt", "uses"}
"""Members of answers that depend on when they are asked for, or are for people, and may be put better."""

ACME = {"signalpost_tenant": "acme"}
OPERATIONS = {"signalpost_tenant": "operations"}
SUBSCRIPTIONS = "/v1/subscriptions?limit=250"
LONG_AGO = "2020-01-01T00:00:00Z"
EVENTS = "/v1/events?after=0&limit=250"


class Creditors(NamedTuple):
    """Subscriptions to which every event is owed that happened since they were made."""

    paused: str
    """The id of one that is paused: all waits until it is resumed, and a replay of what it had before."""
    failing: str
    """The id of one whose endpoint failed, and is called again a day later."""


# --- What a version leaves --------------------------------------------------------------------------------------------


def fill(api: Client, vendors: Vendors, mail: str, well: Endpoint, failing: Endpoint) -> None:
    """Have a gateway do something of everything, and come to rest."""
    api.ask("PATCH", "/v1/tenants/operations", {"retentionDays": YEARS})
    api.ask("POST", "/v1/connections", connection(mail), expect=201, **OPERATIONS)
    vendors.salesforce.records["Opportunity"] = [{"Id": "006A", "StageName": "Open"}]
    delivered(api, subscribed(api, vendors), signed(api))
    working = api.subscribe(well.url, name="well", contacts=["ada@example.com"])
    shadow = api.ask("POST", "/v1/subscriptions", {"shadowOf": working["id"], "url": f"{well.url}?shadow"}, expect=201)
    paused = api.subscribe(well.url, name="paused", secret=SECRET, signAlso=[FORMER_SIGNATURE], signWithKeyPair=True)
    failed = api.subscribe(failing.url, name="failing", secret=SECRET, contacts=["ada@example.com"])
    first = api.ask("POST", "/v1/documents", {**DOCUMENT, "title": "First"}, expect=201, idempotency_key="first")
    event = api.events_of(first)[-1]["id"]
    api.until_delivery(paused, event, "delivered")
    api.until_delivery(failed, event, "retrying")
    api.change_subscription(paused, status="paused")
    api.ask("PUT", "/v1/sources/outbox", {"oldestSeconds": 2, "dead": 1}, expect=204)
    asked = {"status": "all", "from": LONG_AGO}
    api.ask("POST", f"/v1/subscriptions/{paused['id']}/replays", asked, expect=202)
    for number in range(20):
        api.patch(first, title=f"First, {number}")
    _erase(api)
    _people(api, working)
    last = [*api.feed()][-1]["event"]["id"]
    for each, status in ((working, "delivered"), (shadow, "delivered"), (failed, "retrying")):
        api.until_delivery(each, last, status)
    until(lambda: answer(api, f"operations {EVENTS}")["data"])  # it is told that an endpoint fails
    api.ask("PATCH", "/v1/tenants/default", {"status": "paused"})


def _erase(api: Client) -> None:
    """A document that is deleted and erased."""
    gone = api.create(title="Gone")
    api.delete(gone)
    api.ask("POST", f"/v1/documents/{gone['externalId']}/erase", {}, expect=202)
    until(lambda: all(each["finishedAt"] for each in api.ask("GET", "/v1/erasures")["data"]))


def _people(api: Client, subscription: Mapping[str, Any]) -> None:
    """Another tenant, keys, a member, and a customer who opened a link."""
    api.ask("POST", "/v1/tenants", {"name": "acme"}, expect=201)
    api.ask("POST", "/v1/documents", {**DOCUMENT, "title": "Theirs"}, expect=201, **ACME)
    api.ask("POST", "/v1/keys", {"name": "theirs", "role": "app"}, expect=201, **ACME)
    api.ask("POST", "/v1/keys", {"name": "a program", "role": "app"}, expect=201)
    api.ask("POST", "/v1/members", {"name": "Ada", "email": "ada@example.com", "role": "viewer"}, expect=201)
    asked = {"name": "A customer", "subscriptions": [subscription["id"]], "can": []}
    link = api.ask("POST", "/v1/portal-links", asked, expect=201)["url"]
    assert api.request("POST", urlsplit(link).path, b"", sec_fetch_site="same-origin").status == 303


# --- What it answers --------------------------------------------------------------------------------------------------


def answers(api: Client) -> dict[str, Any]:
    """What a gateway that rests answers to everything that can be asked of it."""
    return {question: answer(api, question) for question in _questions(api)}


def answer(api: Client, question: str) -> Any:
    """The answer to a path, before which another tenant than `default` may stand."""
    tenant, _, path = question.rpartition(" ")
    return api.ask("GET", path, signalpost_tenant=tenant or "default")


def _questions(api: Client) -> Iterator[str]:
    yield from (SUBSCRIPTIONS, "/v1/documents?limit=250", EVENTS, "/v1/connections", "/v1/keys", "/v1/members")
    yield from ("/v1/tenants", "/v1/erasures", "/v1/replays", "/v1/audit?limit=250", "/v1/audit/verification")
    yield from ("acme /v1/documents", "operations /v1/connections", f"operations {EVENTS}")
    for each in api.ask("GET", SUBSCRIPTIONS)["data"]:
        yield deliveries_of(each["id"])
        for delivery in api.ask("GET", deliveries_of(each["id"]))["data"][:3]:
            yield f"/v1/subscriptions/{each['id']}/deliveries/{delivery['eventId']}"
        if "connection" not in each:  # a webhook, which has a secret
            yield f"/v1/subscriptions/{each['id']}/secret"
        if "shadowOf" in each:
            yield f"/v1/subscriptions/{each['id']}/comparison"


def deliveries_of(subscription: str) -> str:
    """The question after the deliveries of a subscription."""
    return f"/v1/subscriptions/{subscription}/deliveries?limit=250"


def owed(said: Mapping[str, Any]) -> Creditors:
    """The subscriptions that are owed events."""
    by_name = {each["name"]: each["id"] for each in said[SUBSCRIPTIONS]["data"]}
    return Creditors(by_name["paused"], by_name["failing"])


def unsaid(before: Any, now: Any, at: str = "") -> Iterator[str]:
    """What an answer said, and does not say any more. New members, and new entries at the end, are no loss."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name, value in before.items():
            if name not in CHANGES:
                yield from unsaid(value, now.get(name, "nothing"), f"{at}/{name}")
    elif isinstance(before, list) and isinstance(now, list) and len(before) <= len(now):
        for index, value in enumerate(before):
            yield from unsaid(value, now[index], f"{at}/{index}")
    elif before != now:
        yield f"{at}: {before!r} became {now!r}"


# --- Files ------------------------------------------------------------------------------------------------------------


def pack(file: Path, content: bytes) -> None:
    """Keep a file, which every clone of the project will have for ever: so it must be small."""
    packed = lzma.compress(content)
    assert len(packed) < 64 * 1024, f"{file.name} would have {len(packed)} bytes"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(packed)


def unpacked(file: Path) -> bytes:
    """What was kept."""
    return lzma.decompress(file.read_bytes())


def dump(server: PostgresServer) -> bytes:
    """A database as a script, for servers of its version and newer ones, without owners."""
    program = postgres_server.programs(postgres_server.OLDER) / "pg_dump"
    command: list[str | Path] = [program, "--no-owner", "--no-privileges", server.loopback_url()]
    return subprocess.run(command, capture_output=True, check=True).stdout


def restore(url: str, script: bytes) -> None:
    """Run a script that was dumped, on an empty database."""
    program = postgres_server.programs() / "psql"
    command: list[str | Path] = [program, "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", url]
    subprocess.run(command, input=script, capture_output=True, check=True)


def pack_answers(folder: Path, kind: str, said: Mapping[str, Any]) -> None:
    """Keep what was answered."""
    pack(folder / ANSWERS.format(kind), json.dumps(said).encode())


def unpacked_answers(folder: Path, kind: str) -> dict[str, Any]:
    """What was answered."""
    said: dict[str, Any] = json.loads(unpacked(folder / ANSWERS.format(kind)))
    return said
