"""Connections and presets on the command line, with vendors behind them: what an administrator without code does."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from gateway.tests.acceptance.client import Client, until
from gateway.tests.cli import command
from gateway.tests.cli.command import Run, json_of
from gateway.tests.destinations.kinds import PEM
from gateway.tests.fakes.google_calendar import GoogleCalendar
from gateway.tests.fakes.salesforce import Salesforce
from gateway.tests.fakes.slack import Slack
from gateway.tests.fakes.vendor import Answer, Vendor, VendorRequest
from gateway.tests.fakes.xero import Xero

pytestmark = pytest.mark.slow

BOT = ("--kind", "slack", "--set", "signIn.with=bot", "--set", "signIn.channel=#contracts", "--secret", "signIn.token")
TERMS = {
    "type": "Contract", "title": "Supply agreement", "ownerEmail": "me@example.com", "authorEmail": "me@example.com",
    "createdAt": "2026-01-02T03:04:05Z", "counterpartyName": "Smith & Sons", "referenceId": "006A",
    "expiryDate": "2099-12-31", "contractValue": 100, "sourceApp": "tests",
}  # fmt: skip


QUEUES: dict[str, Callable[[VendorRequest], bool]] = {
    "sqs": lambda asked: asked.headers.get("x-amz-target") == "AmazonSQS.SendMessage",
    "sns": lambda asked: asked.body.startswith(b"Action=Publish"),
    "eventbridge": lambda asked: asked.headers.get("x-amz-target") == "AWSEvents.PutEvents",
    "s3": lambda asked: asked.method == "PUT" and asked.path.startswith("/contract-events/events/"),
    "pubsub": lambda asked: asked.path.endswith("/topics/events:publish"),
}
"""How an event reaches each kind of queue."""


class Anything(Vendor):
    """A service that takes whatever it gets, and gives a token if it is asked for one."""

    def act(self, asked: VendorRequest) -> Answer:
        return Answer(200, {"id": "1", "path": asked.path, "access_token": "t"})


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    with Slack().served() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def google() -> Iterator[GoogleCalendar]:
    made = GoogleCalendar()
    made.tokens.key = load_pem_private_key(PEM.encode(), None).public_key()  # type: ignore[assignment]
    with made.served() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def salesforce() -> Iterator[Salesforce]:
    with Salesforce().served() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def xero() -> Iterator[Xero]:
    with Xero().served() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def anything() -> Iterator[Anything]:
    with Anything().served() as vendor:
        yield vendor


@pytest.fixture(scope="module")
def data_dir(
    tmp_path_factory: pytest.TempPathFactory, slack: Slack, google: GoogleCalendar, salesforce: Salesforce, xero: Xero,
    anything: Anything,
) -> Iterator[Path]:  # fmt: skip
    folder = tmp_path_factory.mktemp("gateway") / "data"
    targets = ",".join(vendor.origin for vendor in (slack, google, salesforce, xero, anything))
    with command.gateway(folder, "--allow-targets", targets, "--retry-delays", "1"):
        yield folder


@pytest.fixture
def run(data_dir: Path) -> Run:
    return partial(command.run, SIGNALPOST_DATA_DIR=str(data_dir))


@pytest.fixture
def api(data_dir: Path) -> Client:
    address = urlsplit((data_dir / "address").read_text().strip())
    key = (data_dir / "operator-key").read_text().strip()
    return Client(lambda: (address.hostname or "", address.port or 0), lambda: key)


def connection(run: Run, *options: str, stdin: str = "") -> str:
    return str(json_of(run("connections", "create", *options, "--json", stdin=stdin))["id"])


def test_a_connection_is_tested_disconnected_and_given_another_secret(run: Run, slack: Slack) -> None:
    slack.token = "xoxb-good"
    ours = connection(run, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-bad\n")
    assert "invalid_auth" in run("connections", "test", ours, code=1).stderr
    run("connections", "update", ours, *BOT[2:], stdin="xoxb-good\n")
    assert "accepted" in run("connections", "test", ours).stdout
    assert json_of(run("connections", "test", ours, "--json"))["works"] is True
    assert "revoked" in run("connections", "disconnect", ours).stdout
    assert not slack.token
    assert "disconnected" in run("connections", "list").stdout
    assert "no credentials to forget" in run("connections", "disconnect", ours, code=1).stderr
    slack.token = "xoxb-new"
    run("connections", "update", ours, *BOT[2:], stdin="xoxb-new\n")
    assert "accepted" in run("connections", "test", ours).stdout
    slack.token = "xoxb-good"


def test_a_person_lets_the_gateway_in_and_is_forgotten(run: Run, google: GoogleCalendar) -> None:
    options = ("--kind", "google_calendar", "--set", "signIn.with=consent", "--set", "signIn.clientId=id",
               "--secret", "signIn.clientSecret", "--set", f"standIn={google.origin}")  # fmt: skip
    made = run("connections", "create", *options, stdin="secret\n").stdout
    assert "signalpost connections connect" in made
    ours = made.rsplit(None, 1)[1]
    assert "/oauth/start?state=" in run("connections", "connect", ours).stdout
    asked = json_of(run("connections", "connect", ours, "--json"))
    landed = f"https://gateway.example/oauth/callback?code=good&iss=https://accounts.google.com&state={asked['state']}"
    assert run("connections", "connect", ours, "--paste", stdin=landed + "\n").stdout.endswith("Connected.\n")
    assert "accepted" in run("connections", "test", ours).stdout
    cut = json_of(run("connections", "disconnect", ours, "--json"))
    assert (cut["state"], cut["revocation"]["succeeded"]) == ("needs_consent", True)
    wrong = landed.replace("accounts.google.com", "evil.example.com")
    assert "consent was not" in run("connections", "connect", ours, "--paste", stdin=wrong + "\n", code=1).stderr


def test_what_is_wrong_with_a_preset_is_said_by_the_option_that_set_it(run: Run, slack: Slack) -> None:
    ours = connection(run, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-good\n")

    def refused(preset: str, *blanks: str, code: int = 1) -> str:
        options = [part for blank in blanks for part in ("--set", blank)]
        return run("subscriptions", "create", "--preset", preset, "--connection", ours, *options, code=code).stderr

    assert "did you mean slack-executed?" in refused("slack-exected", code=2)
    assert "  --set channel: Write it like #contracts." in refused("slack-executed", "channel=contracts")
    assert "  --set text: At 13: There is no document.titel" in refused("slack-executed", "text={{ document.titel }}")
    assert "  --set seconds: This must be a whole number." in refused("slack-approval-waits", "seconds=3d")
    assert "did you mean slack?" in run("destinations", "show", "slak", code=1).stderr


def test_a_preview_shows_the_request_or_why_there_is_none(run: Run, api: Client, slack: Slack) -> None:
    ours = connection(run, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-good\n")
    options = ("--preset", "slack-approval-waits", "--connection", ours, "--set", "seconds=3600", "--json")
    waits = json_of(run("subscriptions", "create", *options))["id"]
    path = f"/v1/documents/{uuid4()}"
    events = [put(api, path, version, status) for version, status in enumerate(("created", "awaitingApproval"), 1)]
    assert "Not sent: " in run("subscriptions", "preview", waits, events[0]).stdout
    shown = run("subscriptions", "preview", waits, events[1]).stdout
    assert "3600 s after the event" in shown
    assert "still waits for its approval" in shown
    assert "xoxb" not in shown
    as_json = json_of(run("subscriptions", "preview", waits, events[1], "--json"))
    assert as_json["request"]["headers"]["authorization"] == "[secret]"
    put(api, path, 3, "approved")
    assert "by now document.status is 'approved'" in run("subscriptions", "preview", waits, events[1]).stdout
    assert "no event with this id" in run("subscriptions", "preview", waits, str(uuid4()), code=1).stderr
    run("subscriptions", "delete", waits)


def put(api: Client, path: str, version: int, status: str, **terms: object) -> str:
    """The id of the event that a snapshot makes."""
    reply = api.request("PUT", f"{path}?sourceVersion={version}", {**TERMS, "status": status, **terms})
    assert reply.status in (200, 201), reply.body
    return str(reply.headers["signalpost-event"])


def test_a_test_says_why_there_is_nothing_to_send(run: Run, salesforce: Salesforce) -> None:
    """The sample has no reference, by which records are found."""
    ours = connection(
        run, "--kind", "salesforce",
        "--set", "domain=https://example.my.salesforce.com", "--set", f"standIn={salesforce.origin}",
        "--set", "signIn.with=clientCredentials", "--set", "signIn.clientId=id", "--secret", "signIn.clientSecret",
        stdin="secret\n",
    )  # fmt: skip
    preset = ("--preset", "salesforce-executed-lead", "--connection", ours)
    subscription = json_of(run("subscriptions", "create", *preset, "--json"))["id"]
    tested = run("subscriptions", "test", subscription, "--event-type", "documentUpdated", code=1)
    assert "Nothing was sent: " in tested.stderr
    run("subscriptions", "delete", subscription)


def test_every_preset_does_what_it_says_with_two_or_three_blanks_filled_in(
    run: Run, api: Client, tmp_path: Path, slack: Slack, google: GoogleCalendar, salesforce: Salesforce, xero: Xero,
    anything: Anything,
) -> None:  # fmt: skip
    (tmp_path / "key").write_text(PEM)
    (tmp_path / "key.json").write_text(json.dumps({"client_email": "bot@example.com", "private_key": PEM}))
    client = ("--set", "signIn.clientId=id", "--secret", "signIn.clientSecret")
    aws = ("--set", "region=eu-central-1", "--set", "accessKeyId=AKIDEXAMPLE", "--secret", "secretAccessKey",
           "--set", f"endpoint={anything.origin}")  # fmt: skip
    on = {
        "slack": connection(run, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-good\n"),
        "google_calendar": connection(
            run, "--kind", "google_calendar", "--set", f"standIn={google.origin}",
            "--set", "signIn.with=serviceAccount",
            "--set", "signIn.clientEmail=bot@example.com", "--secret-file", f"signIn.privateKey={tmp_path / 'key'}",
        ),
        "salesforce": connection(
            run, "--kind", "salesforce",
            "--set", "domain=https://example.my.salesforce.com", "--set", f"standIn={salesforce.origin}",
            "--set", "signIn.with=clientCredentials", *client, stdin="secret\n",
        ),
        "xero_bill": connection(
            run, "--kind", "xero_bill", "--set", f"standIn={xero.origin}", "--set", "signIn.with=customConnection",
            *client, stdin="secret\n",
        ),
        "http": connection(run, "--kind", "http", "--set", f"origin={anything.origin}", "--set", "signIn.with=nothing"),
        "teams": connection(
            run, "--kind", "teams", "--set", f"standIn={anything.origin}", "--secret", "url",
            stdin="https://default0123.environment.api.powerplatform.com/teams\n",
        ),
        "hubspot": connection(
            run, "--kind", "hubspot", "--set", f"standIn={anything.origin}", "--secret", "token", stdin="pat-eu1-0\n"
        ),
        **{kind: connection(run, "--kind", kind, *aws, stdin="s3cr3t\n") for kind in QUEUES if kind != "pubsub"},
        "pubsub": connection(
            run, "--kind", "pubsub", "--set", f"standIn={anything.origin}",
            "--secret-file", f"keyFile={tmp_path / 'key.json'}",
        ),
    }  # fmt: skip
    blanks = {
        "slack-approval-waits": ["seconds=1", "text=Nudge about {{ document.title }}"],
        "slack-deleted": ["channel=C0123456789"],
        "slack-thread": ["text=Thread of {{ document.title }}: {{ document.status }}"],
        "google-calendar-expiry": ["calendarId=primary"],
        "xero-bill-executed": ["accountCode=400"],
        "http-everything": ["path=/events"],
        "sqs-everything": [f"queueUrl={anything.origin}/123456789012/contracts.fifo"],
        "sns-everything": ["topicArn=arn:aws:sns:eu-central-1:123456789012:contracts"],
        "s3-everything": ["bucket=contract-events"],
        "pubsub-everything": ["topic=projects/contracts/topics/events"],
    }
    kinds = json_of(run("destinations", "list", "--json"))
    made = {}
    for kind in kinds:
        if kind["kind"] == "mail":  # acceptance/test_mail.py has a mail server
            continue
        for preset in kind["presets"]:
            if preset["body"]["eventTypes"] == ["notice"]:  # the next test
                continue
            assert 2 <= len(preset["inputs"]) <= 3
            options = [part for blank in blanks.get(preset["name"], []) for part in ("--set", blank)]
            chosen = ("--preset", preset["name"], "--connection", on[kind["kind"]])
            made[preset["name"]] = json_of(run("subscriptions", "create", *chosen, *options, "--json"))["id"]
    salesforce.records |= {"Lead": [{"Id": "006A"}], "Opportunity": [{"Id": "006A"}]}
    slack.messages.clear()

    path = f"/v1/documents/{uuid4()}"
    put(api, path, 1, "created", title="Supply")
    put(api, path, 2, "awaitingApproval", title="Supply")
    until(lambda: texts(slack, "Nudge about Supply"))
    put(api, path, 3, "approved", title="Supply", contractValue=200)
    put(api, path, 4, "executed", title="Supply", contractValue=200, executedAt="2026-01-15T09:30:00Z")
    other = f"/v1/documents/{uuid4()}"
    put(api, other, 1, "awaitingSignature", title="Refused")
    put(api, other, 2, "signatureRejected", title="Refused")
    until(lambda: texts(slack, "*Supply* with Smith &amp; Sons is signed."))
    until(lambda: texts(slack, "*Refused* is now signatureRejected; it was awaitingSignature."))
    until(lambda: texts(slack, "Thread of Supply: executed"))
    until(lambda: xero.bills)
    assert (xero.bills[0]["Status"], xero.bills[0]["DueDate"]) == ("DRAFT", "2026-02-14")
    until(lambda: salesforce.records["Lead"][0].get("Status") == "Working - Contacted")
    until(lambda: salesforce.records["Opportunity"][0].get("StageName") == "Closed Won")
    until(lambda: [entry["start"] for entry in google.confirmed()].count({"date": "2099-12-01"}) == 2)
    until(lambda: sent(anything, "Supply is signed"))
    until(lambda: sent(anything, "Supply is worth 200 in place of 100"))
    until(lambda: sent(anything, "closedwon"))
    assert api.request("DELETE", path).status == 204
    until(lambda: texts(slack, "*Supply* was deleted; it was executed."))
    until(lambda: len(google.confirmed()) == 1)
    until(lambda: len([asked for asked in anything.asked if asked.path == "/events"]) == 7)
    for is_its in QUEUES.values():
        until(partial(has_seven, anything, is_its))
    thread = until(lambda: found if len(found := in_thread(slack)) == 5 else None)
    assert [("thread_ts" in message) for message in thread] == [False, True, True, True, True]
    for subscription in made.values():
        run("subscriptions", "delete", subscription)


def test_presets_for_notices_are_of_the_tenant_that_has_them(
    data_dir: Path, run: Run, slack: Slack, anything: Anything
) -> None:
    there: Run = partial(command.run, SIGNALPOST_DATA_DIR=str(data_dir), SIGNALPOST_TENANT="operations")
    slack.token = "xoxb-good"
    bot = connection(there, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-good\n")
    pager = connection(
        there, "--kind", "http", "--set", f"origin={anything.origin}", "--set", "signIn.with=bodyKey",
        "--set", "signIn.member=routing_key", "--secret", "signIn.key", stdin="R0UT1NGK3Y\n",
    )  # fmt: skip
    elsewhere = connection(run, *BOT, "--set", f"standIn={slack.origin}", stdin="xoxb-good\n")
    refused = run("subscriptions", "create", "--preset", "slack-notices", "--connection", elsewhere, code=1).stderr
    assert "This tenant has events of these types only: documentCreated" in refused
    for preset, ours in (("slack-notices", bot), ("http-pagerduty", pager)):
        made = json_of(there("subscriptions", "create", "--preset", preset, "--connection", ours, "--json"))["id"]
        assert "R0UT1NGK3Y" not in there("subscriptions", "test", made).stdout
        assert "R0UT1NGK3Y" not in there("subscriptions", "get", made).stdout
        there("subscriptions", "delete", made)
    assert texts(slack, ":rotating_light: Sample: a test of your endpoint. Nothing is wrong.")
    [asked] = sent(anything, "R0UT1NGK3Y")
    assert json.loads(asked.body)["dedup_key"] == "signalpost/subscriptionFailing"


def has_seven(vendor: Vendor, is_one: Callable[[VendorRequest], bool]) -> bool:
    return len([asked for asked in vendor.asked if is_one(asked)]) == 7


def texts(slack: Slack, part: str) -> list[str]:
    return [message["text"] for message in slack.messages if part in message["text"]]


def in_thread(slack: Slack) -> list[dict[str, str]]:
    return [message for message in slack.messages if message["text"].startswith("Thread of Supply")]


def sent(vendor: Vendor, part: str) -> list[VendorRequest]:
    return [asked for asked in vendor.asked if part in json.dumps(asked.body.decode())]
