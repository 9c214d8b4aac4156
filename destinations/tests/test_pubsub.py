"""Google Pub/Sub: the message that an event becomes, and what Google's answers mean."""

import json
from base64 import b64decode
from typing import Any

import pytest
from gateway.tests.destinations.kinds import PEM

from signalpost.destinations import Call, Done, Grant, Reauthorise, Reject, Retry, Ruling, Throttle
from signalpost.domain.errors import Invalid
from signalpost.testing import Conformance, Rehearsal, context, reply
from signalpost_destinations.pubsub import PubSub

KEY_FILE = json.dumps({"type": "service_account", "client_email": "s@example.com", "private_key": PEM})
ACCOUNT = {"keyFile": KEY_FILE}
CONFIG = {"topic": "projects/contracts-4711/topics/events"}
DOCUMENT_ID = "0198f2a0-0000-7000-8000-000000000002"


class TestPubSub(Conformance):
    kind = PubSub
    connection = ACCOUNT
    config = CONFIG
    accepted = reply(200, {"messageIds": ["5fea"]})
    refused = (reply(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "No."}}),)


def test_a_message_is_the_event_with_attributes_in_the_order_of_its_document() -> None:
    call = Rehearsal(PubSub, ACCOUNT, {**CONFIG, "source": "urn:x"}).prepare(context())
    assert isinstance(call, Call)
    assert call.url == "https://pubsub.googleapis.com/v1/projects/contracts-4711/topics/events:publish"
    body: Any = call.json
    [message] = body["messages"]
    assert json.loads(b64decode(message["data"])) == context().event
    assert message["orderingKey"] == DOCUMENT_ID
    assert message["attributes"] == {
        "ce-specversion": "1.0",
        "ce-id": context().event["id"],
        "ce-source": "urn:x",
        "ce-type": "documentUpdated",
        "ce-time": "2026-01-15T09:30:00.000000+00:00",
        "ce-subject": DOCUMENT_ID,
        "content-type": "application/json",
    }


def test_tokens_are_asked_for_with_the_key_file() -> None:
    made = Rehearsal(PubSub, ACCOUNT, CONFIG)
    grant = made.kind.access(made.connection)
    assert isinstance(grant, Grant)
    assert grant.url == "https://oauth2.googleapis.com/token"
    assert grant.signing_key == PEM
    assert grant.claims == {
        "iss": "s@example.com",
        "scope": "https://www.googleapis.com/auth/pubsub",
        "aud": "https://oauth2.googleapis.com/token",
    }


def test_a_region_has_an_address_of_its_own() -> None:
    made = Rehearsal(PubSub, {**ACCOUNT, "region": "europe-west3"}, CONFIG)
    assert made.kind.origins(made.connection) == (
        "https://europe-west3-pubsub.googleapis.com",
        "https://oauth2.googleapis.com",
    )


def test_a_stand_in_is_called_in_place_of_both() -> None:
    made = Rehearsal(PubSub, {**ACCOUNT, "standIn": "https://proxy.example"}, CONFIG)
    assert made.kind.origins(made.connection) == ("https://proxy.example",)


@pytest.mark.parametrize(
    ("account", "config", "pointer"),
    [
        (ACCOUNT, {"topic": "events"}, "/config/topic"),
        ({**ACCOUNT, "region": "Frankfurt"}, CONFIG, "/config/region"),
        ({"keyFile": "{"}, CONFIG, "/config/keyFile"),
        ({"keyFile": PEM}, CONFIG, "/config/keyFile"),
        ({"keyFile": '{"client_email": "s@example.com"}'}, CONFIG, "/config/keyFile"),
        ({"keyFile": '{"client_email": "s@example.com", "private_key": "x"}'}, CONFIG, "/config/keyFile"),
    ],
)
def test_what_is_wrong_is_named_by_its_pointer(account: dict[str, Any], config: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        Rehearsal(PubSub, account, config)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def said(status: str) -> dict[str, Any]:
    return {"error": {"code": 400, "status": status, "message": "No."}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"messageIds": ["5f"]}, Done(detail="Message 5f.")),
        (
            404,
            said("NOT_FOUND"),
            Reject("NOT_FOUND", "NOT_FOUND: No. There is no such topic: correct its name, or create it."),
        ),
        (
            403,
            said("PERMISSION_DENIED"),
            Reject(
                "PERMISSION_DENIED",
                "PERMISSION_DENIED: No. Give the service account the role “Pub/Sub Publisher” on the topic.",
            ),
        ),
        (400, said("INVALID_ARGUMENT"), Reject("INVALID_ARGUMENT", "INVALID_ARGUMENT: No.")),
        (401, said("UNAUTHENTICATED"), Reauthorise("UNAUTHENTICATED: No.")),
        (429, said("RESOURCE_EXHAUSTED"), Throttle("RESOURCE_EXHAUSTED: No.", 10.0)),
        (503, said("UNAVAILABLE"), Retry("The vendor answered 503.")),
        (500, b"<html>", Retry("The vendor answered 500.")),
        (400, b"<html>", Reject("400", "The vendor answered 400.")),
    ],
)
def test_what_an_answer_means(status: int, body: Any, expected: Ruling) -> None:
    assert Rehearsal(PubSub, ACCOUNT, CONFIG).play(context(), reply(status, body)).end == expected
