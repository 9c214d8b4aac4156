"""Xero: a draft bill for a document, which a person then approves and pays.

Payments have no draft in Xero; a bill that is a draft is the step before, and moves no money.

**No bill twice.** Every attempt first looks whether Xero has a bill of this number, and makes one only if not. The
call that makes it carries an `Idempotency-Key` of the event, for an attempt whose answer was lost while Xero was still
at work. What a delivery made is remembered, so later events of the document make no second bill.

Xero takes 60 calls a minute, 5 at once, and some thousands a day; past the day's limit it asks to wait for hours.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote

from msgspec import UNSET, Meta

from signalpost.destinations.access import Access, Consent, Grant, Held, Revocation
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import Context, Destination
from signalpost.destinations.fields import Private, SecretText, secret
from signalpost.destinations.members import ClientId, StandIn, or_stand_in, shortened, vendor_origins
from signalpost.destinations.presets.xero_bill import PRESETS
from signalpost.destinations.rulings import Done, Reject, Ruling, Then, Throttle, by_status
from signalpost.destinations.xero_draft import XeroBillConfig, bill_of
from signalpost.domain.body import Body
from signalpost.domain.fields import Text

API_ORIGIN: Final = "https://api.xero.com"
TOKEN_ORIGIN: Final = "https://identity.xero.com"  # noqa: S105 - an address, not a token
CONSENT_ORIGIN: Final = "https://login.xero.com"
SCOPES: Final = "accounting.invoices accounting.contacts"
_VOID: Final = ("DELETED", "VOIDED")

Scopes = Annotated[
    str,
    Meta(
        title="Scopes",
        description="As in the app's configuration. Apps from before March 2026 have accounting.transactions instead "
        "of accounting.invoices.",
        examples=[SCOPES],
        max_length=512,
        pattern="^[a-z._ ]+$",
    ),
]
ClientSecret = Annotated[
    SecretText,
    secret("Client secret", "From the app's page “Configuration”, shown once.", "hJ0Tn5vPq2xY8cLd"),
]


class CustomConnection(Private, frozen=True, kw_only=True, tag_field="with", tag="customConnection"):
    """A custom connection: an app for one organisation, authorised once in Xero."""

    client_id: ClientId
    client_secret: ClientSecret
    scopes: Scopes = SCOPES


class XeroConsent(Private, frozen=True, kw_only=True, tag_field="with", tag="consent"):
    """A person who gives the gateway access to an organisation. Needs no paid app."""

    client_id: ClientId
    client_secret: ClientSecret
    scopes: Scopes = SCOPES
    organisation: Annotated[
        Text | None,
        Meta(
            title="Organisation",
            description="Its name in Xero, if the person gives access to more than one.",
            examples=["Demo Company (AU)"],
        ),
    ] = None


class XeroConnection(Body, frozen=True, kw_only=True):
    """An organisation in Xero."""

    sign_in: Annotated[
        CustomConnection | XeroConsent,
        Meta(
            title="Signs in with",
            description="A custom connection, or a person's consent.",
            examples=[{"with": "customConnection", "clientId": "0123ABCD", "clientSecret": "hJ0Tn5vPq2xY8cLd"}],
        ),
    ]
    stand_in: StandIn = UNSET


class XeroBill(Destination[XeroConnection, XeroBillConfig]):
    """Makes one draft bill for each document."""

    kind = "xero_bill"
    title = "Xero draft bill"
    seconds = 15.0
    rate = (50, 60.0)
    connection = XeroConnection
    config = XeroBillConfig
    presets = PRESETS

    def origins(self, connection: XeroConnection) -> tuple[str, ...]:
        """Xero's API, and where its tokens come from."""
        return vendor_origins(connection.stand_in, API_ORIGIN, TOKEN_ORIGIN)

    def access(self, connection: XeroConnection) -> Access:
        """A custom connection's token, or one from a person's consent, whose refresh token is replaced at each use."""
        sign_in = connection.sign_in
        token_url = f"{or_stand_in(TOKEN_ORIGIN, connection.stand_in)}/connect/token"
        if isinstance(sign_in, CustomConnection):
            form = {"grant_type": "client_credentials", "scope": sign_in.scopes}
            return Grant(url=token_url, form=form, basic=(sign_in.client_id, sign_in.client_secret))
        return Consent(
            authorize_url=f"{or_stand_in(CONSENT_ORIGIN, connection.stand_in)}/identity/connect/authorize",
            token_url=token_url,
            client_id=sign_in.client_id,
            client_secret=sign_in.client_secret,
            scopes=("offline_access", *sign_in.scopes.split()),
            issuer=TOKEN_ORIGIN,
        )

    def discover(self, connection: XeroConnection) -> Call | None:
        """Asks to which organisations a person gave access."""
        if isinstance(connection.sign_in, XeroConsent):
            return Call(method="GET", url=f"{or_stand_in(API_ORIGIN, connection.stand_in)}/connections")
        return None

    def discovered(self, connection: XeroConnection, reply: Reply) -> dict[str, str]:
        """The id of the organisation that the connection names, or of the only one."""
        listed = reply.json if isinstance(reply.json, list) else []
        found = {
            str(each.get("tenantName")): (str(each["tenantId"]), str(each.get("id", "")))
            for each in listed
            if isinstance(each, dict) and "tenantId" in each
        }
        wanted = connection.sign_in.organisation if isinstance(connection.sign_in, XeroConsent) else None
        names = ", ".join(found)
        if wanted is not None and wanted not in found:
            raise ValueError(f"The consent is not for {wanted}. It is for: {names or 'no organisation'}.")
        if wanted is None and len(found) != 1:
            raise ValueError(f"Name the organisation in the connection. The consent is for: {names or 'none'}.")
        name = wanted or names
        organisation_id, connection_id = found[name]
        return {"organisation": name, "organisationId": organisation_id, "connectionId": connection_id}

    def prepare(self, connection: XeroConnection, config: XeroBillConfig, context: Context) -> Call | Skip:
        """The question whether there is a bill of this number."""
        if "id" in context.made:
            return Skip("There is already a bill for this document.")
        bill = bill_of(config)
        if isinstance(bill, Skip):
            return bill
        numbers = quote(bill["InvoiceNumber"], safe="")
        return Call(
            method="GET",
            url=f"{_invoices(connection)}?InvoiceNumbers={numbers}",
            headers=_headers(context),
        )

    def classify(
        self, connection: XeroConnection, config: XeroBillConfig, context: Context, call: Call, reply: Reply
    ) -> Ruling:
        """What Xero's answer means, and whether to make a bill."""
        if reply.status != 200:
            return _refusal(reply)
        bill = bill_of(config)
        listed = reply.at("Invoices")
        if isinstance(bill, Skip) or not isinstance(listed, list):
            return Reject("NO_INVOICES", "Xero's answer has no invoices in it.")
        if call.method == "GET":
            there = [each for each in listed if _is_that(each, bill["InvoiceNumber"])]
            if there:
                return _done(there[0], "There is already a bill with this number.")
            return Then(_creation(connection, bill, context))
        invoice = listed[0] if listed and isinstance(listed[0], dict) else {}
        if invoice.get("HasErrors") or invoice.get("ValidationErrors"):
            return Reject("ValidationException", _messages(invoice))
        return _done(invoice, "")

    def foreseen(self, connection: XeroConnection, config: XeroBillConfig, context: Context) -> Sequence[Call]:
        """The call that makes the bill, after the one that asks whether it exists."""
        bill = bill_of(config)
        return () if isinstance(bill, Skip) else (_creation(connection, bill, context),)

    def probe(self, connection: XeroConnection) -> Call | None:
        """Lists one invoice, which the scope of bills allows."""
        return Call(
            method="GET", url=f"{_invoices(connection)}?page=1&pageSize=1", headers={"accept": "application/json"}
        )

    def revocations(self, connection: XeroConnection, held: Held) -> Sequence[Revocation]:
        """The app leaves the organisation, and the person's refresh token ends. A custom connection can be ended only
        in Xero."""
        sign_in, stand_in = connection.sign_in, connection.stand_in
        if not isinstance(sign_in, XeroConsent) or not held.refresh_token:
            return ()
        token = Revocation(
            call=Call(
                url=f"{or_stand_in(TOKEN_ORIGIN, stand_in)}/connect/revocation", form={"token": held.refresh_token}
            ),
            basic=(sign_in.client_id, sign_in.client_secret),
        )
        connected = held.account.get("connectionId")
        if not connected or not held.access_token:
            return (token,)
        url = f"{or_stand_in(API_ORIGIN, stand_in)}/connections/{quote(connected, safe='')}"
        return Revocation(call=Call(method="DELETE", url=url)), token

    def revoked(self, connection: XeroConnection, reply: Reply) -> Ruling:
        """An app that has left the organisation already is what was wanted."""
        return (
            Done(detail="The app was already disconnected from the organisation.")
            if reply.status == 404
            else by_status(reply)
        )


