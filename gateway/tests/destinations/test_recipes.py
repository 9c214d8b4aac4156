"""What happens to an event that a recipe wants, with its blanks filled in: the call. Which events each wants is in
`test_presets.py`."""

from typing import Any

import pytest
from gateway.tests.destinations.kinds import DOCUMENT, KEY, KINDS, SLOT, connection, context
from gateway.tests.domain.language.subjects import notice
from msgspec import UNSET

from signalpost.destinations.calls import Call, Mail, Skip
from signalpost.destinations.destination import Context
from signalpost.destinations.fields import filled
from signalpost.destinations.presets import Preset, body_of
from signalpost.destinations.rulings import Reject
from signalpost.domain.language.names import Subject

CONNECTIONS = {
    "slack": connection("slack", signIn={"with": "bot", "token": "xoxb-1", "channel": "#contracts"}),
    "salesforce": connection(
        "salesforce",
        domain="https://example.my.salesforce.com",
        signIn={"with": "clientCredentials", "clientId": "id", "clientSecret": "s3"},
    ),
    "google_calendar": connection(
        "google_calendar", signIn={"with": "consent", "clientId": "id", "clientSecret": "s3"}
    ),
    "xero_bill": connection("xero_bill", signIn={"with": "customConnection", "clientId": "id", "clientSecret": "s3"}),
    "mail": connection(
        "mail", server="smtp://smtp.example.com", signIn={"with": "nothing"}, sender="contracts@example.com"
    ),
    "http": connection("http", origin="https://api.example.com", signIn={"with": "nothing"}),
}
PRESETS = {preset.name: (kind, preset) for kind in KINDS.kinds.values() for preset in kind.presets}
EXECUTED = context(before={"status": "awaitingSignature"})


def told(**changes: Any) -> Context:
    """A notice, with some members changed."""
    return Context(event=notice(**changes).event, key=KEY, slot=SLOT, before={}, made={}, attempt=1)


def subscription(preset: Preset) -> dict[str, Any]:
    """A preset's body once its blanks are filled in: with their defaults, or their examples where they have none."""
    return body_of(preset, {blank.name: blank.example for blank in preset.inputs if blank.default is UNSET})


def subject(here: Context) -> Subject:
    return Subject(event=here.event, before=here.before, made=here.made)


def becomes(name: str, here: Context) -> Call | Mail | Skip:
    kind, preset = PRESETS[name]
    on = CONNECTIONS[kind.kind]
    said = KINDS.read_config(kind.kind, subscription(preset)["config"], on)
    call = kind.prepare(on, filled(said, subject(here), kind.escape), here)
    assert not isinstance(call, Reject), call
    return call


def sent(name: str, here: Context) -> Any:
    call = becomes(name, here)
    assert isinstance(call, Call)
    return call.json


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_makes_a_call_of_a_signed_contract_or_of_a_notice(name: str) -> None:
    is_of_notices = PRESETS[name][1].body["eventTypes"] == ["notice"]
    assert isinstance(becomes(name, told() if is_of_notices else EXECUTED), Call | Mail)


def test_a_signed_contract_becomes_a_message() -> None:
    assert sent("slack-executed", EXECUTED)["text"] == (
        ":white_check_mark: *Supply agreement* with Smith &amp; Sons &lt;Ltd&gt; is signed."
    )


@pytest.mark.parametrize(
    "status", ["reviewRejected", "approvalRejected", "signatureRejected", "signatureRequestExpired"]
)
def test_what_was_refused_or_expired_becomes_a_message(status: str) -> None:
    here = context(before={"status": "awaitingSignature"}, status=status)
    text = sent("slack-refused", here)["text"]
    assert text == f":warning: *Supply agreement* is now {status}; it was awaitingSignature."


def test_a_deletion_becomes_a_message_that_says_how_far_the_document_had_come() -> None:
    gone = context("documentDeleted", before={"status": "approved"}, status="other")
    assert sent("slack-deleted", gone)["text"].endswith("was deleted; it was approved.")


