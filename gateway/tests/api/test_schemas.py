"""What the gateway says of its events to programs is true of what it sends, and the usual tools can load it."""

import json
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gateway.tests.npm import install
from gateway.tests.patience import PATIENCE
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator

from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.api.routing.asyncapi import describe_events
from signalpost.api.routing.openapi import describe
from signalpost.api.routing.webhooks import HEADERS, schema_files
from signalpost.destinations.webhook import RequestKind, Webhook
from signalpost.domain.body import read
from signalpost.domain.documents import document, sample
from signalpost.domain.documents.bodies import Snapshot
from signalpost.domain.documents.workflow import STATUSES
from signalpost.domain.event import BY_WIRE, OF_DOCUMENTS, Event, EventType, build, event_id
from signalpost.domain.subscription import Subscription
from signalpost_receiver import DOCUMENT_KEYS, ENVELOPE_KEYS, VERSION_KEYS

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

PAGE = [
    json.loads(file.read_bytes()) for file in sorted((Path(__file__).parents[3] / "examples" / "page").glob("*.json"))
]
JAVASCRIPT = Path(__file__).parents[1] / "javascript"
FILES = schema_files()
NOW = 1_780_000_000_000_000


VALIDATORS = {
    name: OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER) for name, schema in FILES.items()
}


def problems(name: str, value: Any) -> list[str]:
    return [error.message for error in VALIDATORS[name].iter_errors(value)]


# --- They are served --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_schema_is_served_to_anyone(world: "World", name: str) -> None:
    answer = world.send("GET", f"/schemas/{name}", headers={"authorization": None})
    assert answer.status == 200
    assert json.loads(answer.body) == FILES[name]
    assert answer.headers["content-type"] == "application/schema+json"


def test_asyncapi_is_served_to_anyone(world: "World") -> None:
    answer = world.send("GET", "/asyncapi.json", headers={"authorization": None})
    assert answer.status == 200
    assert json.loads(answer.body) == describe_events()
    assert answer.headers["content-type"] == "application/vnd.aai.asyncapi+json"


def test_an_unknown_schema_is_not_found_and_the_answer_names_those_that_there_are(world: "World") -> None:
    detail = world.send("GET", "/schemas/documentPainted.json").refused(404)["detail"]
    assert all(name in detail for name in FILES)


def test_each_type_of_event_has_a_schema_and_so_have_any_event_and_the_document() -> None:
    assert set(FILES) == {"document.json", "event.json", *(f"{name}.json" for name in BY_WIRE)}
    for schema in FILES.values():
        OAS31Validator.check_schema(schema)


# --- They are true ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", PAGE, ids=lambda event: str(event["type"]))
def test_the_pages_examples_are_valid(event: Any) -> None:
    """C1 to C12"""
    assert problems("event.json", event) == []
    assert problems(f"{event['type']}.json", event) == []
    assert problems("document.json", event["data"]["document"]) == []


def test_the_schemas_name_what_the_receiver_kit_knows() -> None:
    """C1, C7, C9"""
    assert tuple(FILES["event.json"]["properties"]) == ENVELOPE_KEYS
    assert tuple(FILES["document.json"]["properties"]) == DOCUMENT_KEYS
    assert tuple(FILES["document.json"]["$defs"]["WebhookVersion"]["properties"]) == VERSION_KEYS


TEXTS = st.text(min_size=1, max_size=9).filter(lambda text: "\x00" not in text)
TIMES = st.datetimes(timezones=st.timezones()).map(lambda at: at.astimezone(at.tzinfo).isoformat()[:19] + "Z")
MOMENTS = st.none() | st.dates().map(str) | TIMES
VERSIONS = st.none() | st.fixed_dictionaries({"number": TEXTS, "downloadUrl": TEXTS})
FACTS = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
SNAPSHOTS = st.fixed_dictionaries(
    {
        "type": TEXTS,
        "title": TEXTS,
        "status": st.sampled_from(STATUSES),
        "createdAt": TIMES,
        "sourceApp": TEXTS,
        "startDate": MOMENTS,
        "executedAt": st.none() | TIMES,
        "expiryDate": MOMENTS,
        "ownerEmail": st.just("owner@example.com"),
        "authorEmail": st.just("ä@example.com"),
        "referenceId": st.none() | TEXTS,
        "contractValue": st.none() | st.integers(-(10**15), 10**15).map(lambda cents: cents / 100),
        "latestVersion": VERSIONS,
        "additionalFacts": st.dictionaries(TEXTS, FACTS, max_size=3),
        "counterpartyName": st.none() | TEXTS,
        "publishedVersion": VERSIONS,
    }
)


