"""Xero: one draft bill for a document, looked up by its number before it is made."""

from typing import Any

import pytest
from gateway.tests.destinations.kinds import KEY, config, connection, context, pointers, reply
from msgspec.structs import replace

from signalpost.destinations.access import Consent, Grant
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Then, Throttle
from signalpost.destinations.xero_bill import XeroBill

XERO = XeroBill()
CUSTOM = connection("xero_bill", signIn={"with": "customConnection", "clientId": "id", "clientSecret": "s3"})
PERSON = connection("xero_bill", signIn={"with": "consent", "clientId": "id", "clientSecret": "s3"})
SAID: dict[str, Any] = {
    "contact": "Smith & Sons", "number": "N 1", "due": "2026-02-14",
    "lines": [{"description": "Supply", "unitAmount": 12000.5, "accountCode": "400"}],
}  # fmt: skip
BILL = {
    "Type": "ACCPAY", "Status": "DRAFT", "Contact": {"Name": "Smith & Sons"}, "InvoiceNumber": "N 1",
    "LineAmountTypes": "Exclusive", "DueDate": "2026-02-14",
    "LineItems": [{"Description": "Supply", "Quantity": 1.0, "UnitAmount": 12000.5, "AccountCode": "400"}],
}  # fmt: skip
INVOICES = "https://api.xero.com/api.xro/2.0/Invoices"
LOOK_UP = Call(method="GET", url=f"{INVOICES}?InvoiceNumbers=N%201", headers={"accept": "application/json"})
MAKE = Call(
    method="PUT",
    url=INVOICES,
    json={"Invoices": [BILL]},
    headers={"accept": "application/json", "idempotency-key": KEY},
)
MADE = {"id": "b1", "url": "https://go.xero.com/AccountsPayable/View.aspx?InvoiceID=b1"}


def read(**said: Any) -> Any:
    return config("xero_bill", CUSTOM, **{**SAID, **said})


def prepared(said: Any = None, **given: Any) -> Call | Skip:
    return XERO.prepare(CUSTOM, said or read(), context(**given))


def ruled(call: Call, status: int, body: Any = b"", **headers: str) -> Ruling:
    return XERO.classify(CUSTOM, read(), context(), call, reply(status, body, **headers))


def bill(**given: Any) -> dict[str, Any]:
    return {"InvoiceID": "b1", "InvoiceNumber": "N 1", "Type": "ACCPAY", "Status": "DRAFT", **given}


def test_every_attempt_looks_first_whether_there_is_a_bill_of_this_number() -> None:
    assert prepared() == LOOK_UP
    assert prepared(attempt=3) == LOOK_UP


def test_a_bill_is_made_if_there_is_none() -> None:
    assert ruled(LOOK_UP, 200, {"Invoices": []}) == Then(MAKE)
    assert ruled(MAKE, 200, {"Invoices": [bill()]}) == Done(made=MADE)


def test_a_bill_that_is_there_is_not_made_again() -> None:
    ruling = ruled(LOOK_UP, 200, {"Invoices": [bill(Status="AUTHORISED")]})
    assert ruling == Done(detail="There is already a bill with this number.", made=MADE)


@pytest.mark.parametrize(
    "other", [{"Status": "DELETED"}, {"Status": "VOIDED"}, {"Type": "ACCREC"}, {"InvoiceNumber": "N 11"}]
)
def test_a_bill_that_was_deleted_and_a_customers_invoice_are_other_ones(other: dict[str, str]) -> None:
    assert ruled(LOOK_UP, 200, {"Invoices": [bill(**other)]}) == Then(MAKE)


def test_later_events_of_the_document_make_no_second_bill() -> None:
    assert isinstance(prepared(made=MADE), Skip)


