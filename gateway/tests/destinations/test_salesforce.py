"""Salesforce: which record changes, that none is created unasked, and what its answers mean."""

from collections.abc import Mapping
from typing import Any

import pytest
from gateway.tests.destinations.kinds import KINDS, PEM, config, connection, context, pointers, reply
from msgspec import UNSET

from signalpost.destinations.access import Grant
from signalpost.destinations.calls import Call, Skip
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Ruling, Throttle
from signalpost.destinations.salesforce import Salesforce

SALESFORCE = Salesforce()
HOME = "https://example.my.salesforce.com"
ORGANISATION = connection(
    "salesforce", domain=HOME, signIn={"with": "clientCredentials", "clientId": "id", "clientSecret": "s3"}
)
LEAD: dict[str, Any] = {"object": "Lead", "matchValue": "00Q5g", "fields": {"Status": "Working", "Note__c": None}}
BY_NUMBER = {**LEAD, "matchField": "Number__c"}


def prepared(**said: Any) -> Call:
    call = SALESFORCE.prepare(ORGANISATION, config("salesforce", ORGANISATION, **said), context())
    assert isinstance(call, Call)
    return call


def ruled(status: int, body: Any = b"", said: Mapping[str, Any] = LEAD, *, headers: Mapping[str, str] = {}) -> Ruling:
    read = config("salesforce", ORGANISATION, **said)
    return SALESFORCE.classify(ORGANISATION, read, context(), prepared(**said), reply(status, body, **headers))


def test_a_record_is_changed_by_its_id() -> None:
    assert prepared(**LEAD) == Call(
        method="PATCH",
        url=f"{HOME}/services/data/v66.0/sobjects/Lead/00Q5g",
        json={"Status": "Working", "Note__c": None},
    )


def test_a_record_found_by_another_field_is_changed_and_never_created() -> None:
    assert prepared(**BY_NUMBER).url == f"{HOME}/services/data/v66.0/sobjects/Lead/Number__c/00Q5g?updateOnly=true"


def test_a_record_is_created_only_if_the_subscription_says_so() -> None:
    call = prepared(**BY_NUMBER, whenMissing="create")
    assert call.url == f"{HOME}/services/data/v66.0/sobjects/Lead/Number__c/00Q5g"


def test_what_finds_the_record_stays_one_segment_of_the_path() -> None:
    call = prepared(**{**BY_NUMBER, "matchValue": "A/B ä?x=1"})
    assert call.url.endswith("/Number__c/A%2FB%20%C3%A4%3Fx%3D1?updateOnly=true")


def test_a_document_without_a_value_to_find_the_record_by_is_skipped() -> None:
    for value in (" ", ".", ".."):
        said = config("salesforce", ORGANISATION, **{**LEAD, "matchValue": value})
        assert isinstance(SALESFORCE.prepare(ORGANISATION, said, context()), Skip)


