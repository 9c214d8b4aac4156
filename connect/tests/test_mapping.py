"""A message becomes a line, or says what is wrong with it."""

import json
from base64 import b64encode
from typing import Any

import pytest

from signalpost_connect import Message
from signalpost_connect.mapping import LineMaker, Unusable
from signalpost_connect.placeholders import BadTemplate, NotThere, read_template

BODY = {"id": "d1", "name": "Lease", "value": "1200.50", "state": 3, "owner": {"mail": "a@example.com"}, "tags": ["x"]}


def line(members: dict[str, Any] | None, body: object = BODY, **message: Any) -> Any:
    given = Message(**{"id": "7", "body": json.dumps(body).encode(), "version": 5, **message})
    return json.loads(LineMaker(members).line(given))


def filled(template: object, **subject: object) -> object:
    return read_template(template, ["body"])({"body": subject})


def test_without_a_mapping_the_message_is_the_line_with_its_version() -> None:
    assert line(None) == {**BODY, "sourceVersion": 5}


def test_a_version_in_the_line_goes_before_the_source_s_own() -> None:
    assert line(None, {"sourceVersion": 9})["sourceVersion"] == 9


def test_a_mapping_makes_the_line_and_keeps_types() -> None:
    mapping = {
        "externalId": "{{ body.id }}",
        "title": "{{ body.name }} of {{ body.owner.mail }}",
        "status": '{{ body.state | choose: 1, "created", 3, "executed" }}',
        "contractValue": "{{ body.value | number }}",
        "additionalFacts": {"tag": "{{ body.tags.0 }}", "source": "crm"},
        "sourceVersion": "{{ version }}",
    }
    assert line(mapping) == {
        "externalId": "d1",
        "title": "Lease of a@example.com",
        "status": "executed",
        "contractValue": 1200.5,
        "additionalFacts": {"tag": "x", "source": "crm"},
        "sourceVersion": 5,
    }


def test_a_deletion_is_not_mapped() -> None:
    deletion = {"externalId": "d1", "deleted": True}
    assert line({"title": "{{ body.name }}"}, deletion) == {**deletion, "sourceVersion": 5}


def test_a_deletion_has_the_version_that_the_mapping_gives_to_states() -> None:
    mapping = {"title": "{{ body.name }}", "sourceVersion": "{{ headers.revision | number }}"}
    deletion = {"externalId": "d1", "deleted": True}
    assert line(mapping, deletion, headers={"revision": "8"}) == {**deletion, "sourceVersion": 8}
    assert line(mapping, {**deletion, "sourceVersion": 9}) == {**deletion, "sourceVersion": 9}
    with pytest.raises(Unusable, match=r"mapping.sourceVersion: the message has no headers.revision"):
        line(mapping, deletion)


def test_a_mapping_can_make_a_deletion() -> None:
    mapping = {"externalId": "{{ body.id }}", "title": "{{ body.name }}", "deleted": "{{ body.gone }}"}
    assert line(mapping, {"id": "d1", "gone": True}) == {"externalId": "d1", "deleted": True, "sourceVersion": 5}
    state = {"id": "d1", "gone": False, "name": "Lease"}
    assert line(mapping, state) == {"externalId": "d1", "title": "Lease", "sourceVersion": 5}


def test_a_deletion_needs_no_other_member_of_the_mapping() -> None:
    mapping = {"externalId": "{{ body.id }}", "title": "{{ body.name }}", "deleted": "{{ body.gone }}"}
    assert line(mapping, {"id": "d1", "gone": True})["deleted"] is True
    with pytest.raises(Unusable, match=r"mapping\.title"):
        line(mapping, {"id": "d1", "gone": False})


def test_a_mapping_can_tell_a_deletion_by_a_text() -> None:
    mapping = {"externalId": "{{ body.id }}", "deleted": '{{ headers.type | choose: "gone", "true", "false" }}'}
    assert line(mapping, headers={"type": "gone"}) == {"externalId": "d1", "deleted": True, "sourceVersion": 5}
    assert line(mapping, headers={"type": "made"}) == {"externalId": "d1", "sourceVersion": 5}


def test_the_trace_of_a_message_goes_along() -> None:
    assert line(None, headers={"traceparent": "00-1"})["traceparent"] == "00-1"


