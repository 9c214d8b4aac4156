"""The kinds for services of Amazon: what an event becomes there, and what their answers mean."""

import json
from typing import Any

import pytest

from signalpost.destinations import (
    Call,
    Destination,
    Done,
    Reauthorise,
    Reject,
    Reply,
    Retry,
    Ruling,
    Throttle,
)
from signalpost.domain.errors import Invalid
from signalpost.testing import Conformance, Rehearsal, context, reply
from signalpost_destinations.aws import MAX_BYTES
from signalpost_destinations.eventbridge import EventBridge
from signalpost_destinations.s3 import S3
from signalpost_destinations.sns import Sns
from signalpost_destinations.sqs import Sqs

ACCOUNT = {
    "region": "eu-central-1",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/contracts"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:contracts"
CONFIGS: dict[type[Destination[Any, Any]], dict[str, Any]] = {
    Sqs: {"queueUrl": QUEUE},
    Sns: {"topicArn": TOPIC},
    EventBridge: {"eventBus": "contracts"},
    S3: {"bucket": "contract-events"},
}
EVENT_ID, DOCUMENT_ID = "0198f2a0-0000-7000-8000-000000000001", "0198f2a0-0000-7000-8000-000000000002"
ATTRIBUTES = {
    "ce-specversion": "1.0",
    "ce-id": EVENT_ID,
    "ce-source": "signalpost",
    "ce-type": "documentUpdated",
    "ce-time": "2026-01-15T09:30:00.000000+00:00",
    "ce-subject": DOCUMENT_ID,
}


def in_xml(status: int, code: str, message: str = "No.", more: str = "") -> Reply:
    said = f"<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return reply(status, f"<ErrorResponse>{said}</ErrorResponse>".encode())


class TestSqs(Conformance):
    kind = Sqs
    connection = ACCOUNT
    config = {"queueUrl": f"{QUEUE}.fifo", "source": "https://contracts.example.com"}
    accepted = reply(200, {"MessageId": "5fea7756", "MD5OfMessageBody": "0"})
    refused = (reply(400, {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "No."}),)


class TestSns(Conformance):
    kind = Sns
    connection = ACCOUNT
    config = {"topicArn": f"{TOPIC}.fifo"}
    accepted = reply(200, b"<PublishResponse><PublishResult><MessageId>5fea</MessageId></PublishResult>")
    refused = (in_xml(404, "NotFound"),)


class TestEventBridge(Conformance):
    kind = EventBridge
    connection = ACCOUNT
    config = CONFIGS[EventBridge]
    accepted = reply(200, {"FailedEntryCount": 0, "Entries": [{"EventId": "5fea"}]})
    refused = (
        reply(200, {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "No."}]}),
    )


class TestS3(Conformance):
    kind = S3
    connection = {**ACCOUNT, "endpoint": "https://minio.example.com"}
    config = {"bucket": "contract-events", "key": "{{ document.type }}/{{ document.title }}-{{ event.id }}.json"}
    accepted = reply(200)
    refused = (in_xml(301, "PermanentRedirect", more="<Region>us-east-1</Region>"),)


def prepared(kind: type[Destination[Any, Any]], config: dict[str, Any] | None = None, **document: Any) -> Call | Reject:
    made = Rehearsal(kind, ACCOUNT, config or CONFIGS[kind]).prepare(context(**document))
    assert isinstance(made, Call | Reject)
    return made


def in_json(made: Call | Reject) -> dict[str, Any]:
    assert isinstance(made, Call)
    assert isinstance(made.json, dict)
    return made.json


# --- What an event becomes --------------------------------------------------------------------------------------------


def test_a_message_in_a_queue_is_the_event_with_attributes() -> None:
    made = prepared(Sqs)
    message = in_json(made)
    assert isinstance(made, Call)
    assert made.url == "https://sqs.eu-central-1.amazonaws.com/"
    assert made.headers == {"content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.SendMessage"}
    assert json.loads(message["MessageBody"]) == context().event
    assert {name: each["StringValue"] for name, each in message["MessageAttributes"].items()} == {
        **ATTRIBUTES,
        "content-type": "application/json",
    }
    assert message["QueueUrl"] == QUEUE
    assert "MessageGroupId" not in message


def test_a_fifo_queue_groups_by_document_and_knows_the_event_again() -> None:
    message = in_json(prepared(Sqs, {"queueUrl": f"{QUEUE}.fifo"}))
    assert (message["MessageGroupId"], message["MessageDeduplicationId"]) == (DOCUMENT_ID, EVENT_ID)


