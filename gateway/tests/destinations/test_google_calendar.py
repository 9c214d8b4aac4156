"""Google Calendar: an entry that moves with its document and goes with it, found by an id of our own."""

import json
from typing import Any

import pytest
from gateway.tests.destinations.kinds import PEM, SLOT, config, connection, context, pointers, reply
from msgspec.structs import replace

from signalpost.destinations.access import Consent, Grant
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.google_calendar import SCOPE, GoogleCalendar
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Then, Throttle
from signalpost.domain.errors import Invalid

CALENDAR = GoogleCalendar()
ACCOUNT = connection(
    "google_calendar", signIn={"with": "serviceAccount", "clientEmail": "bot@example.com", "privateKey": PEM}
)
SAID: dict[str, Any] = {"calendarId": "team@example.com", "summary": "It ends", "start": "2026-12-31"}
ENTRIES = "https://www.googleapis.com/calendar/v3/calendars/team%40example.com/events"
ENTRY = f"{ENTRIES}/sp{SLOT}"
GONE = {"error": {"code": 404, "message": "Not Found", "errors": [{"reason": "notFound"}]}}


def read(**said: Any) -> Any:
    return config("google_calendar", ACCOUNT, **{**SAID, **said})


def prepared(event_type: str = "documentUpdated", said: Any = None, **given: Any) -> Call | Skip:
    return CALENDAR.prepare(ACCOUNT, said or read(), context(event_type, **given))


def first_call(**given: Any) -> Call:
    call = prepared(**given)
    assert isinstance(call, Call)
    return call


def ruled(call: Call, status: int, body: Any = b"", **headers: str) -> Ruling:
    return CALENDAR.classify(ACCOUNT, read(), context(), call, reply(status, body, **headers))


def test_an_entry_for_a_day_ends_the_day_after() -> None:
    assert first_call() == Call(
        method="PATCH",
        url=ENTRY,
        json={
            "summary": "It ends",
            "description": "",
            "start": {"date": "2026-12-31", "dateTime": None, "timeZone": None},
            "end": {"date": "2027-01-01", "dateTime": None, "timeZone": None},
            "status": "confirmed",
        },
    )


@pytest.mark.parametrize(
    ("said", "start", "end"),
    [
        ({"lastDay": "2027-01-02"}, {"date": "2026-12-31"}, {"date": "2027-01-03"}),
        ({"lastDay": "2026-01-01"}, {"date": "2026-12-31"}, {"date": "2027-01-01"}),
        ({"start": "2028-02-29"}, {"date": "2028-02-29"}, {"date": "2028-03-01"}),
        (
            {"start": "2026-12-31T23:45:00.000000+00:00"},
            {"dateTime": "2026-12-31T23:45:00+00:00"},
            {"dateTime": "2027-01-01T00:15:00+00:00"},
        ),
        (
            {"start": "2026-12-31T10:00:00+02:00", "minutes": 90},
            {"dateTime": "2026-12-31T10:00:00+02:00"},
            {"dateTime": "2026-12-31T11:30:00+02:00"},
        ),
    ],
)
def test_days_and_times(said: dict[str, Any], start: dict[str, str], end: dict[str, str]) -> None:
    body = first_call(said=read(**said)).json
    assert {name: value for name, value in body["start"].items() if value} == start  # type: ignore[index]
    assert {name: value for name, value in body["end"].items() if value} == end  # type: ignore[index]


@pytest.mark.parametrize("start", ["soon", "2026-02-30", "9999-12-31", "2026-12-31T25:00:00+00:00"])
def test_what_is_no_date_is_skipped(start: str) -> None:
    assert isinstance(prepared(said=replace(read(), start=start)), Skip)


def test_the_entry_goes_with_the_document() -> None:
    assert prepared("documentDeleted", status="other") == Call(method="DELETE", url=ENTRY)
    assert prepared(status="cancelled") == Call(method="DELETE", url=ENTRY)
    assert first_call(status="paused").method == "PATCH"
    assert prepared(said=read(removeWhen=["paused"]), status="paused") == Call(method="DELETE", url=ENTRY)


def test_the_entry_goes_when_the_date_does() -> None:
    without = read(start="")
    assert prepared(said=without, made={"id": "sp"}) == Call(method="DELETE", url=ENTRY)
    assert isinstance(prepared(said=without), Skip)
    assert isinstance(prepared("documentCreated", said=without), Skip)
    assert isinstance(prepared("documentCreated", status="cancelled"), Skip)


