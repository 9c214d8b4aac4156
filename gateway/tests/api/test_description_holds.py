"""What the description says of a call is what happens: requests made from it, answers held against it.

Schemathesis makes requests that the description allows and such that it forbids, sends them to a real gateway and runs
all of its checks: no 5xx; statuses, media types, headers and bodies as described; what is allowed is taken, what is
forbidden is refused; no method, key or deleted thing slips through. The requests follow from the description alone, so
that a failure comes back. `make fuzz-api` makes more of them, and one for each bound that the description names.
"""

import json
import os
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import schemathesis
from gateway.tests.patience import PATIENCE
from hypothesis import HealthCheck, Phase, settings
from schemathesis import (
    Case,
    CheckContext,
    Config,
    DeserializationContext,
    HookContext,
    Response,
    SerializationContext,
)
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.openapi.checks import RejectedPositiveData, UseAfterFree
from schemathesis.pytest.lazy import get_all_tests

from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.api.routing.openapi import describe
from signalpost.api.routing.route import Route
from signalpost.domain.access.api_key import Role
from signalpost.domain.subscription_requests import SubscriptionPatch, SubscriptionRequest
from signalpost.sender.addresses import parse_allow_targets

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

SAMPLE = 6
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", SAMPLE))
"""How many examples are made up for each call, and of workflows."""
NOTHING_LISTENS = "http://127.0.0.1:9/"
SUBSCRIBES = (SubscriptionRequest, SubscriptionPatch)
BY_NAME = {route.name: route for route in ROUTES}
CALLED = [route for route in ROUTES if route.name != "follow_changes"]
"""All calls but the one whose answer goes on for minutes: `test_live.py` has tests of it."""
BODIES = {route.name: route.body for route in ROUTES if route.body is not None}
LINES = BODIES["import_documents"].media_types

