"""The page's three example payloads, field by field, as calls of the API alone make them (C1 to C12).

What the gateway makes itself differs: the event's id and `createdAt`, and the links of its own versions, which lead to
their files. The page's examples repeat the name of a fact; as every JSON parser does, the last one counts.
"""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from gateway.tests.acceptance.client import Client
from gateway.tests.acceptance.receiver import Endpoint, ReceivedRequest
from gateway.tests.patience import PATIENCE

from signalpost.domain.timestamps import parse_timestamp

EXAMPLES = Path(__file__).parents[3] / "examples" / "page"
PDF = b"%PDF-1.7 version "
ID = "d24c0644-1d31-47fa-960e-b0cc8b4f136c"
VERSIONS = ("latestVersion", "publishedVersion")


def page(name: str) -> Any:
    """With every object as its list of names and values, so that order counts too."""
    return json.loads((EXAMPLES / f"{name}.json").read_text(), object_pairs_hook=in_order)


def in_order(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return list(dict(pairs).items())


def payload(request: ReceivedRequest) -> Any:
    return json.loads(request.body, object_pairs_hook=in_order)


def plain(value: Any) -> Any:
    """The object that such a list is."""
    if isinstance(value, list) and all(isinstance(each, tuple) for each in value):
        return {name: plain(below) for name, below in value}
    return value


def but(value: Any, *names: str) -> Any:
    """Without what some names have, wherever they are; the names stay in their places."""
    if not isinstance(value, list):
        return value
    return [(name, "…" if name in names else but(below, *names)) for name, below in value]


def written(value: Any) -> list[str]:
    """Line by line, as it stands in JSON: there 0.0, 0 and false are not the same."""
    return json.dumps(value, indent=1).splitlines()


def document_of(name: str) -> dict[str, Any]:
    document: dict[str, Any] = plain(page(name))["data"]["document"]
    return document


@pytest.fixture
def hook(api: Client, endpoint: Callable[..., Endpoint]) -> Iterator[Callable[[str], Any]]:
    """The last payload of a type that a subscribed receiver got, once it is there."""
    receiving = endpoint()
    api.subscribe(receiving.url)
    seen = 0

    def last(event_type: str, count: int = 1) -> Any:
        """After `count` more events."""
        nonlocal seen
        seen += count
        receiving.until(seen)
        found = [payload(request) for request in receiving.requests]
        latest = max(found, key=lambda event: str(dict(event)["createdAt"]))
        assert dict(latest)["type"] == event_type
        return latest

    yield last
    api.request("DELETE", f"/v1/documents/{ID}")


def check_envelope(event: Any, example: Any) -> None:
    """All that is not the document: C1 to C5."""
    assert [name for name, _ in event] == [name for name, _ in example] == ["id", "type", "createdAt", "data"]
    made = dict(event)
    assert UUID(made["id"]).version == 7
    assert len(made["createdAt"]) == len(dict(example)["createdAt"])
    around = ("id", "createdAt", "document")
    assert written(but(event, *around)) == written(but(example, *around))


@pytest.mark.slow
def test_the_page_s_creation_is_an_import_of_what_another_system_keeps(api: Client, hook: Callable[..., Any]) -> None:
    api.request("PUT", f"/v1/documents/{ID}?sourceVersion=1000", document_of("documentCreated"))
    event, example = hook("documentCreated"), page("documentCreated")
    check_envelope(event, example)
    assert written(event[3]) == written(example[3]), "every field, in its order, links and all"


@pytest.mark.slow
def test_the_page_s_update_and_deletion_are_of_versions_that_the_gateway_keeps(
    api: Client, hook: Callable[..., Any]
) -> None:
    given = {name: value for name, value in document_of("documentUpdated").items() if name not in VERSIONS}
    api.request("PUT", f"/v1/documents/{ID}?sourceVersion=2000", {**given, "status": "created"})
    hook("documentCreated")
    for number in range(1, 8):
        assert api.upload(ID, PDF + str(number).encode(), publish=True) == f"{number}.0"
    assert api.upload(ID, PDF + b"8") == "7.1"
    hook("documentUpdated", 8)
    asked = {"action": "requestReview", "reviewers": ["lawyer@example.com"]}
    api.ask("POST", f"/v1/documents/{ID}/actions", asked)

    event, example = hook("documentUpdated"), page("documentUpdated")
    check_envelope(event, example)
    assert written(but(event[3][1], "downloadUrl")) == written(but(example[3][1], "downloadUrl"))
    check_links(event)

    api.request("DELETE", f"/v1/documents/{ID}")
    event, example = hook("documentDeleted"), page("documentDeleted")
    check_envelope(event, example)
    assert written(but(event[3][1], "downloadUrl")) == written(but(example[3][1], "downloadUrl"))
    check_links(event)


def check_links(event: Any) -> None:
    """C9, C10: both versions' files are behind their links."""
    document = plain(event)["data"]["document"]
    for name, content in (("latestVersion", PDF + b"8"), ("publishedVersion", PDF + b"7")):
        assert list(document[name]) == ["number", "downloadUrl"]
        with urllib.request.urlopen(document[name]["downloadUrl"], timeout=PATIENCE) as answer:
            assert answer.read() == content
    assert parse_timestamp(plain(event)["createdAt"])