def test_versions_can_be_moved() -> None:
    made = LineMaker(version_offset=100).line(Message("7", b"{}", 5))
    assert json.loads(made) == {"sourceVersion": 105}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[1]", "not an object"),
        (b"null", "not an object"),
    ],
)
def test_a_message_that_is_none_says_so(body: bytes, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        LineMaker().line(Message("7", body, 5))


ENVELOPE = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/crm",
    "type": "contract.changed",
    "subject": "d1",
    "sequence": "9",
}
BINARY = {
    "Kafka": {f"ce_{name}": value for name, value in ENVELOPE.items()},
    "NATS": {f"ce-{name}": value for name, value in ENVELOPE.items()},
    "AMQP": {f"cloudEvents_{name}": value for name, value in ENVELOPE.items()},
    "AMQP, formerly": {f"cloudEvents:{name}": value for name, value in ENVELOPE.items()},
}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        *[pytest.param(headers, BODY, id=name) for name, headers in BINARY.items()],
        pytest.param({}, {**ENVELOPE, "data": BODY}, id="structured"),
        pytest.param(
            {}, {**ENVELOPE, "data_base64": b64encode(json.dumps(BODY).encode()).decode()}, id="structured, in Base64"
        ),
    ],
)
def test_a_mapping_names_the_attributes_and_the_data_of_a_cloud_event(
    headers: dict[str, str], body: dict[str, Any]
) -> None:
    mapping = {
        "externalId": "{{ ce.subject }}",
        "title": "{{ data.name }}",
        "sourceVersion": "{{ ce.sequence | number }}",
    }
    assert line(mapping, body, headers=headers) == {"externalId": "d1", "title": "Lease", "sourceVersion": 9}


def test_without_a_mapping_the_data_of_a_cloud_event_is_the_line() -> None:
    assert line(None, {**ENVELOPE, "traceparent": "00-1", "data": BODY}) == {
        **BODY,
        "sourceVersion": 5,
        "traceparent": "00-1",
    }
    assert line(None, headers=BINARY["Kafka"]) == {**BODY, "sourceVersion": 5}


def test_a_cloud_event_whose_data_is_a_deletion_is_not_mapped() -> None:
    deletion = {"externalId": "d1", "deleted": True}
    mapping = {"title": "{{ data.name }}", "sourceVersion": "{{ ce.sequence | number }}"}
    assert line(mapping, {**ENVELOPE, "data": deletion}) == {**deletion, "sourceVersion": 9}


def test_of_a_message_that_is_no_cloud_event_the_body_is_the_data() -> None:
    assert line({"title": "{{ data.name }}"}) == {"title": "Lease", "sourceVersion": 5}
    with pytest.raises(Unusable, match=r"mapping\.externalId: the message has no ce\.subject"):
        line({"externalId": "{{ ce.subject }}"}, headers={"ce_subject": "d1"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"data": "a text"}, "The data of the CloudEvent is not an object"),
        ({}, "The data of the CloudEvent is not an object"),
        ({"data_base64": "e30"}, "The CloudEvent's data_base64 is not JSON in Base64"),
        ({"data_base64": "eyI="}, "The CloudEvent's data_base64 is not JSON in Base64"),
        ({"data_base64": 7}, "The CloudEvent's data_base64 is not JSON in Base64"),
    ],
)
def test_a_cloud_event_without_data_that_can_be_a_line_says_so(content: dict[str, Any], said: str) -> None:
    with pytest.raises(Unusable, match=said):
        line(None, {**ENVELOPE, **content})


def test_a_message_without_a_version_says_so() -> None:
    with pytest.raises(Unusable, match="sourceVersion"):
        line(None, version=None)


def test_a_field_that_is_not_there_is_named_with_its_place_in_the_mapping() -> None:
    with pytest.raises(Unusable, match=r"^mapping\.additionalFacts\.city: the message has no body\.address\.city"):
        line({"externalId": "{{ body.id }}", "additionalFacts": {"city": "{{ body.address.city }}"}})


@pytest.mark.parametrize(
    ("template", "subject", "expected"),
    [
        ("{{ body.a }}", {"a": None}, None),
        ('{{ body.a | default: "x" }}', {}, "x"),
        ('{{ body["a b"] | upper }}', {"a b": "é"}, "É"),
        ("{{ body.a | truncate: 3 }}", {"a": "abcd"}, "ab…"),
        ('{{ body.a | choose: "x", "y", "else" }}', {"a": "z"}, "else"),
        ("{{ '{{' }}", {}, "{{"),
        ("n={{ body.a }}", {"a": 1e21}, "n=1000000000000000000000"),
        ("{{ body.a | text }}", {"a": True}, "true"),
        ("plain", {}, "plain"),
    ],
)
def test_placeholders_bring_values(template: str, subject: dict[str, object], expected: object) -> None:
    assert filled(template, **subject) == expected


@pytest.mark.parametrize(
    "template",
    ["{{ body.a", "{{ document.a }}", "{{ body.a | shout }}", "{{ body.a | truncate }}", '{{ body.a | truncate: "x" }}',
     "{{ body.a | default: x }}", "{{ }}", "{{ body.a b }}"],
)  # fmt: skip
def test_a_template_that_is_wrong_says_at_which_character(template: str) -> None:
    with pytest.raises(BadTemplate, match=r"^title: at character \d+, "):
        read_template({"title": template}, ["body"])


@pytest.mark.parametrize("template", ["{{ body.a }}!", "{{ body.a | number }}", '{{ body.a | choose: "x", "y" }}'])
def test_what_a_message_cannot_fill_in_is_said(template: str) -> None:
    with pytest.raises(NotThere):
        filled(template, a={"an": "object"})