def test_a_message_to_a_topic_is_the_event_with_attributes() -> None:
    made = prepared(Sns, {"topicArn": f"{TOPIC}.fifo", "source": "urn:x"})
    assert isinstance(made, Call)
    assert isinstance(made.form, dict)
    form = made.form
    assert made.url == "https://sns.eu-central-1.amazonaws.com/"
    assert (form["Action"], form["TopicArn"]) == ("Publish", f"{TOPIC}.fifo")
    assert json.loads(form["Message"]) == context().event
    assert (form["MessageGroupId"], form["MessageDeduplicationId"]) == (DOCUMENT_ID, EVENT_ID)
    entries = {form[name]: form[name.replace("Name", "Value.StringValue")] for name in form if name.endswith("Name")}
    assert entries == {**ATTRIBUTES, "ce-source": "urn:x", "content-type": "application/json"}


def test_an_entry_on_a_bus_has_source_type_time_and_document() -> None:
    made = prepared(EventBridge)
    [entry] = in_json(made)["Entries"]
    assert isinstance(made, Call)
    assert made.headers["x-amz-target"] == "AWSEvents.PutEvents"
    assert json.loads(entry.pop("Detail")) == context().event
    assert entry == {
        "EventBusName": "contracts",
        "Source": "signalpost",
        "DetailType": "documentUpdated",
        "Time": 1768469400.0,
        "Resources": [DOCUMENT_ID],
    }


def test_an_object_is_the_event_with_metadata() -> None:
    made = prepared(S3)
    assert made == Call(
        method="PUT",
        url=f"https://s3.eu-central-1.amazonaws.com/contract-events/events/{DOCUMENT_ID}/{EVENT_ID}.json",
        json=context().event,
        headers={f"x-amz-meta-{name}": value for name, value in ATTRIBUTES.items()},
    )


def test_a_key_is_written_so_that_it_is_signed_as_it_is_read() -> None:
    made = prepared(S3, {"bucket": "contract-events", "key": "{{ document.title }}.json"}, title="a b+c=ü/~?#%2F")
    assert isinstance(made, Call)
    assert made.url.endswith("/contract-events/a%20b%2Bc%3D%C3%BC/~%3F%23%252F.json")


@pytest.mark.parametrize("title", ["..", "a/../b", "/a", "a//b", "é" * 512])
def test_a_key_that_no_object_can_have_is_refused(title: str) -> None:
    made = prepared(S3, {"bucket": "contract-events", "key": "{{ document.title }}/{{ document.title }}"}, title=title)
    assert isinstance(made, Reject)
    assert made.code == "bad_key"


