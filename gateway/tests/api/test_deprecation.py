"""What will go says so in each of its answers and in the API's description, and nothing else does."""

import asyncio
from datetime import date
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from signalpost.api.app import Api
from signalpost.api.routes import ROUTES
from signalpost.api.routing.deprecation import Deprecation
from signalpost.api.routing.openapi import describe
from signalpost.listener.application import Answer, Head, WholeBody, answer_of

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World

GOING = Deprecation(since=date(2027, 2, 1), sunset=date(2027, 11, 1), instead="Use the log of events.")
TABLE = [replace(route, deprecation=GOING) if route.name == "list_documents" else route for route in ROUTES]


def ask(world: "World", path: str) -> Answer:
    key = f"Bearer {world.key}"
    head = Head(
        method="GET", path=path, raw_path=path.encode(), query=b"", headers=[(b"authorization", key.encode())],
        named={b"authorization": key}, length=0,
    )  # fmt: skip
    api = Api(world.gateway._services, TABLE, ())
    asked = asyncio.run_coroutine_threadsafe(answer_of(api(head, WholeBody(b""))), world.loop)
    answer: Answer = asked.result()
    return answer


def test_an_answer_of_what_will_go_says_since_when_and_until_when(world: "World") -> None:
    answer = ask(world, "/v1/documents")
    assert answer.status == 200
    assert dict(answer.headers).items() >= {
        ("deprecation", "@1801440000"),
        ("sunset", "Mon, 01 Nov 2027 00:00:00 GMT"),
    }


@pytest.mark.parametrize("path", ["/v1/subscriptions", "/v1/documents/d24c0644-1d31-47fa-960e-b0cc8b4f136c"])
def test_all_other_answers_say_nothing_of_it(world: "World", path: str) -> None:
    assert dict(ask(world, path).headers).keys().isdisjoint({"deprecation", "sunset"})


def test_the_description_says_what_to_use_instead() -> None:
    paths = describe(TABLE, ())["paths"]
    assert paths["/v1/documents"]["get"]["deprecated"]
    assert paths["/v1/documents"]["get"]["description"].endswith("It goes after 2027-11-01. Use the log of events.")
    assert "deprecated" not in paths["/v1/documents"]["post"]