OF_A_REHEARSAL = re.compile("^/(change|subscription)/")
"""Below what a subscription is within the body of a rehearsal."""
BEYOND_A_SCHEMA = {
    ("/url", "address_refused"): "which addresses may be dialled is the operator's choice",
    ("/headers/", "reserved_header"): "header names ignore case, patterns do not",
    ("/headers/", "duplicate"): "header names ignore case, names of a JSON object do not",
    ("/contractValue", "too_many_decimals"): "validators that divide by 0.01 in binary would refuse 19.99",
    ("/additionalFacts/", "out_of_range"): "10**30, refused, and 1e30, taken, are one number to a schema",
    ("/externalId", "mismatch"): "it must be the id in the path, and the schema of a body knows no path",
    ("/to", "empty_range"): "no schema compares two members of a body",
    ("/from", "required"): "a replay begins at a moment or at an event",
    ("/fromSequence", "not_with_from"): "a replay begins at a moment or at an event",
    ("?to", "empty_range"): "no schema compares two parameters of a query",
    ("/subscriptionIds", "not_found"): "whether there is such a subscription, only the tenant's data say",
    ("/subscriptionIds", "too_many"): "how many subscriptions there are, only the tenant's data say",
    ("?before", "not_with_after"): "no schema compares two parameters of a query",
    ("/expiresAt", "not_in_the_future"): "what is in the future depends on the moment",
    ("?confirm", "not_confirmed"): "it must be the name in the path, and the schema of a query knows no path",
    ("/reviewers/", "duplicate"): "e-mail addresses ignore case",
    ("/approvers/", "duplicate"): "e-mail addresses ignore case",
    ("/signers/", "duplicate"): "e-mail addresses ignore case",
    ("/skipBacklog", "not_a_resume"): "it depends on the subscription's state",
    ("/kind", "unknown_kind"): "which kinds there are depends on what is installed",
    ("/eventId", "not_found"): "whether there is such an event, only the tenant's data say",
    ("/subscriptions/", "not_found"): "whether there is such a subscription, only the tenant's data say",
    ("/theme/logo", "not_base64"): "schemas name an encoding without checking it",
    ("/theme/logo", "not_a_logo"): "whether it is a PNG image, its bytes say",
    ("/theme/logo", "too_large"): "how large an image is, its bytes say",
    ("/connection", "not_found"): "whether there is such a connection, only the tenant's data say",
    ("/shadowOf", "not_found"): "whether there is such a subscription, only the tenant's data say",
    ("/shadowOf", "not_a_webhook"): "of what kind a subscription is, only the tenant's data say",
    ("/shadowOf", "is_a_shadow"): "whether a subscription is a shadow, only the tenant's data say",
    ("/url", "same_url"): "at which URL its original is, only the tenant's data say",
    ("/signAlso/", "required"): "whether there is a secret that stays, only the tenant's data say",
    ("/signAlso/", "duplicate"): "header names ignore case, and no schema compares two members of a body",
    ("/oauth", "header_taken"): "header names ignore case, and no schema compares two members of a body",
    ("/oauth/tokenUrl", "address_refused"): "which addresses may be dialled is the operator's choice",
    ("/connection", "required"): "what goes together depends on the kind, which may be left out",
    ("/url", "required"): "what goes together depends on the kind, which may be left out",
    ("/eventTypes", "not_in_tenant"): "notices are in the tenant operations alone",
    ("/", "not_allowed"): "what goes together depends on the kind, which may be left out",
    ("/startsAfter", "beyond_the_end"): "how far the log goes, only the tenant's data say",
    ("/startsAfter", "below_retention"): "how far back the log is kept, only the tenant's data say",
    ("/startsAt", "below_retention"): "how far back the log is kept, only the tenant's data say",
    ("/startsAt", "in_the_future"): "what is in the future depends on the moment",
    ("/startsAt", "not_with_starts_after"): "no schema compares two members of a body",
    ("/after/seconds", "too_long"): "for how long events are kept is the operator's choice",
    ("/retentionDays", "too_short"): "how long deliveries wait, only the tenant's subscriptions say",
    **dict.fromkeys(
        ((f"{before}/contacts/", "named_twice") for before in ("", "/change", "/subscription")),
        "addresses ignore case, and no schema compares two of them",
    ),
    **{
        (f"{before}{at}", code): "whether a text is a certificate or a key, no schema says"
        for before in ("", "/change", "/subscription")
        for at, code in (
            ("/clientCertificate/certificate", "bad_certificate"),
            ("/clientCertificate/privateKey", "bad_key"),
            ("/authorities", "bad_certificate"),
        )
    },
}
"""Where a request that its schema allows may be refused, with which code, and why. Everything else is a defect."""
OF_ANOTHER_GRAMMAR = {
    "/config": "each kind of destination says what its config may be, in the list of destinations",
    "/when": "see `without_recursion`",
    "/after/if": "see `without_recursion`",
}
"""Where the schema that requests are made from says of a value that it is an object and no more, and why."""
UNSEEN_BY_A_SCHEMA = {
    "file_kind_not_allowed": "of what kind a file is, its content says",
    "link_refused": "what is no link at all is refused as one whose time is over",
}
"""Codes with which a whole request may be refused otherwise than its schema lets expect, and why."""
READABLE_ONCE_DELETED = {"read_portal_link": "a revoked link is shown as one that has ended, with when it was revoked"}
"""Calls that still show what was deleted, and why."""
CONFIG = {
    "seed": 1,
    # Every request gets the key; `ignored_auth` sends it again without one and with a wrong one.
    "request-timeout": PATIENCE,
    "generation": {"with-security-parameters": False},
    # Some five thousand requests at the bounds of what is allowed.
    "phases": {"coverage": {"enabled": EXAMPLES > SAMPLE}},
    "checks": {
        "positive_data_acceptance": {
            # Beside the usual ones: If-Match may name another version (412), `after` what is no longer kept (410).
            "expected-statuses": ["2xx", "401", "403", "404", "409", "410", "412", "429"],
        },
        # Whether the role may make a call is looked at before what it sends.
        "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "405", "412", "415", "422"]},
    },
}


def without_recursion() -> dict[str, Any]:
    """The description, in which a condition is an object and no more: Schemathesis makes nothing of a schema that
    refers to itself. `test_condition_schema.py` holds that one against what is taken."""
    description = describe(CALLED, OPEN_ROUTES)
    description["components"]["schemas"]["Condition"] = {"type": "object"}
    return description


def for_workflows() -> dict[str, Any]:
    """The description with links from each creation to the calls on what was created. Without headers that may be left
    out, and without `deleted`, which asks for what is gone: whether something is there is judged only where a link gave
    all that was asked with."""
    description = without_recursion()
    for made in ROUTES:
        for status, reply in made.replies.items():
            if "location" in reply.headers:
                answer = description["paths"][made.path][made.method.lower()]["responses"][str(status)]
                answer["links"] = {route.name: link for route in ROUTES if (link := link_from(made, route)) is not None}
    optional = {"#/components/parameters/" + name for name in ("If-Match", "Idempotency-Key", "signalpost-tenant")}
    for route in CALLED:
        operation = description["paths"][route.path][route.method.lower()]
        operation["parameters"] = [
            each
            for each in operation["parameters"]
            if each.get("$ref") not in optional and each.get("name") != "deleted"
        ]
    return description


