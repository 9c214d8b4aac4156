"""The route table: whole, unambiguous, and the only way in. Its entries are the authorisation matrix."""

import json
import re
from itertools import product
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

import pytest
from openapi_schema_validator import OAS31Validator

from signalpost.api.http.problems import CALLER_PROBLEMS
from signalpost.api.http.response import Json, Response, StreamedResponse
from signalpost.api.rendering import ANSWERS
from signalpost.api.routes import OPEN_ROUTES, QUIET_ROUTES, ROUTES
from signalpost.api.routing.openapi import describe, errors_of
from signalpost.api.routing.route import JSON, PATH, RESPONSE_HEADERS, OneChange, OpenRoute, Route
from signalpost.api.routing.shapes.deliveries import ReplayCount, StartedReplay
from signalpost.api.routing.shapes.documents import Feed
from signalpost.domain.access.api_key import Role
from signalpost.domain.body import members_of_texts, read
from signalpost.domain.errors import CallerError

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

EVERY: tuple[Route | OpenRoute, ...] = (*ROUTES, *OPEN_ROUTES)
DESCRIPTION_PATHS = {"/openapi.json", "/docs"}
QUIET = [route for route in OPEN_ROUTES if route.path in QUIET_ROUTES]
UUID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
each_of_all = pytest.mark.parametrize("route", EVERY, ids=lambda route: route.name)


def names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def concrete(path: str) -> str:
    """The path with an id for each of its parameters."""
    return re.sub(r"{\w+}", UUID, path)


def method_of(route: Route | OpenRoute) -> str:
    return route.method


# --- Each entry is whole ----------------------------------------------------------------------------------------------


@each_of_all
def test_an_entry_has_a_name_a_path_a_summary_a_handler_and_described_answers(route: Route | OpenRoute) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", route.name)
    assert re.fullmatch(r"(/([a-z0-9.-]+|{\w+}))+", route.path)
    assert route.summary
    assert not route.summary.endswith(".")
    assert callable(route.handler.command if isinstance(route.handler, OneChange) else route.handler)
    assert route.replies
    for status, reply in route.replies.items():
        assert 200 <= status < 300 or (isinstance(route, OpenRoute) and status in (302, 503))
        assert reply.description.endswith(".")
        assert set(reply.headers) <= set(RESPONSE_HEADERS)
        if status != 202:
            assert (reply.body is None) == (status in (204, 302))


@each_route
def test_an_entry_has_a_method_and_roles(route: Route) -> None:
    assert route.method in METHODS
    assert bool(route.roles) is not route.for_readers
    assert route.roles <= set(Role)


@each_route
def test_every_parameter_of_a_path_is_described(route: Route) -> None:
    assert set(names_in(route.path)) <= set(PATH)


def test_every_described_parameter_and_header_has_a_sentence() -> None:
    for sentence in [
        *(parameter.description for parameter in PATH.values()),
        *(header["description"] for header in RESPONSE_HEADERS.values()),
    ]:
        assert sentence.endswith(".")


@each_route
def test_errors_are_named_once_and_those_of_an_id_in_the_path_are_among_them(route: Route) -> None:
    assert len(set(route.errors)) == len(route.errors)
    assert all(issubclass(error, CallerError) for error in route.errors)
    statuses = [CALLER_PROBLEMS[error].status for error in errors_of(route)]
    assert statuses == sorted(set(statuses))
    assert {401, 403, 404, 422} <= set(statuses)


@each_route
def test_what_changes_something_can_be_repeated_safely(route: Route) -> None:
    """A read takes neither a body nor an Idempotency-Key."""
    if route.method == "GET":
        assert route.body is None
        assert not route.idempotent
        assert not route.conditional


@each_route
def test_what_a_call_takes_counts_against_its_tenants_share_of_the_event_loop_unless_it_is_a_change(
    route: Route,
) -> None:
    """A change can be repeated with an `Idempotency-Key`, or is one of the many of an import. A dry run is none."""
    kinds = [] if route.body is None else types_in(route.body.kind)
    may_be_dry = any("dry_run" in kind.__struct_fields__ for kind in kinds)
    is_change = (route.idempotent and not may_be_dry) or route.name == "import_documents"
    assert route.is_timed is not is_change