@pytest.mark.parametrize("kind", [Sqs, Sns, EventBridge])
def test_an_event_that_is_too_large_is_refused_before_it_is_sent(kind: type[Destination[Any, Any]]) -> None:
    made = prepared(kind, additionalFacts={"note": "é" * (MAX_BYTES // 2)})
    assert isinstance(made, Reject)
    assert made.code == "too_large"
    assert isinstance(prepared(kind, additionalFacts={"note": "é" * (MAX_BYTES // 2 - 2_000)}), Call)


def test_a_region_in_china_has_addresses_of_its_own() -> None:
    account = {**ACCOUNT, "region": "cn-north-1"}
    made = Rehearsal(S3, account, CONFIGS[S3])
    assert made.kind.origins(made.connection) == ("https://s3.cn-north-1.amazonaws.com.cn",)


@pytest.mark.parametrize("kind", CONFIGS)
def test_another_server_is_called_in_place_of_amazons(kind: type[Destination[Any, Any]]) -> None:
    made = Rehearsal(kind, {**ACCOUNT, "endpoint": "https://aws.example.com"}, CONFIGS[kind])
    assert made.kind.origins(made.connection) == ("https://aws.example.com",)
    call = made.prepare(context())
    assert isinstance(call, Call)
    assert call.url.startswith("https://aws.example.com/")


@pytest.mark.parametrize(
    ("kind", "config", "pointer"),
    [
        (Sqs, {"queueUrl": QUEUE.replace("eu-central-1", "eu-west-1")}, "/config/queueUrl"),
        (Sqs, {"queueUrl": "arn:aws:sqs:eu-central-1:123456789012:contracts"}, "/config/queueUrl"),
        (Sns, {"topicArn": TOPIC.replace("eu-central-1", "eu-west-1")}, "/config/topicArn"),
        (Sns, {"topicArn": "contracts"}, "/config/topicArn"),
        (EventBridge, {"source": "a b"}, "/config/source"),
        (S3, {"bucket": "a/b"}, "/config/bucket"),
    ],
)
def test_a_bad_config_is_named_by_its_pointer(
    kind: type[Destination[Any, Any]], config: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        Rehearsal(kind, ACCOUNT, config)
    assert [error.pointer for error in refused.value.errors] == [pointer]


# --- What the answers mean --------------------------------------------------------------------------------------------


def answered(kind: type[Destination[Any, Any]], answer: Reply) -> object:
    return Rehearsal(kind, ACCOUNT, CONFIGS[kind]).play(context(), answer).end


def coded(status: int, code: str, message: str = "No.") -> Reply:
    return reply(status, {"__type": f"com.amazonaws.sqs#{code}", "message": message})


NEEDED = "Allow the key's user sqs:SendMessage on the queue and, if it is encrypted with a key of yours, "
NEEDED += "kms:GenerateDataKey and kms:Decrypt."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(200, {"MessageId": "5f"}), Done(detail="Message 5f.")),
        (
            coded(400, "QueueDoesNotExist"),
            Reject(
                "QueueDoesNotExist",
                "QueueDoesNotExist: No. There is no such queue in this account and region: correct its URL, or create "
                "it.",
            ),
        ),
        (coded(403, "AccessDeniedException"), Reject("AccessDeniedException", f"AccessDeniedException: No. {NEEDED}")),
        (coded(403, "InvalidClientTokenId"), Reauthorise("InvalidClientTokenId: No.")),
        (coded(400, "ThrottlingException"), Throttle("ThrottlingException: No.", 5.0)),
        (coded(400, "KmsThrottled"), Throttle("KmsThrottled: No.", 5.0)),
        (reply(503, b""), Retry("The vendor answered 503.")),
        (coded(500, "InternalFailure"), Retry("InternalFailure: No.")),
        (
            coded(403, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2"),
            Retry(
                "InvalidSignatureException: Signature expired: 1 is now earlier than 2 Set the clock of the gateway's "
                "machine."
            ),
        ),
        (coded(403, "InvalidSignatureException"), Reauthorise("InvalidSignatureException: No.")),
        (reply(413, b"<html>"), Reject("413", "The vendor answered 413.")),
    ],
)
def test_what_an_answer_of_a_queue_means(answer: Reply, expected: Ruling) -> None:
    assert answered(Sqs, answer) == expected


@pytest.mark.parametrize(
    ("kind", "answer", "expected"),
    [
        (Sns, in_xml(404, "NotFound"), "NotFound: No. There is no such topic: correct its ARN, or create it."),
        (S3, in_xml(404, "NoSuchBucket"), "NoSuchBucket: No. There is no such bucket: correct its name, or create it."),
        (
            S3,
            in_xml(301, "PermanentRedirect", more="<Region>us-east-1</Region>"),
            "PermanentRedirect: No. It is in the region us-east-1: change the connection's.",
        ),
        (
            EventBridge,
            reply(200, {"Entries": [{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "No."}]}),
            "NotAuthorizedForSourceException: No. A source cannot begin with aws. there: choose another.",
        ),
    ],
)
def test_a_refusal_says_what_to_do(kind: type[Destination[Any, Any]], answer: Reply, expected: str) -> None:
    ruling = answered(kind, answer)
    assert isinstance(ruling, Reject)
    assert ruling.detail == expected


@pytest.mark.parametrize("kind", [Sns, S3])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (in_xml(403, "SignatureDoesNotMatch"), Reauthorise),
        (in_xml(403, "InvalidAccessKeyId"), Reauthorise),
        (in_xml(403, "RequestTimeTooSkewed"), Retry),
        (in_xml(400, "RequestTimeout"), Retry),
        (in_xml(400, "Throttling"), Throttle),
        (in_xml(503, "SlowDown"), Throttle),
        (in_xml(403, "AccessDenied"), Reject),
    ],
)
def test_codes_in_xml_mean_the_same(kind: type[Destination[Any, Any]], answer: Reply, expected: type) -> None:
    assert isinstance(answered(kind, answer), expected)


def test_an_entry_that_was_not_taken_is_no_success() -> None:
    def failed(code: str) -> object:
        return answered(EventBridge, reply(200, {"Entries": [{"ErrorCode": code, "ErrorMessage": "No."}]}))

    assert failed("InternalFailure") == Retry("InternalFailure: No.")
    assert failed("ThrottlingException") == Throttle("ThrottlingException: No.", 5.0)
    assert isinstance(failed("MalformedDetail"), Reject)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_key_that_may_list_nothing_is_a_good_key(kind: type[Destination[Any, Any]]) -> None:
    made = Rehearsal(kind, ACCOUNT, CONFIGS[kind])
    assert isinstance(made.kind.probed(made.connection, coded(400, "AccessDeniedException")), Done)
    assert isinstance(made.kind.probed(made.connection, in_xml(403, "AccessDenied")), Done)
    assert isinstance(made.kind.probed(made.connection, coded(403, "InvalidClientTokenId")), Reauthorise)
    assert made.kind.probed(made.connection, reply(200)) == Done()