def link_from(made: Route, route: Route) -> dict[str, Any] | None:
    """A link to a call on one thing of a list, from the call that adds a thing to the list."""
    match = re.fullmatch(rf"{made.path}/{{(\w+)}}[^{{]*", route.path)
    return match and {"operationId": route.name, "parameters": {match[1]: f"$response.body#/{match[1]}"}}


@cache
def prepared(judge: Callable[..., None]) -> dict[str, Callable[..., None]]:
    """What judges a case, for each call, with the cases that are made for it. They take seconds to prepare, which each
    process that loads this file would take if its tests were parametrized with the schema."""
    schema = schemathesis.openapi.from_dict(without_recursion(), config=Config.from_dict(CONFIG))
    made = get_all_tests(schema=schema, test_func=judge, settings=None, given_kwargs=None)
    sound = [each.ok() for each in made if isinstance(each, Ok)]
    return {call.definition.raw["operationId"]: test for call, test in sound}


@cache
def workflows() -> type[Any]:
    """The machine that goes from call to call by the links."""
    schema = schemathesis.openapi.from_dict(for_workflows(), config=Config.from_dict(CONFIG))
    schema.config.checks.ignored_auth.enabled = False  # it sends all thrice, and is run on single calls
    schema.config.phases.stateful.inference.algorithms = []  # what is drawn must not follow what a list has by chance
    return schema.as_state_machine()


# --- What only this API has -------------------------------------------------------------------------------------------


