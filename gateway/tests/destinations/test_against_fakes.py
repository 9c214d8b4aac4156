"""The kinds against vendors that keep state, call by call: what is there afterwards, whatever went wrong between.

The engine's part is played by `delivered`, which makes the calls of one attempt without a network.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec
import pytest
from gateway.tests.destinations.kinds import config, connection, context
from gateway.tests.fakes import google_calendar, salesforce, slack, xero
from gateway.tests.fakes.vendor import HTML_500, LOST, Answer, Tokens, Vendor, VendorRequest
from msgspec import UNSET

from signalpost.destinations.access import Held
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import MAX_FOLLOW_UPS, Context
from signalpost.destinations.google_calendar import GoogleCalendar
from signalpost.destinations.members import client_authorization
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Then, Throttle
from signalpost.destinations.salesforce import Salesforce
from signalpost.destinations.slack import Slack
from signalpost.destinations.xero_bill import XeroBill


def asked_by(call: Call, token: str) -> VendorRequest:
    """A call as its vendor sees it."""
    target = urlsplit(call.url)
    headers = {name.lower(): value for name, value in call.headers.items()}
    if call.authorised:
        headers["authorization"] = f"Bearer {token}"
    body = b"" if call.json is UNSET else msgspec.json.encode(call.json)
    if call.form is not UNSET:
        body = urlencode(call.form).encode()
    return VendorRequest(call.method, unquote(target.path), dict(parse_qsl(target.query)), headers, body)


def answered(vendor: Vendor, call: Call, token: str) -> Reply | None:
    """The reply to a call; None if it was lost."""
    answer = vendor.answer(asked_by(call, token))
    if answer.body is LOST:
        return None
    body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
    return Reply(status=answer.status, headers=answer.headers, body=body)


def delivered(vendor: Vendor, kind: Any, on: Any, said: Any, here: Context, token: str) -> Ruling | Skip | None:
    """What one attempt comes to; None if an answer was lost."""
    call = kind.prepare(on, said, here)
    for _ in range(1 + MAX_FOLLOW_UPS):
        if isinstance(call, Skip):
            return call
        reply = answered(vendor, call, token)
        if reply is None:
            return None
        ruling: Ruling = kind.classify(on, said, here, call, reply)
        if not isinstance(ruling, Then):
            return ruling
        call = ruling.call
    raise AssertionError("The attempt does not come to an end.")


def made_by(ruling: object) -> Mapping[str, str]:
    assert isinstance(ruling, Done)
    assert not isinstance(ruling.made, msgspec.UnsetType)
    return ruling.made


def token_of(tokens: Tokens) -> str:
    """A token, as a client gets one for its id and secret."""
    form = b"grant_type=client_credentials&client_id=id&client_secret=secret"
    token: str = tokens.answer(VendorRequest("POST", "/token", {}, {}, form)).body["access_token"]
    return token


# --- Slack ------------------------------------------------------------------------------------------------------------


def test_slack_keeps_a_documents_messages_in_one_thread_and_begins_another_when_it_is_gone() -> None:
    workspace, kind = slack.Slack(), Slack()
    bot = connection("slack", signIn={"with": "bot", "token": "xoxb-good", "channel": "#contracts"})
    said = config("slack", bot, text="Changed.", oneThreadPerDocument=True)
    made = made_by(delivered(workspace, kind, bot, said, context(), "xoxb-good"))
    assert delivered(workspace, kind, bot, said, context(made=made), "xoxb-good") == Done()
    assert [message.get("thread_ts") for message in workspace.messages] == [None, made["ts"]]
    workspace.threads.clear()
    anew = made_by(delivered(workspace, kind, bot, said, context(made=made), "xoxb-good"))
    assert anew["ts"] != made["ts"]


def test_slack_refuses_with_200_and_a_revoked_token_needs_a_person() -> None:
    workspace, kind = slack.Slack(), Slack()
    bot = connection("slack", signIn={"with": "bot", "token": "xoxb-good"})
    said = config("slack", bot, text="Hi", channel="#nowhere")
    assert isinstance(delivered(workspace, kind, bot, said, context(), "xoxb-good"), Reject)
    workspace.fail(slack.too_fast(7), HTML_500, slack.refused("internal_error"))
    assert delivered(workspace, kind, bot, said, context(), "xoxb-good") == Throttle("Slack refused: ratelimited.", 7)
    assert isinstance(delivered(workspace, kind, bot, said, context(), "xoxb-good"), Retry)
    assert isinstance(delivered(workspace, kind, bot, said, context(), "xoxb-good"), Retry)
    workspace.token = None
    assert isinstance(delivered(workspace, kind, bot, said, context(), "xoxb-good"), Reauthorise)
    assert workspace.messages == []


def test_slack_gets_a_message_twice_if_an_answer_is_lost() -> None:
    workspace, kind = slack.Slack(), Slack()
    hook = connection("slack", signIn={"with": "webhook", "url": f"https://hooks.slack.com{workspace.WEBHOOK_PATH}"})
    said = config("slack", hook, text="Signed.")
    workspace.lose_answers()
    assert delivered(workspace, kind, hook, said, context(), "") is None
    assert delivered(workspace, kind, hook, said, context(attempt=2), "") == Done()
    assert workspace.messages == [{"text": "Signed."}] * 2


# --- Salesforce -------------------------------------------------------------------------------------------------------

ORGANISATION = connection(
    "salesforce",
    domain="https://example.my.salesforce.com",
    signIn={"with": "clientCredentials", "clientId": "id", "clientSecret": "secret"},
)


def test_salesforce_changes_what_is_there_and_makes_nothing_unasked() -> None:
    vendor, kind = salesforce.Salesforce(), Salesforce()
    token = token_of(vendor.tokens)
    vendor.records["Lead"] = [{"Id": "00Q1", "Number__c": "7", "Status": "Open"}]
    by_number = {"object": "Lead", "matchField": "Number__c", "fields": {"Status": "Won"}}

    def attempt(**said: Any) -> object:
        read = config("salesforce", ORGANISATION, **said)
        return delivered(vendor, kind, ORGANISATION, read, context(), token)

    assert attempt(object="Lead", matchValue="00Q1", fields={"Status": "Won"}) == Done()
    assert attempt(**by_number, matchValue="7") == Done(made={"id": "00Q1"})
    assert attempt(**by_number, matchValue="8") == Reject(
        "NOT_FOUND", "NOT_FOUND: The requested resource does not exist"
    )
    assert len(vendor.records["Lead"]) == 1
    assert isinstance(attempt(**by_number, matchValue="8", whenMissing="create"), Done)
    assert [record["Status"] for record in vendor.records["Lead"]] == ["Won", "Won"]
    vendor.records["Lead"][1]["Number__c"] = "7"
    assert isinstance(attempt(**by_number, matchValue="7"), Reject)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (salesforce.LOCKED, Retry),
        (salesforce.APEX, Reject),
        (salesforce.DAY_LIMIT, Throttle),
        (HTML_500, Retry),
    ],
)
def test_salesforce_says_what_can_be_mended(answer: Answer, expected: type[Any]) -> None:
    vendor, kind = salesforce.Salesforce(), Salesforce()
    token = token_of(vendor.tokens)
    said = config("salesforce", ORGANISATION, object="Lead", matchValue="00Q1", fields={"Status": "Won"})
    vendor.fail(answer)
    assert isinstance(delivered(vendor, kind, ORGANISATION, said, context(), token), expected)
    vendor.tokens.expire()
    assert isinstance(delivered(vendor, kind, ORGANISATION, said, context(), token), Reauthorise)


# --- Google Calendar --------------------------------------------------------------------------------------------------

ACCOUNT = connection("google_calendar", signIn={"with": "consent", "clientId": "id", "clientSecret": "secret"})


def test_a_reminder_is_one_entry_that_moves_goes_and_comes_back() -> None:
    vendor, kind = google_calendar.GoogleCalendar(), GoogleCalendar()
    token = token_of(vendor.tokens)

    def happen(start: str, event_type: str = "documentUpdated", status: str = "executed") -> object:
        said = config("google_calendar", ACCOUNT, calendarId="primary", summary="It ends", start=start)
        return delivered(vendor, kind, ACCOUNT, said, context(event_type, status=status), token)

    assert isinstance(happen("2026-12-31"), Done)
    assert isinstance(happen("2027-01-15T09:00:00+00:00"), Done)
    assert isinstance(happen("2027-01-31"), Done)
    [entry] = vendor.confirmed()
    assert entry["start"] == {"date": "2027-01-31"}
    assert entry["end"] == {"date": "2027-02-01"}
    assert isinstance(happen("2027-01-31", status="cancelled"), Done)
    assert vendor.confirmed() == []
    assert isinstance(happen("2027-02-28"), Done), "the document is taken up again"
    [entry] = vendor.confirmed()
    assert entry["start"] == {"date": "2027-02-28"}
    assert isinstance(happen("", "documentDeleted", "other"), Done)
    assert isinstance(happen("", "documentDeleted", "other"), Done), "a repetition finds it gone"
    assert vendor.confirmed() == []


def test_no_entry_is_there_twice_whichever_answer_is_lost() -> None:
    vendor, kind = google_calendar.GoogleCalendar(), GoogleCalendar()
    token = token_of(vendor.tokens)
    said = config("google_calendar", ACCOUNT, calendarId="primary", summary="It ends", start="2026-12-31")
    for lost in range(1, 4):
        vendor.lose_answers(lost)
        attempts = [delivered(vendor, kind, ACCOUNT, said, context(attempt=n), token) for n in range(1, lost + 2)]
        assert isinstance(attempts[-1], Done)
        assert len(vendor.confirmed()) == 1


def test_google_asks_to_wait_with_403() -> None:
    vendor, kind = google_calendar.GoogleCalendar(), GoogleCalendar()
    token = token_of(vendor.tokens)
    said = config("google_calendar", ACCOUNT, calendarId="primary", summary="It ends", start="2026-12-31")
    vendor.fail(google_calendar.TOO_FAST, google_calendar.DAY_LIMIT)
    for _ in range(2):
        assert isinstance(delivered(vendor, kind, ACCOUNT, said, context(), token), Throttle)
    elsewhere = config("google_calendar", ACCOUNT, calendarId="other", summary="It ends", start="2026-12-31")
    assert isinstance(delivered(vendor, kind, ACCOUNT, elsewhere, context(), token), Reject), "it is not shared"


# --- Xero -------------------------------------------------------------------------------------------------------------

CUSTOM = connection("xero_bill", signIn={"with": "customConnection", "clientId": "id", "clientSecret": "secret"})


def bill(account: str = "400") -> Any:
    line = {"description": "Supply", "unitAmount": 10, "accountCode": account}
    return config("xero_bill", CUSTOM, contact="Smith", number="N-1", due="2026-02-14", lines=[line])


def test_no_bill_is_made_twice_whichever_answer_is_lost_and_however_soon_keys_are_forgotten() -> None:
    for lost in range(1, 4):
        vendor, kind = xero.Xero(), XeroBill()
        token = token_of(vendor.tokens)
        vendor.lose_answers(lost)
        ruling: object = None
        for attempt in range(1, lost + 2):
            ruling = delivered(vendor, kind, CUSTOM, bill(), context(attempt=attempt), token)
            vendor.forget_keys()
        made = made_by(ruling)
        assert len(vendor.bills) == 1
        assert vendor.bills[0]["InvoiceID"] == made["id"]
        assert isinstance(delivered(vendor, kind, CUSTOM, bill(), context(made=made), token), Skip)


def test_xero_says_what_can_be_mended() -> None:
    vendor, kind = xero.Xero(), XeroBill()
    token = token_of(vendor.tokens)
    vendor.fail(xero.MINUTE_LIMIT, xero.DAY_LIMIT, HTML_500)
    rulings = [delivered(vendor, kind, CUSTOM, bill(), context(), token) for _ in range(3)]
    assert [getattr(ruling, "after", None) for ruling in rulings] == [42.0, 66975.0, None]
    wrong = delivered(vendor, kind, CUSTOM, bill("9"), context(), token)
    assert wrong == Reject("ValidationException", "Account code '9' is not a valid code for this document.")
    vendor.tokens.expire()
    assert isinstance(delivered(vendor, kind, CUSTOM, bill(), context(), token), Reauthorise)
    assert vendor.bills == []


def test_a_persons_consent_names_the_organisation() -> None:
    vendor, kind = xero.Xero(), XeroBill()
    vendor.names_organisation = True
    token = token_of(vendor.tokens)
    assert isinstance(delivered(vendor, kind, CUSTOM, bill(), context(), token), Reject)
    person = connection("xero_bill", signIn={"with": "consent", "clientId": "id", "clientSecret": "secret"})
    call = kind.discover(person)
    assert call is not None
    reply = answered(vendor, call, token)
    assert reply is not None
    account = kind.discovered(person, reply)
    assert isinstance(delivered(vendor, kind, person, bill(), context(account=account), token), Done)


# --- Disconnecting ----------------------------------------------------------------------------------------------------


def taken_back(vendor: Vendor, kind: Any, on: Any, held: Held) -> list[Ruling]:
    """What the vendor makes of a disconnection."""
    rulings = []
    for each in kind.revocations(on, held):
        asked = asked_by(each.call, held.access_token)
        if each.basic is not None:
            asked.headers["authorization"] = client_authorization(*each.basic)
        answer = vendor.answer(asked)
        body = answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)
        rulings.append(kind.revoked(on, Reply(status=answer.status, headers=answer.headers, body=body)))
    return rulings


def test_slack_takes_a_bots_token_back_once_and_knows_nothing_of_the_kind_for_a_webhook() -> None:
    workspace, kind = slack.Slack(), Slack()
    bot = connection("slack", signIn={"with": "bot", "token": "xoxb-good"})
    assert taken_back(workspace, kind, bot, Held(access_token="xoxb-good")) == [Done()]
    assert workspace.token is None
    [again] = taken_back(workspace, kind, bot, Held(access_token="xoxb-good"))
    assert isinstance(again, Done)
    webhook = connection("slack", signIn={"with": "webhook", "url": "https://hooks.slack.com/services/T0/B0/x"})
    assert taken_back(workspace, kind, webhook, Held()) == []


def test_salesforce_takes_its_token_back_and_says_what_goes_on_working() -> None:
    organisation, kind = salesforce.Salesforce(), Salesforce()
    on = connection(
        "salesforce",
        domain="https://example.my.salesforce.com",
        signIn={"with": "clientCredentials", "clientId": "id", "clientSecret": "secret"},
    )
    token = token_of(organisation.tokens)
    [ruling] = taken_back(organisation, kind, on, Held(access_token=token))
    assert isinstance(ruling, Done)
    assert "secret" in ruling.detail
    assert not organisation.tokens.is_good(asked_by(Call(url="https://x.example/"), token))
    [again] = taken_back(organisation, kind, on, Held(access_token=token))
    assert isinstance(again, Done)
    assert taken_back(organisation, kind, on, Held()) == []


def test_google_takes_a_consent_back_with_its_refresh_token() -> None:
    calendar, kind = google_calendar.GoogleCalendar(), GoogleCalendar()
    on = connection("google_calendar", signIn={"with": "consent", "clientId": "id", "clientSecret": "secret"})
    held = Held(access_token="a", refresh_token=calendar.tokens.consented())
    assert taken_back(calendar, kind, on, held) == [Done()]
    [again] = taken_back(calendar, kind, on, held)
    assert isinstance(again, Done)
    assert "already" in again.detail


def test_the_app_leaves_xeros_organisation_and_its_refresh_token_ends() -> None:
    organisation, kind = xero.Xero(), XeroBill()
    on = connection("xero_bill", signIn={"with": "consent", "clientId": "id", "clientSecret": "secret"})
    account = {"organisation": "Demo", "organisationId": xero.Xero.ORGANISATION, "connectionId": xero.Xero.CONNECTION}
    held = Held(
        access_token=token_of(organisation.tokens), refresh_token=organisation.tokens.consented(), account=account
    )
    assert taken_back(organisation, kind, on, held) == [Done(), Done()]
    assert not organisation.is_connected
    assert not organisation.tokens.is_good(asked_by(Call(url="https://x.example/"), held.access_token))
    without_token = Held(refresh_token=held.refresh_token, account=account)
    assert len(kind.revocations(on, without_token)) == 1, "only a token lets the app leave"
    custom = connection("xero_bill", signIn={"with": "customConnection", "clientId": "id", "clientSecret": "secret"})
    assert taken_back(organisation, kind, custom, Held(access_token="a")) == []