def test_an_entry_that_is_not_there_is_made_and_a_cancelled_one_is_brought_back() -> None:
    patch = first_call()
    made = ruled(patch, 404, GONE)
    assert isinstance(made, Then)
    assert made.call == Call(
        url=ENTRIES,
        json={
            "id": f"sp{SLOT}",
            "summary": "It ends",
            "description": "",
            "start": {"date": "2026-12-31"},
            "end": {"date": "2027-01-01"},
            "status": "confirmed",
        },
    )
    assert ruled(made.call, 409, {"error": {"errors": [{"reason": "duplicate"}]}}) == Then(patch)
    assert ruled(patch, 410, GONE) == made


def test_what_was_made_is_remembered_and_what_was_deleted_forgotten() -> None:
    link = "https://www.google.com/calendar/event?eid=1"
    assert ruled(first_call(), 200, {"htmlLink": link}) == Done(made={"id": f"sp{SLOT}", "url": link})
    delete = Call(method="DELETE", url=ENTRY)
    assert ruled(delete, 204) == Done(detail="The entry is deleted.", made={})
    assert ruled(delete, 404, GONE) == Done(detail="There was no entry.", made={})
    assert ruled(delete, 410, GONE) == Done(detail="There was no entry.", made={})


@pytest.mark.parametrize(
    ("status", "reason", "headers", "expected"),
    [
        (403, "rateLimitExceeded", {}, Throttle("rateLimitExceeded: Why.", 60.0)),
        (403, "userRateLimitExceeded", {"retry_after": "3"}, Throttle("userRateLimitExceeded: Why.", 3.0)),
        (403, "quotaExceeded", {}, Throttle("quotaExceeded: Why.", 60.0)),
        (429, "rateLimitExceeded", {}, Throttle("rateLimitExceeded: Why.", 60.0)),
        (401, "authError", {}, Reauthorise("The vendor answered 401.")),
        (403, "forbiddenForNonOrganizer", {}, Reject("forbiddenForNonOrganizer", "forbiddenForNonOrganizer: Why.")),
        (400, "timeRangeEmpty", {}, Reject("timeRangeEmpty", "timeRangeEmpty: Why.")),
        (500, "backendError", {}, Retry("backendError: Why.")),
        (503, "other", {}, Retry("The vendor answered 503.")),
    ],
)
def test_what_an_error_means(status: int, reason: str, headers: dict[str, str], expected: Ruling) -> None:
    body = {"error": {"code": status, "message": "Why.", "errors": [{"reason": reason}]}}
    assert ruled(first_call(), status, body, **headers) == expected


def test_a_calendar_that_is_not_shared_refuses_the_entry() -> None:
    insert = Call(url=ENTRIES, json={})
    assert ruled(insert, 404, GONE) == Reject("notFound", "notFound: Not Found")
    assert ruled(insert, 500, b"<html>") == Retry("The vendor answered 500.")


