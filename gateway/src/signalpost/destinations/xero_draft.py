"""The draft bill of Xero: what a subscription says of it, and what Xero is given."""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from signalpost.destinations.calls import Skip
from signalpost.destinations.fields import DayTemplate, NumberTemplate, Template
from signalpost.domain.body import Body

MAX_LINES: Final = 20

TaxType = Annotated[str, Meta(min_length=1, max_length=50, pattern="^[A-Z0-9_]+$")]


class DraftLine(Body, frozen=True, kw_only=True):
    """One line of a bill."""

    description: Annotated[
        Template, Meta(title="Description", description="What is paid for.", examples=["{{ document.title }}"])
    ]
    quantity: Annotated[
        NumberTemplate,
        Meta(title="Quantity", description="How many; a number.", examples=[1, "{{ document.additionalFacts.seats }}"]),
    ] = 1
    unit_amount: Annotated[
        NumberTemplate,
        Meta(title="Amount", description="The price of one; a number.", examples=["{{ document.contractValue }}"]),
    ]
    account_code: Annotated[
        str,
        Meta(
            title="Account",
            description="The code of the account, from the chart of accounts.",
            examples=["400"],
            min_length=1,
            max_length=10,
        ),
    ]
    tax_type: Annotated[
        TaxType | None,
        Meta(
            title="Tax rate",
            description="The tax type's name in the API, such as INPUT. Without one, the account's own.",
            examples=["INPUT", None],
        ),
    ] = None


class XeroBillConfig(Body, frozen=True, kw_only=True):
    """The draft bill that an event becomes."""

    contact: Annotated[
        Template,
        Meta(
            title="Supplier",
            description="The contact's name; Xero creates one if there is none of this name.",
            examples=["{{ document.counterpartyName }}"],
        ),
    ]
    number: Annotated[
        Template,
        Meta(
            title="Number",
            description="The bill's number, by which an existing bill is found.",
            examples=["{{ document.externalId }}"],
        ),
    ] = "{{ document.externalId }}"
    day: Annotated[
        DayTemplate,
        Meta(
            title="Date",
            description="The bill's date; left empty, the day on which it is made.",
            examples=["{{ document.executedAt | date }}"],
        ),
    ] = ""
    due: Annotated[
        DayTemplate,
        Meta(
            title="Due",
            description="When it is due.",
            examples=["{{ document.executedAt | days: 30 | date }}"],
        ),
    ]
    currency: Annotated[
        Template,
        Meta(
            title="Currency",
            description="A three-letter code that the organisation uses; if empty, its default.",
            examples=["{{ document.additionalFacts.currency }}"],
        ),
    ] = ""
    amounts_are: Annotated[
        Literal["Exclusive", "Inclusive", "NoTax"],
        Meta(title="Amounts are", description="Without tax, with tax, or free of it.", examples=["Exclusive"]),
    ] = "Exclusive"
    lines: Annotated[
        tuple[DraftLine, ...],
        Meta(
            title="Lines",
            description="What is paid for.",
            examples=[[{"description": "{{ document.title }}", "unitAmount": 100, "accountCode": "400"}]],
            min_length=1,
            max_length=MAX_LINES,
        ),
    ]


def bill_of(config: XeroBillConfig) -> dict[str, Any] | Skip:
    """The bill in Xero's words, or why none can be made of this document."""
    contact, number = config.contact.strip(), config.number.strip()
    if not contact or not number:
        return Skip("The document has no supplier or no number for a bill.")
    lines = [_line(line) for line in config.lines]
    if any(line is None for line in lines):
        return Skip("A quantity or an amount of the bill is no number.")
    days = {"Date": config.day.strip(), "DueDate": config.due.strip()}
    if not all(_is_day(day) for day in days.values() if day):
        return Skip("The date or the due date of the bill is no date.")
    bill = {
        "Type": "ACCPAY",
        "Status": "DRAFT",
        "Contact": {"Name": contact},
        "InvoiceNumber": number,
        "LineAmountTypes": config.amounts_are,
        "LineItems": lines,
        **days,
        "CurrencyCode": config.currency.strip().upper(),
    }
    return {name: value for name, value in bill.items() if value != ""}


def _line(line: DraftLine) -> dict[str, Any] | None:
    quantity, amount = _number(line.quantity), _number(line.unit_amount)
    if quantity is None or amount is None:
        return None
    said = {
        "Description": line.description,
        "Quantity": quantity,
        "UnitAmount": amount,
        "AccountCode": line.account_code,
        "TaxType": line.tax_type,
    }
    return {name: value for name, value in said.items() if value is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return float(number) if number.is_finite() else None


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2026-01-31") and date.fromisoformat(text) is not None
    except ValueError:
        return False
