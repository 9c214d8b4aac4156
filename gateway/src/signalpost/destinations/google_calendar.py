"""Google Calendar: one entry for a document, which moves with its date and goes with the document.

**The entry's id is ours.** It is made of the subscription and the document, so nothing has to be remembered to find
the entry again, and a call that is repeated changes the same entry.

**PATCH, on 404 POST, on 409 PATCH.** An entry is changed if it is there and made otherwise. A deleted entry stays under
its id as `cancelled`: a PATCH may not find it and an insert finds the id taken, so a second PATCH, which confirms it,
brings it back.

**When it goes.** The entry is deleted when the document is, when its status is one of `removeWhen`, and when the
document no longer has the date.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote

from msgspec import UNSET, Meta, UnsetType

from signalpost.destinations.access import Access, Consent, Held, Revocation
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import DayTemplate, MomentTemplate, Private, SecretText, Template, secret
from signalpost.destinations.members import (
    ClientId,
    PrivateKey,
    StandIn,
    or_stand_in,
    shortened,
    vendor_origins,
)
from signalpost.destinations.presets.google_calendar import PRESETS
from signalpost.destinations.rulings import Done, Reject, Retry, Ruling, Then, Throttle, by_status, retry_after
from signalpost.destinations.service_account import TOKEN_ORIGIN, KeyFile, grant_to, read_key_file
from signalpost.domain.body import Body, check_of, read_by
from signalpost.domain.checks import Bad, Several
from signalpost.domain.documents.workflow import STATUSES, Status
from signalpost.domain.fields import Email

API_ORIGIN: Final = "https://www.googleapis.com"
CONSENT_ORIGIN: Final = "https://accounts.google.com"
SCOPE: Final = "https://www.googleapis.com/auth/calendar.events"
_TOO_FAST: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})
_GONE: Final = (404, 410)


class ServiceAccount(Private, frozen=True, kw_only=True, tag_field="with", tag="serviceAccount"):
    """An account for programs, with which calendars are shared as with a person."""

    client_email: Annotated[
        Email | UnsetType,
        Meta(
            title="Service account",
            description="The member client_email of the key file, unless the private key is the whole file. Share the "
            "calendar with this address.",
            examples=["signalpost@example.iam.gserviceaccount.com"],
        ),
    ] = UNSET
    private_key: Annotated[
        PrivateKey,
        secret("Private key", "The whole key file, or its member private_key.", "-----BEGIN PRIVATE KEY-----…"),
    ]


class GoogleConsent(Private, frozen=True, kw_only=True, tag_field="with", tag="consent"):
    """A person who gives the gateway access to all calendars that they may change."""

    client_id: ClientId
    client_secret: Annotated[
        SecretText, secret("Client secret", "From the Google Cloud console, “Credentials”.", "GOCSPX-0123456789abcdef")
    ]


def _read_sign_in(value: Any) -> ServiceAccount | GoogleConsent:
    """How the gateway signs in; of a service account, its key file may be given as the private key. Raises Bad or
    Several."""
    if isinstance(value, dict) and value.get("with") == "serviceAccount":
        value = _from_key_file(value)
    sign_in: ServiceAccount | GoogleConsent = check_of(ServiceAccount | GoogleConsent)(value)
    if isinstance(sign_in, ServiceAccount) and sign_in.client_email is UNSET:
        raise Several([Bad("required", "Give the account's address, or the whole key file.", ("clientEmail",))])
    return sign_in


def _from_key_file(given: dict[str, Any]) -> dict[str, Any]:
    """The members, with those of a key file that stands in the place of its private key. Its account is the only one
    for which that key is good."""
    text = given.get("privateKey")
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return given
    try:
        file = read_key_file(text)
    except Bad as bad:
        raise Several([Bad(bad.code, bad.detail, ("privateKey",))]) from None
    return {**given, "clientEmail": file.client_email, "privateKey": file.private_key}


class GoogleConnection(Body, frozen=True, kw_only=True):
    """An account of Google."""

    sign_in: Annotated[
        ServiceAccount | GoogleConsent,
        Meta(
            title="Signs in with",
            description="A service account, or a person's consent.",
            examples=[{"with": "consent", "clientId": "1.apps.googleusercontent.com", "clientSecret": "GOCSPX-0"}],
            extra=read_by(_read_sign_in),
        ),
    ]
    stand_in: StandIn = UNSET


class GoogleCalendarConfig(Body, frozen=True, kw_only=True):
    """What stands in which calendar, and when."""

    calendar_id: Annotated[
        str,
        Meta(
            title="Calendar",
            description="From the calendar's settings, “Integrate calendar”; primary is the account's own.",
            examples=["c_0123456789abcdef@group.calendar.google.com"],
            min_length=1,
            max_length=256,
            pattern=r"^[^\s/]+$",
        ),
    ]
    summary: Annotated[
        Template,
        Meta(title="Title", description="The entry's title.", examples=["{{ document.title }} ends in 30 days"]),
    ]
    description: Annotated[
        Template,
        Meta(title="Text", description="The text of the entry.", examples=["Owner: {{ document.ownerEmail }}"]),
    ] = ""
    start: Annotated[
        MomentTemplate,
        Meta(
            title="When",
            description="A date makes an all-day entry, a timestamp an entry at that time.",
            examples=["{{ document.expiryDate | days: -30 | date }}"],
        ),
    ]
    last_day: Annotated[
        DayTemplate,
        Meta(
            title="Last day",
            description="The last day of an entry of several days. If empty, it lasts one day.",
            examples=["{{ document.expiryDate | date }}"],
        ),
    ] = ""
    minutes: Annotated[
        int,
        Meta(title="Minutes", description="How long an entry with a time lasts.", examples=[30], ge=1, le=1440),
    ] = 30
    remove_when: Annotated[
        tuple[Status, ...],
        Meta(
            title="Remove when",
            description="Statuses in which the entry is deleted. It is always deleted with its document.",
            examples=[["cancelled"]],
            max_length=len(STATUSES),
        ),
    ] = ("cancelled",)


class GoogleCalendar(Destination[GoogleConnection, GoogleCalendarConfig]):
    """Keeps one entry for each document."""

    kind = "google_calendar"
    title = "Google Calendar"
    seconds = 10.0
    rate = (5, 1.0)
    latest_wins = True
    connection = GoogleConnection
    config = GoogleCalendarConfig
    presets = PRESETS

    def origins(self, connection: GoogleConnection) -> tuple[str, ...]:
        """Google's API, and where its tokens come from."""
        return vendor_origins(connection.stand_in, API_ORIGIN, TOKEN_ORIGIN)

    def access(self, connection: GoogleConnection) -> Access:
        """A token for a signed assertion, or from a person's consent."""
        sign_in = connection.sign_in
        token_url = f"{or_stand_in(TOKEN_ORIGIN, connection.stand_in)}/token"
        if isinstance(sign_in, GoogleConsent):
            return Consent(
                authorize_url=f"{or_stand_in(CONSENT_ORIGIN, connection.stand_in)}/o/oauth2/v2/auth",
                token_url=token_url,
                client_id=sign_in.client_id,
                client_secret=sign_in.client_secret,
                scopes=(SCOPE,),
                issuer=CONSENT_ORIGIN,
                more={"access_type": "offline", "prompt": "consent"},  # else there is no refresh token
            )
        file = KeyFile(str(sign_in.client_email), sign_in.private_key)
        return grant_to(file, SCOPE, connection.stand_in)

    def prepare(self, connection: GoogleConnection, config: GoogleCalendarConfig, context: Context) -> Call | Skip:
        """The change of the entry, or its removal."""
        entry = f"{_entries(connection, config)}/{_entry_id(context)}"
        is_over = context.event["type"] == "documentDeleted" or context.document["status"] in config.remove_when
        if not is_over and config.start.strip():
            times = _times(config)
            if isinstance(times, Skip):
                return times
            return Call(method="PATCH", url=entry, json=_body(config, times))
        if not is_over and not context.made:
            return Skip("The document has no date for an entry, and had none.")
        if context.event["type"] == "documentCreated":
            return Skip("The document was created in a status that needs no entry.")
        return Call(method="DELETE", url=entry)

    def classify(
        self,
        connection: GoogleConnection,
        config: GoogleCalendarConfig,
        context: Context,
        call: Call,
        reply: Reply,
    ) -> Ruling:
        """What Google's answer means, and which call follows."""
        if call.method == "DELETE":
            if reply.status in _GONE:
                return Done(detail="There was no entry.", made={})
            return Done(detail="The entry is deleted.", made={}) if reply.is_success else _refusal(reply)
        if reply.is_success:
            link = reply.at("htmlLink")
            return Done(made={"id": _entry_id(context), "url": link if isinstance(link, str) else ""})
        if call.method == "PATCH" and reply.status in _GONE:
            body = {"id": _entry_id(context), **_without_nulls(call.json)}
            return Then(Call(url=_entries(connection, config), json=body))
        if call.method == "POST" and reply.status == 409:
            entry = f"{_entries(connection, config)}/{_entry_id(context)}"
            times = _times(config)
            if not isinstance(times, Skip):
                return Then(Call(method="PATCH", url=entry, json=_body(config, times)))
        return _refusal(reply)

    def probe(self, connection: GoogleConnection) -> Call | None:
        """Lists one entry of the account's own calendar, which the scope allows."""
        return Call(method="GET", url=f"{_api(connection)}/calendars/primary/events?maxResults=1")

    def revocations(self, connection: GoogleConnection, held: Held) -> Sequence[Revocation]:
        """Google takes back a person's consent with its refresh token. A service account's key can be deleted only in
        the console."""
        if not held.refresh_token:
            return ()
        url = f"{or_stand_in(TOKEN_ORIGIN, connection.stand_in)}/revoke"
        return (Revocation(call=Call(url=url, form={"token": held.refresh_token}, authorised=False)),)

    def revoked(self, connection: GoogleConnection, reply: Reply) -> Ruling:
        """A token that Google does not know any more needs no revocation."""
        if reply.at("error") == "invalid_token":
            return Done(detail="Google had already revoked the consent.")
        return by_status(reply)