@settings(max_examples=50)
@given(SNAPSHOTS, st.sampled_from([*OF_DOCUMENTS.values()]), st.uuids())
def test_every_event_that_the_gateway_makes_is_valid(said: Any, event_type: EventType, external_id: Any) -> None:
    """C1 to C12"""
    body = document.encode(document.snapshot(read(Snapshot, said), str(external_id)))
    event = json.loads(build(event_type, NOW, event_id(NOW, 7), body))
    assert problems("event.json", event) == []
    assert problems(f"{event_type.wire}.json", event) == []


@pytest.mark.parametrize("event_type", EventType, ids=lambda event_type: event_type.wire)
def test_a_sample_is_valid_and_so_is_the_example_beside_its_schema(event_type: EventType) -> None:
    message = describe_events()["components"]["messages"][event_type.wire]
    sent = sample.event(event_type, 1, NOW, lambda bits: 1 << bits - 1)
    for event in (json.loads(sent.body), message["examples"][0]["payload"]):
        assert problems(f"{event_type.wire}.json", event) == []


@pytest.mark.parametrize("kind", RequestKind, ids=lambda kind: kind.name)
def test_every_header_of_a_delivery_is_as_described(kind: RequestKind) -> None:
    """C18 to C21"""
    rotating = Subscription(
        id="1", tenant_id=1, number=1, name="One", url="https://example.com/", secret="a secret",
        next_secret="another one", promote_at=NOW + 1, headers={}, status="active", ordering="loose", rate_limit=None,
        retry_delays=(10,), starts_after=0, filters=((0, EventType.CREATED),), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    event = Event(1, 17, NOW, event_id(NOW, 7), 1, str(event_id(NOW, 8)), b"{}")
    head = Webhook(rotating).prepare(event, 1, kind, NOW).head.decode()
    sent = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    own = {name: value for name, value in sent.items() if name in HEADERS}
    described = describe_events()["components"]["messages"]["documentUpdated"]["headers"]
    assert [error.message for error in OAS31Validator(described).iter_errors(own)] == []
    transport = {"host", "user-agent", "content-type", "content-length", "accept-encoding"}
    assert set(sent) - transport == set(own)


# --- They are open, and not empty -------------------------------------------------------------------------------------


def changed(**attributes: Any) -> Any:
    event = deepcopy(PAGE[0])
    event["data"]["document"].update(attributes)
    return event


def test_what_a_later_version_adds_is_valid() -> None:
    event = {**changed(status="notarised", seal={"of": "wax"}), "trace": "1"}
    assert problems("event.json", event) == []
    assert problems(f"{event['type']}.json", event) == []
    assert problems("event.json", {**event, "type": "folderCreated", "data": {"folder": {}}}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        changed(title=None),
        changed(createdAt="yesterday"),
        changed(externalId="7"),
        changed(contractValue="1.50"),
        changed(latestVersion={"number": "1.0"}),
        changed(additionalFacts={"a": {}}),
        {**PAGE[0], "id": "7"},
        {**PAGE[0], "data": {}},
        {name: value for name, value in PAGE[0].items() if name != "createdAt"},
    ],
)
def test_what_no_receiver_would_understand_is_not_valid(wrong: Any) -> None:
    assert problems("event.json", wrong) != []
    assert problems(f"{PAGE[0]['type']}.json", wrong) != []


# --- Other programs load them -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ajv_in_strict_mode_and_the_parsers_of_asyncapi_and_openapi_load_them() -> None:
    install(JAVASCRIPT)
    openapi = describe(ROUTES, OPEN_ROUTES)
    given_to_it = {"schemas": FILES, "asyncapi": describe_events(), "openapi": openapi, "events": PAGE}
    done = subprocess.run(
        ["node", "load.mjs"], cwd=JAVASCRIPT, input=json.dumps(given_to_it), capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert found["messages"] == found["webhooks"] == list(BY_WIRE)
    types = [event["type"] for event in PAGE]
    assert found["valid"] == {
        name: [name in (f"{each}.json", "event.json", "document.json") for each in types] for name in FILES
    }