def types_in(annotation: Any) -> set[Any]:
    return set(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else {annotation}


def returned_by(route: Route) -> set[Any]:
    """The types that a handler returns; of one change, its command."""
    handler = route.handler.command if isinstance(route.handler, OneChange) else route.handler
    return types_in(get_type_hints(handler)["return"])


def is_command(each: Any) -> bool:
    return hasattr(each, "decide")


@each_route
def test_what_a_handler_shows_is_among_the_answers_with_one_status(route: Route) -> None:
    for each in returned_by(route) - {Response, StreamedResponse}:
        if get_origin(each) is Json:
            assert {*get_args(each), Json} <= route.statuses.keys()
        elif each is NoneType:
            assert None in route.statuses
        elif not is_command(each):
            assert each in route.statuses


@each_route
def test_the_result_of_a_change_is_answered_as_its_route_declares(route: Route) -> None:
    """Documents, whose answers depend on what is found, are not in `ANSWERS`."""
    for command in filter(is_command, returned_by(route)):
        [decided] = get_args(get_type_hints(command.decide)["return"])
        for answer in filter(None, map(ANSWERS.get, types_in(decided))):
            reply = route.replies[answer.status]
            if route.complete is None:
                assert reply.body is answer.shape
            else:
                assert issubclass(reply.body, answer.shape or object)
            assert ("location" in reply.headers) is bool(answer.location)


@each_route
def test_a_read_without_headers_is_answered_with_what_its_handler_shows(route: Route) -> None:
    """A response of its own is for the result of a command, for headers, and for what is no JSON."""
    if route.method == "GET" and not any(each.headers or each.media_type != JSON for each in route.replies.values()):
        assert not returned_by(route) & {Response, StreamedResponse}


def test_an_answer_with_several_statuses_is_left_to_the_handler() -> None:
    several = next(route for route in ROUTES if route.name == "start_replays")
    one_each = next(route for route in ROUTES if route.name == "start_replay")
    assert several.statuses == {}
    assert one_each.statuses == {ReplayCount: 200, StartedReplay: 202}


def test_what_is_encoded_already_has_the_only_status_of_its_route() -> None:
    statuses = {route.name: route.statuses for route in ROUTES}
    assert statuses["list_events"] == {Feed: 200, Json: 200}
    assert Json not in statuses["start_replay"]


# --- Examples ---------------------------------------------------------------------------------------------------------


@each_route
def test_a_body_has_an_example_and_an_example_a_body(route: Route) -> None:
    assert (route.example.body is None) == (route.body is None)


@each_route
def test_an_example_passes_its_own_checks(route: Route) -> None:
    if route.body is not None:
        assert read(route.body.kind, route.example.body)
    for name, value in route.example.query.items():
        members_of_texts(route.query)[name].check(value)


@each_route
def test_an_example_is_valid_by_its_schema(route: Route, description: dict[str, Any]) -> None:
    operation = description["paths"][route.path][route.method.lower()]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        problems = validator(description, content["schema"]).iter_errors(content["example"])
        assert [problem.message for problem in problems] == []


@each_route
def test_a_list_has_an_example_of_its_query(route: Route) -> None:
    assert bool(members_of_texts(route.query)) == bool(route.example.query)


def validator(description: dict[str, Any], schema: dict[str, Any]) -> OAS31Validator:
    whole = {**schema, "components": description["components"]}
    return OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(json.dumps(describe(ROUTES, OPEN_ROUTES)))
    return described


# --- The entries together ---------------------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    names = [route.name for route in EVERY]
    assert len(set(names)) == len(names)


def test_no_method_of_a_path_is_there_twice() -> None:
    calls = [(method_of(route), re.sub(r"{\w+}", "{}", route.path)) for route in EVERY]
    assert len(set(calls)) == len(calls)


def test_a_path_with_a_word_comes_before_one_that_would_take_the_word_for_an_id(world: "World") -> None:
    """`import` is no document's id."""
    assert world.get("/v1/documents/import").refused(405)["detail"] == "This path takes POST."


def test_a_call_is_open_or_needs_a_key_but_not_both() -> None:
    assert not {route.path for route in ROUTES} & {route.path for route in OPEN_ROUTES}


def test_every_method_that_is_not_in_the_table_is_refused_with_those_that_are(world: "World") -> None:
    known: dict[str, set[str]] = {path: {"GET"} for path in DESCRIPTION_PATHS}
    for route in EVERY:
        known[route.path] = known.get(route.path, set()) | {method_of(route)}
    for path, method in product(known, METHODS):
        if method in known[path]:
            continue
        answer = world.send(method, concrete(path))
        assert answer.status == 405, (method, path)
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == known[path]


# --- Who may call -----------------------------------------------------------------------------------------------------


@each_route
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "no_key"),
        ("", "no_key"),
        ("Bearer", "no_key"),
        ("Basic c3A6", "no_key"),
        ("Bearer sp_" + "A" * 43, "unknown_key"),
    ],
)
def test_a_call_without_a_known_key_is_refused(
    world: "World", route: Route, authorization: str | None, code: str
) -> None:
    body = None if route.body is None else route.example.body
    problem = world.refuses(
        route.method, concrete(route.path), body, status=401, headers={"authorization": authorization}, code=code
    )
    assert set(problem) == {"type", "title", "status", "detail", "code", "requestId"}


@pytest.mark.parametrize("route", QUIET, ids=lambda route: route.name)
def test_an_open_call_needs_no_key(world: "World", route: OpenRoute) -> None:
    assert world.send("GET", route.path, headers={"authorization": None}).status == 200


def test_no_two_kinds_of_answer_are_described_by_the_same_sentence() -> None:
    bodies: dict[str, set[Any]] = {}
    for route in ROUTES:
        for reply in route.replies.values():
            if reply.body is not None and not reply.description.startswith("A page"):
                bodies.setdefault(reply.description, set()).add(reply.body)
    assert {said for said, shown in bodies.items() if len(shown) > 1} == set()