def test_tokens_come_from_the_organisations_own_domain_for_a_secret_or_a_signed_assertion() -> None:
    url = f"{HOME}/services/oauth2/token"
    assert SALESFORCE.access(ORGANISATION) == Grant(
        url=url, form={"grant_type": "client_credentials"}, basic=("id", "s3")
    )
    for sandbox, audience in ((False, "https://login.salesforce.com"), (True, "https://test.salesforce.com")):
        sign_in = {
            "with": "jwt",
            "clientId": "id",
            "username": "u@example.com",
            "privateKey": PEM,
            "sandbox": sandbox,
        }
        by_key = connection("salesforce", domain=HOME, signIn=sign_in)
        assert SALESFORCE.access(by_key) == Grant(
            url=url,
            form={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
            claims={"iss": "id", "sub": "u@example.com", "aud": audience},
            signing_key=PEM,
        )
    assert SALESFORCE.origins(ORGANISATION) == (HOME,)


@pytest.mark.parametrize(
    ("status", "code", "headers", "expected"),
    [
        (400, "UNABLE_TO_LOCK_ROW", {}, Retry("UNABLE_TO_LOCK_ROW: Why.")),
        (503, "SERVER_UNAVAILABLE", {}, Retry("SERVER_UNAVAILABLE: Why.")),
        (403, "REQUEST_LIMIT_EXCEEDED", {}, Throttle("REQUEST_LIMIT_EXCEEDED: Why.", 900.0)),
        (403, "REQUEST_LIMIT_EXCEEDED", {"retry_after": "5"}, Throttle("REQUEST_LIMIT_EXCEEDED: Why.", 5.0)),
        (401, "INVALID_SESSION_ID", {}, Reauthorise("The vendor answered 401.")),
        (
            400,
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            {},
            Reject("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: Why."),
        ),
        (400, "INVALID_FIELD", {}, Reject("INVALID_FIELD", "INVALID_FIELD: Why.")),
        (404, "NOT_FOUND", {}, Reject("NOT_FOUND", "NOT_FOUND: Why.")),
        (500, "UNKNOWN_EXCEPTION", {}, Retry("The vendor answered 500.")),
    ],
)
def test_what_an_error_means(status: int, code: str, headers: dict[str, str], expected: Ruling) -> None:
    assert ruled(status, [{"errorCode": code, "message": "Why."}], headers=headers) == expected


def test_what_the_other_answers_mean() -> None:
    assert ruled(204) == Done()
    assert ruled(200, {"id": "00Q1", "success": True}, BY_NUMBER) == Done(made={"id": "00Q1"})
    assert ruled(300, ["a", "b"], BY_NUMBER) == Reject("MULTIPLE_RECORDS", "Several Lead records have this Number__c.")
    assert ruled(500, b"<html>") == Retry("The vendor answered 500.")
    assert ruled(302, b"<html>") == Reject("302", "The vendor answered 302.")
    assert ruled(400, [{"message": "Without a code."}]) == Reject("400", "The vendor answered 400.")


def test_a_record_that_is_not_there_is_left_if_the_subscription_says_so() -> None:
    ruling = ruled(404, [{"errorCode": "NOT_FOUND", "message": "Why."}], {**LEAD, "whenMissing": "leave"})
    assert ruling == Done(detail="There is no such Lead; it was left.")
    assert isinstance(ruling, Done)
    assert ruling.made is UNSET


def test_an_apex_error_of_many_lines_is_kept_short() -> None:
    ruling = ruled(400, [{"errorCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "line\n" * 1000}])
    assert isinstance(ruling, Reject)
    assert len(ruling.detail) <= 500
    assert "\n" not in ruling.detail


def test_a_bad_connection_is_named_by_pointers() -> None:
    sign_in = {"with": "jwt", "clientId": "a b", "username": "u", "privateKey": "-----BEGIN"}
    assert pointers(lambda: connection("salesforce", domain=f"{HOME}/home", signIn=sign_in)) == {
        "/config/domain": "bad_url",
        "/config/signIn/clientId": "wrong_form",
        "/config/signIn/username": "wrong_length",
        "/config/signIn/privateKey": "not_a_key",
    }


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil-salesforce.com", "https://evilmy.salesforce.com", "https://example.my.salesforce.com.evil.example"],
)
def test_credentials_go_to_salesforce_alone_unless_something_stands_in_for_it(elsewhere: str) -> None:
    sign_in = {"with": "clientCredentials", "clientId": "id", "clientSecret": "s3"}
    assert pointers(lambda: connection("salesforce", domain=elsewhere, signIn=sign_in)) == {
        "/config/domain": "not_the_vendors"
    }
    proxied = connection("salesforce", domain=HOME, signIn=sign_in, standIn="https://proxy.example.com")
    grant = SALESFORCE.access(proxied)
    assert isinstance(grant, Grant)
    assert (SALESFORCE.origins(proxied), grant.url) == (
        ("https://proxy.example.com",),
        "https://proxy.example.com/services/oauth2/token",
    )


def test_a_bad_config_is_named_by_pointers() -> None:
    def refused(**given: Any) -> dict[str, str]:
        return pointers(lambda: config("salesforce", ORGANISATION, **{**LEAD, **given}))

    assert refused(object="Lead/../x", fields={"Sta tus": [], "Ok": {}}) == {
        "/config/object": "wrong_form",
        "/config/fields/Sta tus": "wrong_form",
        "/config/fields/Ok": "wrong_type",
    }
    assert refused(whenMissing="create") == {"/config/whenMissing": "not_allowed"}
    assert refused(fields={}) == {"/config/fields": "wrong_length"}
    assert refused(fields={"id": "1", "Number__c": "2"}, matchField="Number__c") == {
        "/config/fields/id": "not_allowed",
        "/config/fields/Number__c": "not_allowed",
    }


def test_the_recipes_are_configs() -> None:
    for preset in SALESFORCE.presets:
        said = config("salesforce", ORGANISATION, **preset.body["config"])
        call = SALESFORCE.prepare(ORGANISATION, said, context())
        assert isinstance(call, Call)
    assert KINDS.kind("salesforce") is not None