@schemathesis.serializer(*LINES)
def one_line(_context: SerializationContext, value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


@schemathesis.deserializer(*LINES)
def its_answer(_context: DeserializationContext, response: Response) -> Any:
    """Stand in for an NDJSON answer, which schemathesis cannot decode, with something that says nothing."""
    return json.loads(response.content or b'{"line": 0, "status": 200, "externalId": null}')


def is_beyond_a_schema(problem: dict[str, Any]) -> bool:
    errors = [(OF_A_REHEARSAL.sub("/", error["pointer"]), error["code"]) for error in problem.get("errors", [])]
    return bool(errors) and all(
        any(pointer.startswith(place) and given == code for place, code in BEYOND_A_SCHEMA)
        or pointer.startswith(tuple(OF_ANOTHER_GRAMMAR))
        for pointer, given in errors
    )


@schemathesis.hook
def filter_failure(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether it counts."""
    if response.status_code in (403, 415) and response.json()["code"] in UNSEEN_BY_A_SCHEMA:
        return not isinstance(failure, RejectedPositiveData | AcceptedNegativeData)
    if isinstance(failure, UseAfterFree):
        return case.operation.definition.raw["operationId"] not in READABLE_ONCE_DELETED
    if isinstance(failure, RejectedPositiveData):
        return not is_beyond_a_schema(response.json())
    # An import is answered line by line: `lines_are_judged` is the check.
    return not (isinstance(failure, AcceptedNegativeData) and case.media_type in LINES)


def lines_are_judged(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """A line that the description forbids is refused, and one that it allows is taken."""
    if case.media_type in LINES and response.status_code == 200 and response.content and case.meta is not None:
        line = json.loads(response.content)
        refused = line["status"] in (400, 422)
        if not (refused and is_beyond_a_schema(line["problem"])):
            assert refused == case.meta.is_negative_at(ParameterLocation.BODY), line


class Things:
    """What there is to ask for: requests name it instead of ids that nothing has."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.tokens: set[str] = set()
        """The tokens of links that work."""
        self.watching = world.create_subscription(url=NOTHING_LISTENS, status="active")["id"]
        self.events = self._events()

    def _events(self) -> list[str]:
        self.world.create_document()
        return [entry["event"]["id"] for entry in self.world.events()]

    def ids(self, path: str) -> dict[str, str]:
        """One for each parameter of a path; what a deletion or a change could spoil is made for it."""
        if "{replayId}" in path:
            return self._replay()
        if "{number}" in path:
            return self._version()
        if "{token}" in path:
            return self._link(self._version()["externalId"])
        found = {
            "externalId": lambda: self.world.create_document()["externalId"],
            "eventId": lambda: self.events[-1],
            "id": self._makers(path),
            "source": self._source,
        }
        return {name: make() for name, make in found.items() if f"{{{name}}}" in path}

    def _replay(self) -> dict[str, str]:
        subscription = self.world.create_subscription(url=NOTHING_LISTENS)["id"]
        asked = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "status": "failed"}
        replay = self.world.send("POST", f"/v1/subscriptions/{subscription}/replays", asked).ok(202)["id"]
        return {"id": subscription, "replayId": replay}

    def _version(self) -> dict[str, str]:
        external_id = self.world.create_document()["externalId"]
        form = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\na text\r\n--b--\r\n'
        headers = {"content-type": "multipart/form-data; boundary=b"}
        made = self.world.send("POST", f"/v1/documents/{external_id}/versions", form, headers).ok(201)
        return {"externalId": external_id, "number": made["number"]}

    def _source(self) -> str:
        assert self.world.send("PUT", "/v1/sources/outbox", {"oldestSeconds": 0, "dead": 0}).status == 204
        return "outbox"

    def _link(self, external_id: str) -> dict[str, str]:
        url: str = self.world.get(f"/v1/documents/{external_id}").ok()["latestVersion"]["downloadUrl"]
        token = url.rpartition("/")[2]
        self.tokens.add(token)
        return {"token": token}

    def link_works(self, _context: CheckContext, response: Response, case: Case[Any]) -> None:
        """What would be refused for any other token is served for this one."""
        if case.path_parameters.get("token") in self.tokens:
            assert response.status_code == 200

    def _makers(self, path: str) -> Callable[[], str]:
        if "{eventId}" in path:
            return lambda: self.watching
        if path.startswith("/v1/events/"):
            return lambda: self.events[0]
        if path.startswith("/v1/keys/"):
            key = {"name": "made for a test", "role": "operator"}
            return lambda: str(self.world.send("POST", "/v1/keys", key).ok(201)["id"])
        return lambda: str(self.world.create_subscription(url=NOTHING_LISTENS)["id"])

    def cursor(self, path: str) -> str | None:
        """One that a page of the list gave."""
        page = self.world.get(f"{path}?limit=1")
        return page.json["next"] if page.status == 200 else None


@pytest.fixture(scope="module")
def world(make_world: Callable[..., "World"]) -> "World":
    """Without a retry within the test's time, so that nothing but the requests changes anything."""
    return make_world(allow_targets=parse_allow_targets("http://127.0.0.1:9"))


@pytest.fixture(scope="module")
def things(world: "World") -> Things:
    return Things(world)


def keep_harmless(case: Case[Any]) -> None:
    """Nothing is sent to a host that chance named: what subscribes one is paused."""
    takes = BODIES.get(case.operation.definition.raw["operationId"])
    if takes is None or takes.kind not in SUBSCRIBES or not isinstance(case.body, dict):
        return
    if case.body.get("status", "active" if case.method == "POST" else "paused") == "active":
        case.body["status"] = "paused"


def name_anew(case: Case[Any]) -> None:
    """Create no tenant, invite no member and import no document whose name an earlier example took: what is drawn next
    must not depend on what was there."""
    assert case.meta is not None
    called = case.operation.definition.raw["operationId"]
    if called == "import_document" and not case.meta.is_negative_at(ParameterLocation.PATH):
        case.path_parameters["externalId"] = str(uuid4())
        if isinstance(case.body, dict) and not case.meta.is_negative_at(ParameterLocation.BODY):
            case.body["externalId"] = case.path_parameters["externalId"]
    if called == "create_tenant" and not case.meta.is_negative_at(ParameterLocation.BODY):
        assert isinstance(case.body, dict)
        case.body["name"] = f"{str(case.body['name'])[:26]}{uuid4().hex}"
    if called == "invite_member" and not case.meta.is_negative_at(ParameterLocation.BODY):
        assert isinstance(case.body, dict)
        case.body["email"] = f"{uuid4().hex}@example.com"


def make_known(case: Case[Any], things: Things) -> None:
    """Put existing tenants, versions, cursors and keys into a request, of which a schema knows the form alone."""
    assert case.meta is not None
    things.world.close()  # the server has done so if the request before took long to make
    if not case.meta.is_negative_at(ParameterLocation.HEADER):
        case.headers.pop("signalpost-tenant", None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}{uuid4()}"
        if len(case.headers.get("If-Match", "")) % 2 == 0:
            case.headers.pop("If-Match", None)
    if not case.meta.is_negative_at(ParameterLocation.QUERY) and "cursor" in case.query:
        real = things.cursor(case.formatted_path)
        case.query.pop("cursor") if real is None else case.query.update(cursor=real)


def make_there(case: Case[Any], things: Things) -> None:
    """Ask for what there is, in about three of four requests."""
    assert case.meta is not None
    if case.meta.is_negative_at(ParameterLocation.PATH):
        return
    if any(not str(value).endswith(("0", "4", "8", "c")) for value in case.path_parameters.values()):
        case.path_parameters.update(things.ids(case.operation.path))


# --- Single calls, and calls on what earlier ones made ----------------------------------------------------------------


@settings(max_examples=EXAMPLES, derandomize=True, database=None)
def does_what_is_described(case: Case[Any], world: "World", things: Things) -> None:
    keep_harmless(case)
    make_there(case, things)
    make_known(case, things)
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{world.port}",
        headers={"Authorization": f"Bearer {world.key}"},
        additional_checks=[lines_are_judged, things.link_works],
    )