def _invoices(connection: XeroConnection) -> str:
    return f"{or_stand_in(API_ORIGIN, connection.stand_in)}/api.xro/2.0/Invoices"


def _headers(context: Context) -> dict[str, str]:
    """A custom connection is for one organisation; a person's consent must be told for which."""
    organisation = context.account.get("organisationId")
    return {"accept": "application/json"} | ({} if organisation is None else {"xero-tenant-id": organisation})


def _creation(connection: XeroConnection, bill: dict[str, Any], context: Context) -> Call:
    headers = {**_headers(context), "idempotency-key": context.key}
    return Call(method="PUT", url=_invoices(connection), json={"Invoices": [bill]}, headers=headers)


def _is_that(invoice: Any, number: str) -> bool:
    """Bills that were deleted keep their number; and customers' invoices have numbers of their own."""
    return (
        isinstance(invoice, dict)
        and invoice.get("InvoiceNumber") == number
        and invoice.get("Type") == "ACCPAY"
        and invoice.get("Status") not in _VOID
    )


def _done(invoice: Any, detail: str) -> Ruling:
    bill_id = invoice.get("InvoiceID")
    if not isinstance(bill_id, str):
        return Reject("NO_INVOICE_ID", "Xero's answer does not say which bill it is.")
    url = f"https://go.xero.com/AccountsPayable/View.aspx?InvoiceID={quote(bill_id)}"
    return Done(detail=detail, made={"id": bill_id, "url": url})


def _messages(element: Any) -> str:
    errors = element.get("ValidationErrors") if isinstance(element, dict) else None
    listed = errors if isinstance(errors, list) else []
    messages = [str(each.get("Message")) for each in listed if isinstance(each, dict)]
    return shortened("; ".join(messages) or "Xero found the bill invalid and did not say why.")


def _refusal(reply: Reply) -> Ruling:
    """Errors come as `{"Type": …, "Message": …, "Elements": [{"ValidationErrors": [{"Message": …}]}]}`."""
    ruling = by_status(reply)
    if isinstance(ruling, Throttle):
        limit = reply.headers.get("x-rate-limit-problem", "rate")
        return Throttle(shortened(f"Xero's {limit} limit is reached."), ruling.after)
    if reply.status == 403:
        return Reject("403", "Xero refuses this app access to the organisation, or access with these scopes.")
    kind = reply.at("Type")
    if not isinstance(ruling, Reject) or not isinstance(kind, str):
        return ruling
    element = reply.at("Elements", 0)
    return Reject(kind, _messages(element) if element else shortened(f"{kind}: {reply.at('Message')}"))