def test_all_that_happens_to_a_document_goes_into_one_thread() -> None:
    made = {"channel": "#contracts", "ts": "17.1"}
    for event_type in ("documentCreated", "documentUpdated", "documentDeleted"):
        here = context(event_type, made=made)
        assert sent("slack-thread", here)["thread_ts"] == "17.1"


def test_a_signed_contract_changes_the_lead_or_the_opportunity_of_its_reference() -> None:
    for name, path, field in (
        ("salesforce-executed-lead", "Lead", "Status"),
        ("salesforce-executed-opportunity", "Opportunity", "StageName"),
    ):
        call = becomes(name, EXECUTED)
        assert isinstance(call, Call)
        assert call.url.endswith(f"/sobjects/{path}/{DOCUMENT['referenceId']}")
        assert isinstance(call.json, dict)
        assert list(call.json) == [field]


def test_an_expiry_date_becomes_a_reminder_thirty_days_ahead() -> None:
    entry = sent("google-calendar-expiry", context("documentCreated"))
    assert (entry["start"]["date"], entry["end"]["date"]) == ("2027-01-01", "2027-01-02")
    assert entry["summary"] == "Supply agreement ends on 2027-01-31"
    timed = sent("google-calendar-expiry", context(expiryDate="2027-03-02T13:00:00+00:00"))
    assert timed["start"]["date"] == "2027-01-31"
    for here in (context(status="cancelled"), context("documentDeleted", status="other")):
        call = becomes("google-calendar-expiry", here)
        assert isinstance(call, Call)
        assert call.method == "DELETE"
    assert isinstance(becomes("google-calendar-expiry", context(expiryDate=None)), Skip)


def test_a_signed_contract_with_a_value_becomes_a_draft_bill() -> None:
    call = becomes("xero-bill-executed", EXECUTED)
    assert isinstance(call, Call)
    assert call.url.endswith(f"?InvoiceNumbers={DOCUMENT['externalId']}")


def test_a_bill_has_the_documents_id_for_its_number_unless_something_else_is_said() -> None:
    kind, preset = PRESETS["xero-bill-executed"]
    said = {name: value for name, value in subscription(preset)["config"].items() if name != "number"}
    read = KINDS.read_config("xero_bill", said, CONNECTIONS["xero_bill"])
    assert filled(read, subject(EXECUTED), kind.escape).number == DOCUMENT["externalId"]  # type: ignore[attr-defined]


def test_every_event_goes_to_a_service_as_webhooks_receive_it() -> None:
    assert sent("http-everything", EXECUTED) == EXECUTED.event


def test_a_notice_becomes_a_message_with_a_link() -> None:
    assert sent("slack-notices", told())["text"] == (
        ":rotating_light: Nothing reaches the endpoint of Acme &lt;A&gt;. "
        "<https://gateway.example.com/console/t/acme/subscriptions?a=1&amp;b=2|Look>"
    )
    over = told(what="closed", action="resolve")
    assert sent("slack-notices", over)["text"].startswith(":white_check_mark: Nothing")


def test_a_notice_becomes_a_mail() -> None:
    mail = becomes("mail-notices", told())
    assert isinstance(mail, Mail)
    assert mail.subject == "Nothing reaches the endpoint of Acme <A>."
    assert mail.text.endswith("\n\nhttps://gateway.example.com/console/t/acme/subscriptions?a=1&b=2")


def test_a_notice_opens_an_alert_of_its_kind_and_the_one_that_it_is_over_resolves_the_same() -> None:
    assert sent("http-pagerduty", told()) == {
        "event_action": "trigger",
        "dedup_key": "signalpost/subscriptionDisabled",
        "payload": {
            "summary": "Nothing reaches the endpoint of Acme <A>.",
            "source": "Signalpost",
            "severity": "critical",
            "timestamp": "2026-01-15T10:00:00.000000+00:00",
            "class": "subscriptionDisabled",
        },
        "client": "Signalpost",
        "client_url": "https://gateway.example.com/console/t/acme/subscriptions?a=1&b=2",
    }