def test_what_is_left_empty_is_not_sent_and_what_is_given_is() -> None:
    line = {
        "description": "Seats", "quantity": "3", "unitAmount": " 19.99 ", "accountCode": "400", "taxType": "INPUT"
    }  # fmt: skip
    said = read(day="2026-01-15", currency="aud", amountsAre="NoTax", lines=[line])
    ruling = XERO.classify(CUSTOM, said, context(), LOOK_UP, reply(200, {"Invoices": []}))
    assert isinstance(ruling, Then)
    assert ruling.call.json == {
        "Invoices": [
            {
                **BILL,
                "Date": "2026-01-15",
                "CurrencyCode": "AUD",
                "LineAmountTypes": "NoTax",
                "LineItems": [
                    {
                        "Description": "Seats",
                        "Quantity": 3.0,
                        "UnitAmount": 19.99,
                        "AccountCode": "400",
                        "TaxType": "INPUT",
                    }
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    "said",
    [
        {"contact": " "},
        {"number": ""},
    ],
)
def test_a_document_of_which_no_bill_can_be_made_is_skipped(said: dict[str, Any]) -> None:
    assert isinstance(prepared(read(**said)), Skip)


@pytest.mark.parametrize("brought", ["much", None, True, "NaN", ""])
def test_a_document_that_brings_no_amount_is_skipped(brought: Any) -> None:
    said = read()
    assert isinstance(prepared(replace(said, lines=(replace(said.lines[0], unit_amount=brought),))), Skip)


@pytest.mark.parametrize("brought", [{"due": "soon"}, {"day": "2026-02-30"}])
def test_a_document_that_brings_no_date_is_skipped(brought: dict[str, str]) -> None:
    assert isinstance(prepared(replace(read(), **brought)), Skip)


VALIDATION = {
    "ErrorNumber": 10,
    "Type": "ValidationException",
    "Message": "A validation exception occurred",
    "Elements": [{"ValidationErrors": [{"Message": "Account code '400' is not valid."}]}],
}


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (400, VALIDATION, {}, Reject("ValidationException", "Account code '400' is not valid.")),
        (400, {"Type": "PostDataInvalidException", "Message": "JSON"}, {},
         Reject("PostDataInvalidException", "PostDataInvalidException: JSON")),
        (400, b"<html>", {}, Reject("400", "The vendor answered 400.")),
        (401, {"Title": "Unauthorized"}, {}, Reauthorise("The vendor answered 401.")),
        (403, {"Title": "Forbidden"}, {},
         Reject("403", "Xero refuses this app access to the organisation, or access with these scopes.")),
        (429, b"", {"retry_after": "42", "x_rate_limit_problem": "minute"},
         Throttle("Xero's minute limit is reached.", 42.0)),
        (429, b"", {"retry_after": "66975", "x_rate_limit_problem": "day"},
         Throttle("Xero's day limit is reached.", 66975.0)),
        (500, b"<html>", {}, Retry("The vendor answered 500.")),
        (503, b"", {}, Retry("The vendor answered 503.")),
        (200, b"<html>", {}, Reject("NO_INVOICES", "Xero's answer has no invoices in it.")),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status: int, body: Any, headers: dict[str, str], expected: Ruling) -> None:
    assert ruled(MAKE, status, body, **headers) == expected
    assert ruled(LOOK_UP, status, body, **headers) == expected


def test_a_bill_that_came_back_with_errors_is_refused() -> None:
    invoice = bill(HasErrors=True, ValidationErrors=[{"Message": "No."}, {"Message": "Never."}])
    assert ruled(MAKE, 200, {"Invoices": [invoice]}) == Reject("ValidationException", "No.; Never.")
    assert isinstance(ruled(MAKE, 200, {"Invoices": [{}]}), Reject)
    assert isinstance(ruled(MAKE, 200, {"Invoices": []}), Reject)


def test_a_custom_connection_has_a_token_of_its_own_and_a_person_consents() -> None:
    token_url = "https://identity.xero.com/connect/token"
    assert XERO.access(CUSTOM) == Grant(
        url=token_url,
        form={"grant_type": "client_credentials", "scope": "accounting.invoices accounting.contacts"},
        basic=("id", "s3"),
    )
    assert XERO.access(PERSON) == Consent(
        authorize_url="https://login.xero.com/identity/connect/authorize",
        token_url=token_url,
        client_id="id",
        client_secret="s3",
        scopes=("offline_access", "accounting.invoices", "accounting.contacts"),
        issuer="https://identity.xero.com",
    )
    assert XERO.origins(PERSON) == ("https://api.xero.com", "https://identity.xero.com")


def test_a_persons_consent_is_for_an_organisation_that_every_call_names() -> None:
    assert XERO.discover(CUSTOM) is None
    assert XERO.discover(PERSON) == Call(method="GET", url="https://api.xero.com/connections")
    account = XERO.discovered(PERSON, reply(200, [{"id": "c1", "tenantId": "t1", "tenantName": "Demo"}]))
    assert account == {"organisation": "Demo", "organisationId": "t1", "connectionId": "c1"}
    call = prepared(account=account)
    assert isinstance(call, Call)
    assert call.headers == {"accept": "application/json", "xero-tenant-id": "t1"}


def test_a_consent_for_several_organisations_needs_one_to_be_named() -> None:
    both = reply(200, [{"tenantId": "t1", "tenantName": "A"}, {"tenantId": "t2", "tenantName": "B"}])
    with pytest.raises(ValueError, match="A, B"):
        XERO.discovered(PERSON, both)
    for_b = replace(PERSON, sign_in=replace(PERSON.sign_in, organisation="B"))
    assert XERO.discovered(for_b, both) == {"organisation": "B", "organisationId": "t2", "connectionId": ""}
    with pytest.raises(ValueError, match="not for B"):
        XERO.discovered(for_b, reply(200, []))
    with pytest.raises(ValueError, match="none"):
        XERO.discovered(PERSON, reply(500, b"<html>"))


def test_a_bad_connection_is_named_by_pointers() -> None:
    sign_in = {"with": "customConnection", "clientId": "", "clientSecret": "s", "scopes": "A;B", "organisation": "x"}
    assert pointers(lambda: connection("xero_bill", signIn=sign_in)) == {
        "/config/signIn/clientId": "wrong_length",
        "/config/signIn/scopes": "wrong_form",
        "/config/signIn/organisation": "unknown_field",
    }


def test_a_bad_config_is_named_by_pointers() -> None:
    lines = [{"description": "a", "unitAmount": 1, "accountCode": ""}, {"description": 1, "quantity": []}]
    assert pointers(lambda: read(amountsAre="Gross", lines=lines)) == {
        "/config/amountsAre": "not_allowed",
        "/config/lines/0/accountCode": "wrong_length",
        "/config/lines/1/description": "wrong_type",
        "/config/lines/1/quantity": "wrong_type",
        "/config/lines/1/accountCode": "required",
        "/config/lines/1/unitAmount": "required",
    }
    assert pointers(lambda: read(lines=[])) == {"/config/lines": "wrong_length"}
    assert pointers(lambda: read(due="in 30 days", day="31.1.2027")) == {
        "/config/due": "bad_date",
        "/config/day": "bad_date",
    }
    amounts = {"unitAmount": "{{ document.contractValue | money }}", "quantity": "two"}
    assert pointers(lambda: read(due="{{ document.title }}", lines=[{**SAID["lines"][0], **amounts}])) == {
        "/config/due": "bad_template",
        "/config/lines/0/unitAmount": "bad_template",
        "/config/lines/0/quantity": "bad_number",
    }


def test_the_recipe_is_a_config() -> None:
    [preset] = XERO.presets
    config("xero_bill", CUSTOM, **preset.body["config"])