@pytest.mark.parametrize("call", [*(route.name for route in CALLED), *(route.name for route in OPEN_ROUTES)])
def test_a_call_does_what_is_described(call: str, world: "World", things: Things) -> None:
    prepared(does_what_is_described)[call](world=world, things=things)


@pytest.fixture(scope="module")
def keys(world: "World") -> dict[Role, str]:
    """A key of each role."""
    return {role: world.send("POST", "/v1/keys", {"name": role, "role": role}).ok(201)["key"] for role in Role}


@settings(max_examples=max(2, EXAMPLES // 15), derandomize=True, database=None, phases=[Phase.generate])
def is_kept_to_by_each_role(case: Case[Any], world: "World", keys: dict[Role, str]) -> None:
    route = BY_NAME[case.operation.definition.raw["operationId"]]
    for role in set(Role) - route.roles:
        headers = {"Authorization": f"Bearer {keys[role]}"}
        keeps_to(role, case.call(base_url=f"http://127.0.0.1:{world.port}", headers=headers), case)


@pytest.mark.parametrize("call", [route.name for route in CALLED])
def test_a_role_that_may_not_make_a_call_is_told_so_whatever_it_sends(
    call: str, world: "World", keys: dict[Role, str]
) -> None:
    prepared(is_kept_to_by_each_role)[call](world=world, keys=keys)


class Workflow:
    """Creates, and goes on with what was created: it is there until it is deleted, and then it is gone."""

    things: Things
    role: Role
    key: str

    def before_call(self, case: Case[Any]) -> None:
        keep_harmless(case)
        name_anew(case)
        if case.operation.path.startswith("/v1/subscriptions") and isinstance(case.body, dict) and "url" in case.body:
            case.body["url"] = NOTHING_LISTENS
        make_known(case, self.things)

    def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        return {"base_url": f"http://127.0.0.1:{self.things.world.port}", "headers": headers}

    def validate_response(self, response: Response, case: Case[Any], **given: Any) -> None:
        super().validate_response(response, case, **given)  # type: ignore[misc]
        keeps_to(self.role, response, case)


def keeps_to(role: Role, response: Response, case: Case[Any]) -> None:
    """A role may make the calls of its entries in the route table, and is told of every other that it may not."""
    route = BY_NAME.get(case.operation.definition.raw["operationId"])
    assert case.meta is not None
    if route is None or case.meta.is_negative_at(ParameterLocation.PATH):
        return  # anyone may make it, or it is perhaps another call
    refused = response.status_code == 403 and response.json()["code"] == "role_not_allowed"
    assert refused == (role not in route.roles), f"{role}, {response.status_code}"


@pytest.mark.parametrize("role", Role)
def test_what_was_created_is_there_until_it_is_deleted_and_a_role_does_what_it_may(
    things: Things, keys: dict[Role, str], role: Role
) -> None:
    """Operators may do everything, so most of it is theirs."""
    given = type("Given", (Workflow, workflows()), {"things": things, "role": role, "key": keys[role]})
    given.run(  # type: ignore[attr-defined]
        settings=settings(
            max_examples=EXAMPLES if role is Role.OPERATOR else max(1, EXAMPLES // 5),
            stateful_step_count=8,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
    )
