"""HubSpot: the change of a record that an event becomes, and what HubSpot's answers mean."""

from typing import Any

import pytest

from signalpost.destinations import Call, Done, Fixed, Reauthorise, Reject, Retry, Ruling, Skip, Throttle
from signalpost.domain.errors import Invalid
from signalpost.testing import Conformance, Rehearsal, context, reply
from signalpost_destinations.hubspot import HubSpot

ACCOUNT = {"token": "pat-eu1-token-canary"}
DEAL = {
    "matchProperty": "contract_number",
    "matchValue": "{{ document.externalId }}",
    "properties": {"dealstage": "closedwon", "amount": "{{ document.contractValue }}"},
}


class TestHubSpot(Conformance):
    kind = HubSpot
    connection = ACCOUNT
    config = DEAL
    accepted = reply(200, {"id": "512", "properties": {}, "archived": False})


class TestHubSpotById(Conformance):
    kind = HubSpot
    connection = ACCOUNT
    config = {
        "object": "2-3465404",
        "matchValue": "{{ document.title }}",
        "properties": {"signed": True, "worth": None},
        "whenMissing": "leave",
    }
    accepted = reply(404, {"category": "OBJECT_NOT_FOUND"})


def prepared(config: dict[str, Any], **document: Any) -> Call | Skip:
    made = Rehearsal(HubSpot, ACCOUNT, config).prepare(context(**document))
    assert isinstance(made, Call | Skip)
    return made


def test_a_record_is_found_by_a_property_with_unique_values() -> None:
    assert prepared(DEAL, externalId="a/b c", contractValue=12000.0) == Call(
        method="PATCH",
        url="https://api.hubapi.com/crm/v3/objects/deals/a%2Fb%20c?idProperty=contract_number",
        json={"properties": {"dealstage": "closedwon", "amount": "12000"}},
    )


def test_a_record_is_found_by_its_id() -> None:
    call = prepared({"object": "contacts", "matchValue": "{{ document.referenceId }}", "properties": {"signed": True}})
    assert call == Call(
        method="PATCH",
        url="https://api.hubapi.com/crm/v3/objects/contacts/00Q5g00000ABCDE",
        json={"properties": {"signed": "true"}},
    )


@pytest.mark.parametrize("value", [None, " ", ".", ".."])
def test_a_document_without_a_value_to_find_a_record_by_is_skipped(value: str | None) -> None:
    by_reference = {**DEAL, "matchValue": "{{ document.referenceId }}"}
    assert isinstance(prepared(by_reference, referenceId=value), Skip)


def test_every_call_carries_the_token() -> None:
    rehearsal = Rehearsal(HubSpot, ACCOUNT, DEAL)
    assert rehearsal.kind.access(rehearsal.connection) == Fixed("Bearer pat-eu1-token-canary")


def test_a_stand_in_is_called_in_place_of_hubspot() -> None:
    rehearsal = Rehearsal(HubSpot, {**ACCOUNT, "standIn": "https://proxy.example"}, DEAL)
    assert rehearsal.kind.origins(rehearsal.connection) == ("https://proxy.example",)


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({**DEAL, "properties": {}}, "/config/properties"),
        ({**DEAL, "properties": {"Deal Stage": "x"}}, "/config/properties/Deal Stage"),
        ({**DEAL, "object": "deals/1"}, "/config/object"),
        ({**DEAL, "matchProperty": "a&b"}, "/config/matchProperty"),
        ({**DEAL, "whenMissing": "create"}, "/config/whenMissing"),
    ],
)
def test_a_bad_config_is_named_by_its_pointer(config: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        Rehearsal(HubSpot, ACCOUNT, config)
    assert [error.pointer for error in refused.value.errors] == [pointer]


MISSING = {"category": "OBJECT_NOT_FOUND", "message": "resource not found"}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"id": "512"}, Done(made={"id": "512"})),
        (200, b"<html>", Done()),
        (404, MISSING, Reject("OBJECT_NOT_FOUND", "OBJECT_NOT_FOUND: resource not found")),
        (400, {"category": "VALIDATION_ERROR", "message": "No."}, Reject("VALIDATION_ERROR", "VALIDATION_ERROR: No.")),
        (400, b"", Reject("400", "The vendor answered 400.")),
        (401, {"category": "INVALID_AUTHENTICATION"}, Reauthorise("The vendor answered 401.")),
        (403, {"category": "MISSING_SCOPES", "message": "No."}, Reject("MISSING_SCOPES", "MISSING_SCOPES: No.")),
        (423, b"", Retry("HubSpot answered 423.")),
        (477, b"", Retry("HubSpot answered 477.")),
        (
            429,
            {"category": "RATE_LIMITS", "message": "Ten a second.", "policyName": "TEN_SECONDLY_ROLLING"},
            Throttle("RATE_LIMITS: Ten a second.", 10.0),
        ),
        (
            429,
            {"category": "RATE_LIMITS", "message": "The day.", "policyName": "DAILY"},
            Throttle("RATE_LIMITS: The day.", 900.0),
        ),
        (502, b"", Retry("The vendor answered 502.")),
    ],
)
def test_what_an_answer_means(status: int, body: Any, expected: Ruling) -> None:
    assert Rehearsal(HubSpot, ACCOUNT, DEAL).play(context(), reply(status, body)).end == expected


def test_a_record_that_is_not_there_can_be_left() -> None:
    played = Rehearsal(HubSpot, ACCOUNT, {**DEAL, "whenMissing": "leave"}).play(context(), reply(404, MISSING))
    assert played.end == Done(detail="None of the deals is that one; nothing was changed.")
    unknown_object = Rehearsal(HubSpot, ACCOUNT, {**DEAL, "whenMissing": "leave"}).play(context(), reply(404, b""))
    assert isinstance(unknown_object.end, Reject)


def test_the_probe_names_what_hubspot_names() -> None:
    rehearsal = Rehearsal(HubSpot, ACCOUNT, DEAL)
    answer = reply(403, {"category": "MISSING_SCOPES", "message": "No."})
    assert rehearsal.kind.probed(rehearsal.connection, answer) == Reject("MISSING_SCOPES", "MISSING_SCOPES: No.")
