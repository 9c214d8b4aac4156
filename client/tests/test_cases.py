"""What every client does with whatever goes wrong between it and a real gateway: the cases of `client/cases`."""

import json
import random
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from client.tests import node_client, python_runner
from client.tests.faulty_proxy import Fate, FaultyProxy
from gateway.tests.acceptance.client import Client
from gateway.tests.acceptance.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "cases" / "cases.json").read_text())
DEADLINE = 30.0
Run = Callable[[Mapping[str, Any]], Any]


@pytest.fixture(scope="module", params=["blocking", "asynchronous", "node"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A client, as what makes a call that JSON describes and says its outcome."""
    if request.param != "node":
        yield getattr(python_runner, request.param)
        return
    command: list[str | Path] = ["node", node_client.built() / "tests" / "runner.mjs"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, said = process.stdin, process.stdout

        def run_in_node(case: Mapping[str, Any]) -> Any:
            asked.write(f"{json.dumps(case)}\n")
            asked.flush()
            return json.loads(said.readline())

        yield run_in_node
        asked.close()


@pytest.fixture(scope="module")
def api(gateway: GatewayProcess) -> Client:
    """The gateway without a proxy before it."""
    return gateway.client()


@pytest.fixture(scope="module")
def keys(api: Client, gateway: GatewayProcess) -> dict[str, str]:
    """A key of each role."""
    viewer = api.ask("POST", "/v1/keys", {"name": f"viewer {uuid.uuid4()}", "role": "viewer"}, expect=201)["key"]
    return {"operator": gateway.operator_key, "viewer": viewer}


def snapshot(name: str, number: int, external_id: str | None = None) -> dict[str, Any]:
    return {
        "externalId": external_id or str(uuid.uuid4()), "type": "NDA", "title": f"line {number}", "status": "approved",
        "createdAt": "2026-01-15T09:30:00Z", "sourceApp": "archive", "ownerEmail": "o@example.com",
        "authorEmail": "a@example.com", "referenceId": name, "sourceVersion": 1,
    }  # fmt: skip


def filled(part: Any, blanks: Mapping[str, Any]) -> Any:
    """A part of a case with `{name}` replaced; a text that is nothing else becomes the value itself."""
    if isinstance(part, list):
        return [filled(each, blanks) for each in part]
    if isinstance(part, dict):
        return {key: filled(value, blanks) for key, value in part.items()}
    if isinstance(part, str) and part in blanks:
        return blanks[part]
    return re.sub(r"{\w+}", lambda blank: str(blanks.get(blank[0], blank[0])), part) if isinstance(part, str) else part


def assert_within(expected: Any, found: Any) -> None:
    """What is expected is there, and there may be more."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_within(value, found[name])
    elif isinstance(expected, list):
        assert len(expected) == len(found), found
        for each, of_found in zip(expected, found, strict=True):
            assert_within(each, of_found)
    else:
        assert expected == found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case(case: dict[str, Any], run: Run, proxy: FaultyProxy, api: Client, keys: dict[str, str]) -> None:
    name = f"case {uuid.uuid4()}"
    blanks = prepare(case, name, api)
    call = call_of(case, name, blanks, proxy.url, keys)
    proxy.go_wrong(case.get("fates", []), case.get("always", "pass"))
    outcome = run(call)
    requests = [*proxy.seen]
    assert call["key"] not in json.dumps(outcome)
    check_outcome(case, outcome, blanks)
    assert len(requests) == case.get("requests", len(requests)), requests
    if "documents" in case:
        assert documents(api, name) == case["documents"]
    changes = [each.idempotency_key for each in requests if each.idempotency_key]
    assert len(set(changes)) <= 1, "all repeats have one key"


def prepare(case: Mapping[str, Any], name: str, api: Client) -> dict[str, Any]:
    """Make what a case finds. Returns what its blanks stand for."""
    blanks = {"{case}": name, "{last}": api.ask("GET", "/v1/events?before=latest&limit=1")["last"]}
    if "before" in case:
        before = filled(case["before"], blanks)
        made = api.ask(before["method"], before["path"], before["body"], expect=201)
        blanks |= {f"{{before.{member}}}": value for member, value in made.items()}
    for number in range(1, case.get("lines", 0) + 1):
        line = snapshot(name, number)
        del line["sourceVersion"]
        api.ask("PUT", f"/v1/documents/{line['externalId']}?sourceVersion=1", line, expect=201)
    return blanks


def call_of(
    case: Mapping[str, Any], name: str, blanks: Mapping[str, Any], url: str, keys: Mapping[str, str]
) -> dict[str, Any]:
    """The call of a case, as JSON describes it."""
    call = {
        "url": url,
        "key": case.get("key", keys[case.get("role", "operator")]),
        "deadline": case.get("deadline", DEADLINE),
        "take": case.get("take"),
    }
    if "import" not in case:
        return call | {"call": filled(case["call"], blanks)}
    lines = [snapshot(name, number) for number in range(1, case["import"] + 1)]
    if "spoil" in case:
        lines[case["spoil"] - 1]["ownerEmail"] = "nobody"
    return call | {"lines": lines}


def check_outcome(case: Mapping[str, Any], outcome: Any, blanks: Mapping[str, Any]) -> None:
    if "error" in case:
        assert "error" in outcome, outcome
        expected = {**case["error"]}
        assert expected.pop("kind") in outcome["error"]["kinds"], "a program that catches this kind catches it"
        assert_within(expected, outcome["error"])
    elif "import" in case:
        assert [each["line"] for each in outcome["result"]] == [*range(1, case["result"] + 1)]
        refused = [each["line"] for each in outcome["result"] if each.get("problem")]
        assert refused == case.get("refused", [])
    else:
        assert "result" in outcome, outcome
        assert_within(filled(case["result"], blanks), outcome["result"])


def documents(api: Client, name: str) -> int:
    """How many documents a case left."""
    by_title = api.ask("GET", "/v1/documents?limit=250")["data"]
    return sum(name in (each["title"], each["referenceId"]) for each in by_title)


# --- Many -------------------------------------------------------------------------------------------------------------


def fates(seed: int) -> Iterator[Fate]:
    """Half of all requests go wrong, each in its own way."""
    chance = random.Random(seed)
    busy = {"title": "", "status": 503, "code": "stopping", "detail": "Stopping.", "requestId": "r"}
    while True:
        yield chance.choice(
            [
                "pass", "pass", "pass", "cut", "lose", {"cutAfter": chance.randrange(40_000)}, {"delay": 0.01},
                {"answer": {"status": 503, "headers": {"retry-after": "0"}, "body": busy}},
            ]
        )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_of_a_thousand_lines_through_a_proxy_that_cuts_none_is_lost_and_none_is_imported_twice(
    run: Run, proxy: FaultyProxy, api: Client, gateway: GatewayProcess, seed: int
) -> None:
    last = api.ask("GET", "/v1/events?before=latest&limit=1")["last"]
    lines = [snapshot("a thousand", number) for number in range(1, 1001)]
    proxy.go_wrong(fates(seed))
    outcome = run({"url": proxy.url, "key": gateway.operator_key, "deadline": DEADLINE, "lines": lines})
    assert [each["line"] for each in outcome["result"]] == [*range(1, 1001)]
    assert [each["externalId"] for each in outcome["result"]] == [line["externalId"] for line in lines]
    events: list[dict[str, Any]] = []
    while page := api.ask("GET", f"/v1/events?after={last}&limit=250")["data"]:
        events += page
        last = page[-1]["sequence"]
    made = [each["event"]["data"]["document"]["externalId"] for each in events]
    assert sorted(made) == sorted(line["externalId"] for line in lines)


def test_of_a_hundred_changes_through_a_proxy_that_cuts_none_is_lost_and_none_is_made_twice(
    run: Run, proxy: FaultyProxy, api: Client, gateway: GatewayProcess
) -> None:
    name = f"case {uuid.uuid4()}"
    proxy.go_wrong(fates(3))
    for _ in range(100):
        given = {"type": "NDA", "title": name, "ownerEmail": "o@example.com", "authorEmail": "a@example.com"}
        asked = {"url": proxy.url, "key": gateway.operator_key, "deadline": DEADLINE, "take": None}
        assert "result" in run({**asked, "call": ["documents.create", [], given]})
    assert documents(api, name) == 100