def _api(connection: GoogleConnection) -> str:
    return f"{or_stand_in(API_ORIGIN, connection.stand_in)}/calendar/v3"


def _entries(connection: GoogleConnection, config: GoogleCalendarConfig) -> str:
    return f"{_api(connection)}/calendars/{quote(config.calendar_id, safe='')}/events"


def _entry_id(context: Context) -> str:
    """Google takes the letters a to v and digits: hexadecimal ones do, and so does what stands before them."""
    return f"sp{context.slot}"


def _body(config: GoogleCalendarConfig, times: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    start, end = times
    return {
        "summary": config.summary,
        "description": config.description,
        "start": start,
        "end": end,
        "status": "confirmed",
    }


def _times(config: GoogleCalendarConfig) -> tuple[dict[str, Any], dict[str, Any]] | Skip:
    """Start and end. A PATCH must name what the other form of time leaves empty, or an entry would have both."""
    start, last = config.start.strip(), config.last_day.strip()
    try:
        if len(start) == len("2026-01-31"):
            first = date.fromisoformat(start)
            after_last = max(first, date.fromisoformat(last) if last else first) + timedelta(days=1)
            return _whole_day(first), _whole_day(after_last)  # Google's end is the first day after
        at = datetime.fromisoformat(start)
        return _moment(at), _moment(at + timedelta(minutes=config.minutes))
    except (ValueError, OverflowError):
        return Skip(f"There is no date or timestamp in {start!r} and {last!r}.")


def _whole_day(day: date) -> dict[str, Any]:
    return {"date": day.isoformat(), "dateTime": None, "timeZone": None}


def _moment(at: datetime) -> dict[str, Any]:
    return {"date": None, "dateTime": at.isoformat(), "timeZone": None}


def _without_nulls(body: Any) -> dict[str, Any]:
    """What an insert says: it has nothing to empty."""
    if not isinstance(body, dict):
        return {}
    return {
        name: {part: each for part, each in value.items() if each is not None} if isinstance(value, dict) else value
        for name, value in body.items()
    }


def _refusal(reply: Reply) -> Ruling:
    """Errors come as `{"error": {"message": …, "errors": [{"reason": …}]}}`."""
    reason, message = reply.at("error", "errors", 0, "reason"), reply.at("error", "message")
    if not isinstance(reason, str):
        return by_status(reply)
    detail = shortened(f"{reason}: {message}")
    if reason in _TOO_FAST:
        return Throttle(detail, retry_after(reply) or 60.0)
    if reason == "backendError":
        return Retry(detail, retry_after(reply))
    ruling = by_status(reply)
    return Reject(reason, detail) if isinstance(ruling, Reject) else ruling