def test_a_service_account_signs_and_a_person_consents() -> None:
    token_url = "https://oauth2.googleapis.com/token"
    assert CALENDAR.access(ACCOUNT) == Grant(
        url=token_url,
        form={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
        claims={"iss": "bot@example.com", "scope": SCOPE, "aud": token_url},
        signing_key=PEM,
    )
    person = connection("google_calendar", signIn={"with": "consent", "clientId": "id", "clientSecret": "s3"})
    assert CALENDAR.access(person) == Consent(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url=token_url,
        client_id="id",
        client_secret="s3",
        scopes=(SCOPE,),
        issuer="https://accounts.google.com",
        more={"access_type": "offline", "prompt": "consent"},
    )
    assert CALENDAR.origins(person) == ("https://www.googleapis.com", "https://oauth2.googleapis.com")


def test_a_stand_in_takes_the_place_of_every_origin_and_the_assertion_is_still_for_google() -> None:
    proxied = replace(ACCOUNT, stand_in="http://127.0.0.1:8080")
    call = CALENDAR.prepare(proxied, read(), context())
    assert isinstance(call, Call)
    assert call.url.startswith("http://127.0.0.1:8080/calendar/v3/")
    assert CALENDAR.origins(proxied) == ("http://127.0.0.1:8080",)
    access = CALENDAR.access(proxied)
    assert isinstance(access, Grant)
    assert access.url == "http://127.0.0.1:8080/token"
    assert access.claims == {"iss": "bot@example.com", "scope": SCOPE, "aud": "https://oauth2.googleapis.com/token"}


KEY_FILE = json.dumps(
    {"type": "service_account", "private_key": PEM, "client_email": "bot@project.example.com", "token_uri": "…"},
    indent=2,
)
ONE_LINE = PEM.replace("\n", "")
ESCAPED = json.dumps(PEM)


@pytest.mark.parametrize(
    "key",
    [PEM, f"  {PEM.strip()}  ", PEM.replace("\n", "\r\n"), ESCAPED[1:-1], ESCAPED, f"{ESCAPED},", ONE_LINE],
    ids=["as it is", "trimmed", "CRLF", "escaped", "quoted", "a line of the file", "without line breaks"],
)
def test_a_private_key_is_taken_however_it_was_copied(key: str) -> None:
    sign_in = {"with": "serviceAccount", "clientEmail": "bot@example.com", "privateKey": key}
    assert connection("google_calendar", signIn=sign_in) == ACCOUNT


@pytest.mark.parametrize("file", [KEY_FILE, KEY_FILE.replace("\n", "")], ids=["as it is", "in a field of one line"])
@pytest.mark.parametrize("more", [{}, {"clientEmail": "of-the-key-before@example.com"}])
def test_the_whole_key_file_is_taken_with_the_account_that_it_names(file: str, more: dict[str, str]) -> None:
    found = connection("google_calendar", signIn={"with": "serviceAccount", "privateKey": file, **more})
    assert found.sign_in.client_email == "bot@project.example.com"
    assert found.sign_in.private_key == PEM


@pytest.mark.parametrize(
    ("members", "pointer", "said"),
    [
        ({"privateKey": KEY_FILE[:200]}, "privateKey", "not the whole"),
        ({"privateKey": '{"installed": {"client_id": "x"}}'}, "privateKey", "no key file of a service account"),
        ({"privateKey": KEY_FILE.replace("PRIVATE", "PUBLIC")}, "privateKey", "no private key in this"),
        ({"privateKey": PEM.replace("M", "N")}, "privateKey", "cannot be read"),
        ({"privateKey": PEM}, "clientEmail", "the whole key file"),
        ({"privateKey": KEY_FILE.replace("bot@", "")}, "clientEmail", "e-mail"),
    ],
)
def test_a_key_that_is_none_is_named_with_what_to_do(members: dict[str, str], pointer: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        connection("google_calendar", signIn={"with": "serviceAccount", **members})
    [error] = refused.value.errors
    assert error.pointer == f"/config/signIn/{pointer}"
    assert said in error.detail
    assert "MII" not in error.detail


def test_a_bad_connection_is_named_by_pointers() -> None:
    sign_in = {"with": "serviceAccount", "clientEmail": "bot", "privateKey": 1}
    assert pointers(lambda: connection("google_calendar", signIn=sign_in)) == {
        "/config/signIn/clientEmail": "not_an_email",
        "/config/signIn/privateKey": "wrong_type",
    }


def test_a_bad_config_is_named_by_pointers() -> None:
    assert pointers(lambda: read(calendarId="a/b", minutes=0, removeWhen=["gone"])) == {
        "/config/calendarId": "wrong_form",
        "/config/minutes": "out_of_range",
        "/config/removeWhen/0": "not_allowed",
    }
    assert pointers(lambda: read(start="soon", lastDay="2027-02-30")) == {
        "/config/start": "bad_date",
        "/config/lastDay": "bad_date",
    }
    assert pointers(lambda: read(start="{{ document.title }}", lastDay="{{ document.expiryDate }}")) == {
        "/config/start": "bad_template",
        "/config/lastDay": "bad_template",
    }
    assert pointers(lambda: config("google_calendar", ACCOUNT)) == {
        "/config/calendarId": "required",
        "/config/start": "required",
        "/config/summary": "required",
    }


def test_the_recipe_is_a_config() -> None:
    [preset] = CALENDAR.presets
    config("google_calendar", ACCOUNT, **preset.body["config"])
