"""The description of the API for programs and for people: valid, complete, in one piece, and the served one."""

import asyncio
import json
import re
from collections import Counter
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import quickjs
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from signalpost.api.app import Api
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.routes import OPEN_ROUTES, ROUTES
from signalpost.api.routing.docs_page import render
from signalpost.api.routing.openapi import describe
from signalpost.api.routing.route import OpenRoute, Route
from signalpost.asgi import Asgi
from signalpost.sharing.loop_turns import LoopTurns

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"src", "srcset", "data", "poster", "background", "action", "formaction", "ping"}
NOT_LOADED = {"script", "iframe", "object", "embed", "img", "link", "base", "form", "audio", "video"}


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The description as it is served: JSON has no tuples."""
    served: dict[str, Any] = json.loads(json.dumps(describe(ROUTES, OPEN_ROUTES)))
    return served


# --- /openapi.json ----------------------------------------------------------------------------------------------------


def test_the_description_is_valid_openapi_3_1(world: "World") -> None:
    served = world.send("GET", "/openapi.json").ok()
    assert served["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(served).iter_errors()] == []


def test_the_description_is_served_to_anyone_and_is_that_of_the_version_that_runs(
    world: "World", description: dict[str, Any]
) -> None:
    answer = world.send("GET", "/openapi.json", headers={"authorization": None})
    assert answer.ok() == description
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("kind", ["schemas", "responses", "parameters", "headers"])
def test_whatever_has_a_name_is_used_and_whatever_is_used_is_there(description: dict[str, Any], kind: str) -> None:
    found = {tuple(reference.split("/")[2:]) for reference in references(description)}
    assert {name for of, name in found if of == kind} == set(description["components"][kind])


def test_an_error_is_described_once_and_named_wherever_it_is_answered(description: dict[str, Any]) -> None:
    calls = [call for calls in description["paths"].values() for call in calls.values()]
    errors = [answer for call in calls for status, answer in call["responses"].items() if int(status) >= 400]
    assert len(errors) > 500
    assert [answer for answer in errors if set(answer) != {"$ref"}] == [
        answer
        for answer in errors
        if "application/json" in answer.get("content", ())  # a gateway that is not ready
    ]


def test_what_may_be_of_several_types_is_one_schema_for_generators_of_clients(description: dict[str, Any]) -> None:
    """A choice between two texts would become `string | string`."""
    schemas = {name: schema for name, schema in description["components"]["schemas"].items() if name != "Condition"}
    choices = [part["anyOf"] for part in nested([schemas, description["paths"]]) if "anyOf" in part]
    assert len(choices) > 50
    for choice in choices:
        assert len({json.dumps(each) for each in choice}) == len(choice)
        assert any("$ref" in each or "enum" in each for each in choice), choice


def test_no_schema_is_spelled_out_within_another_if_it_has_a_name(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    named = {json.dumps(schema, sort_keys=True): name for name, schema in schemas.items() if "properties" in schema}
    within = [part for schema in schemas.values() for part in nested(list(schema.values()))]
    assert [names for part in within if (names := named.get(json.dumps(part, sort_keys=True)))] == []


def test_no_list_of_words_that_has_a_name_is_spelled_out_again(description: dict[str, Any]) -> None:
    """A generated client would otherwise have one type for each place."""
    lists = Counter(words for schema in nested(description) if len(words := frozenset(schema.get("enum", ()))) > 2)
    assert [set(words) for words, times in lists.items() if times > 1] == []


def references(description: dict[str, Any]) -> set[str]:
    return {schema["$ref"] for schema in nested(description) if isinstance(schema.get("$ref"), str)}


def nested(part: Any) -> list[dict[str, Any]]:
    """Every object in it, itself first."""
    if isinstance(part, dict):
        return [part, *(found for below in part.values() for found in nested(below))]
    return [found for below in part for found in nested(below)] if isinstance(part, list) else []


def test_every_pattern_is_one_of_javascript(description: dict[str, Any]) -> None:
    """JSON Schema means ECMA-262, with the flag u: a tool in a browser compiles each as it loads the description."""
    engine = quickjs.Context()
    patterns = {schema["pattern"] for schema in nested(description) if isinstance(schema.get("pattern"), str)}
    assert len(patterns) > 10
    for pattern in patterns:
        engine.eval(f"new RegExp({json.dumps(pattern)}, 'u')")


def test_every_example_is_valid_by_the_schema_beside_it(description: dict[str, Any]) -> None:
    beside = [part for part in nested(description) if "example" in part and "schema" in part]
    assert len(beside) > 10
    for part in beside:
        whole = {**part["schema"], "components": description["components"]}
        problems = OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER).iter_errors(part["example"])
        assert [(part["example"], problem.message) for problem in problems] == []


def test_creations_do_not_offer_a_merge_patch(description: dict[str, Any]) -> None:
    offers = {
        method
        for calls in description["paths"].values()
        for method, call in calls.items()
        if "application/merge-patch+json" in call.get("requestBody", {}).get("content", ())
    }
    assert offers == {"patch"}


@pytest.mark.parametrize(("root_path", "server"), [("", "/"), ("/webhooks", "/webhooks")])
def test_the_server_is_where_the_api_is_mounted(root_path: str, server: str) -> None:
    engine = SimpleNamespace(turns=LoopTurns())
    installation = SimpleNamespace(trusted_proxies=())
    services: Any = SimpleNamespace(
        installation=installation, requests=RequestCounts(), engine=engine, traces=None, limits=None
    )
    api = Api(services, ROUTES, OPEN_ROUTES)
    scope = {
        "type": "http", "method": "GET", "path": f"{root_path}/openapi.json", "root_path": root_path,
        "query_string": b"", "headers": [],
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    asyncio.run(Asgi(api)(scope, receive, send))
    assert sent[0]["status"] == 200
    description = b"".join(part["body"] for part in sent[1:])
    assert json.loads(description)["servers"] == [{"url": server}]


# --- /docs ------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page has: its elements, anchors and links. Raises AssertionError if tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def text(description: dict[str, Any]) -> str:
    return render(description)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_served_to_anyone_as_html_that_may_load_nothing(world: "World", text: str) -> None:
    answer = world.send("GET", "/docs", headers={"authorization": None})
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.body.decode() == text


def test_the_page_names_every_call_with_its_summary(page: Page, text: str) -> None:
    anchors = set(page.all("id"))
    every: list[Route | OpenRoute] = [*ROUTES, *OPEN_ROUTES]
    for route in every:
        assert route.name in anchors
        assert route.path in text
        assert escape(route.summary) in text


def test_the_page_names_every_webhook_with_its_headers(page: Page, text: str, description: dict[str, Any]) -> None:
    assert set(description["webhooks"]) <= set(page.all("id"))
    assert "plexus-webhook-signature-alternate" in text


def test_the_page_names_every_type(page: Page, description: dict[str, Any]) -> None:
    anchors = set(page.all("id"))
    assert {f"type-{name}" for name in description["components"]["schemas"]} <= anchors


def test_the_page_loads_nothing(page: Page, text: str) -> None:
    assert not {tag for tag, _ in page.elements} & NOT_LOADED
    assert not {name for _, attributes in page.elements for name in attributes} & LOADS
    assert not {name for _, attributes in page.elements for name in attributes if name.startswith("on")}
    assert "url(" not in text
    assert "@import" not in text


def test_every_link_of_the_page_leads_somewhere_in_it(page: Page) -> None:
    anchors = page.all("id")
    assert len(set(anchors)) == len(anchors)
    links = set(page.all("href"))
    assert "openapi.json" in links
    assert {link.removeprefix("#") for link in links - {"openapi.json"}} <= set(anchors)


def test_what_a_link_leads_to_is_opened_by_it(text: str) -> None:
    """Browsers open a `details` for a target inside of it, and not for one that is itself the target."""
    assert not re.search(r"<details id=", text)
    assert len(re.findall(r'</summary><div id="[^"]+">', text)) == text.count("<details>")


def test_whatever_a_description_says_is_shown_as_text(description: dict[str, Any]) -> None:
    strange = "<script>alert(1)</script>&\"'"
    info = {**description["info"], "title": strange, "description": strange}
    paths = {
        path: {method: {**call, "summary": strange} for method, call in calls.items()}
        for path, calls in description["paths"].items()
    }
    shown = render({**description, "info": info, "paths": paths})
    assert "<script" not in shown
    assert re.search(r"&lt;script&gt;", shown)


def test_a_form_is_shown_as_one(text: str) -> None:
    assert "-F file=@contract.pdf" in text
    assert "-F publish=true" in text
