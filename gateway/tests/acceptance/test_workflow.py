"""A contract's life, as those who draw it up, those who sign it and those who are told of it see it."""

import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, Reply, until
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.page import verify_signature
from gateway.tests.acceptance.receiver import Endpoint
from gateway.tests.patience import PATIENCE

Endpoints = Callable[..., Endpoint]
Gateways = Callable[..., GatewayProcess]

PDF = b"%PDF-1.7\n"
LAWYERS = ["ann@example.com", "bob@example.com"]
SIGNERS = ["ceo@example.com", "other@example.org"]

pytestmark = pytest.mark.slow


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


class Contract:
    """One document, moved by its people."""

    def __init__(self, api: Client) -> None:
        self.api = api
        self.id = str(api.create(title="Supply agreement")["externalId"])

    def act(self, action: str, *, expect: int = 200, **said: object) -> Reply:
        body = {"action": action, **said}
        reply = self.api.request("POST", f"/v1/documents/{self.id}/actions", body)
        assert reply.status == expect, reply.body
        return reply

    def read(self, below: str = "") -> Any:
        return self.api.ask("GET", f"/v1/documents/{self.id}{below}")

    @property
    def status(self) -> str:
        return str(self.read()["status"])


def test_a_contract_goes_from_created_to_executed(api: Client, endpoint: Endpoints) -> None:
    """Drafted, sent back, reviewed, approved, published, paused, signed: every change that shows makes one event, a
    receiver written for the page verifies it, and the history tells who did each."""
    hook = endpoint()
    secret = api.subscribe(hook.url, ordering="strict")["secret"].encode()
    contract = Contract(api)
    api.upload(contract.id, PDF + b"1")
    contract.act("requestReview", reviewers=LAWYERS)
    contract.act("rejectReview", by="bob@example.com", reason="The term is missing.")
    api.ask("PATCH", f"/v1/documents/{contract.id}", {"expiryDate": "2030-12-31", "contractValue": 1200.5})
    api.upload(contract.id, PDF + b"2")
    contract.act("requestReview", reviewers=LAWYERS)
    first = contract.act("approveReview", by="ann@example.com")
    assert "signalpost-event" not in first.headers
    assert contract.read("/actions")["awaited"] == ["bob@example.com"]
    contract.act("approveReview", by="Bob@Example.com")
    contract.act("requestApproval", approvers=["cfo@example.com"])
    contract.act("approve", by="cfo@example.com")
    api.ask("POST", f"/v1/documents/{contract.id}/versions/0.2/publish", expect=201)
    contract.act("requestSignature", signers=SIGNERS, expiresAt=in_seconds(86_400))
    contract.act("sign", by="ceo@example.com")
    contract.act("pause")
    contract.act("sign", by="other@example.org", expect=409)
    contract.act("resume")
    assert contract.read("/actions")["awaited"] == ["other@example.org"]
    last = contract.act("sign", by="other@example.org")

    statuses = [
        "created", "created", "awaitingReview", "reviewRejected", "reviewRejected", "reviewRejected", "awaitingReview",
        "reviewApproved", "awaitingApproval", "approved", "approved", "awaitingSignature", "paused",
        "awaitingSignature", "executed",
    ]  # fmt: skip
    requests = hook.until(len(statuses))
    assert all(verify_signature(request.body, request.headers, secret) for request in requests)
    events = [request.event for request in requests]
    documents = [event["data"]["document"] for event in events]
    assert [document["status"] for document in documents] == statuses
    executed = documents[-1]
    assert [document["executedAt"] for document in documents[:-1]] == [None] * (len(documents) - 1)
    assert executed["executedAt"] == events[-1]["createdAt"]
    assert last.headers["signalpost-event"] == events[-1]["id"]
    assert (executed["latestVersion"]["number"], executed["publishedVersion"]["number"]) == ("1.0", "1.0")
    with urllib.request.urlopen(executed["publishedVersion"]["downloadUrl"], timeout=PATIENCE) as answer:
        assert answer.read() == PDF + b"2"

    assert contract.read("/actions")["allowed"] == []
    refused = contract.act("cancel", reason="too late", expect=409).json()
    assert (refused["code"], refused["allowed"]) == ("action_not_allowed", [])
    check_history(contract, events)


def check_history(contract: Contract, events: list[Any]) -> None:
    """Each event is the work of one step, in their order; steps without one lie between."""
    told = list(reversed(contract.read("/history?limit=250")["data"]))
    assert [step["event"]["id"] for step in told if step["event"]] == [event["id"] for event in events]
    assert [(step["action"], step["by"]) for step in told if not step["event"]] == [
        ("approveReview", "ann@example.com"), ("sign", "ceo@example.com"),
    ]  # fmt: skip
    assert [step["action"] for step in told] == (
        "create upload requestReview rejectReview update upload requestReview approveReview approveReview"
        " requestApproval approve publish requestSignature sign pause resume sign"
    ).split()
    assert {step["key"] for step in told} == {"operator"}
    assert [step["version"] for step in told if step["version"]] == ["0.1", "0.2", "1.0"]
    assert told[3]["reason"] == "The term is missing."
    assert told[12]["participants"] == SIGNERS
    paged: list[Any] = []
    cursor = ""
    while len(paged) < len(told):
        page = contract.read(f"/history?limit=4{cursor}")
        paged += page["data"]
        cursor = f"&cursor={page['next']}"
    assert paged == list(reversed(told))


def test_a_signature_request_expires_while_the_gateway_is_down(gateways: Gateways, endpoint: Endpoints) -> None:
    """The expiry of a paused request shows once it is resumed."""
    gateway = gateways()
    hook = endpoint()
    gateway.api.subscribe(hook.url, eventTypes=["documentUpdated"])
    waiting, paused = Contract(gateway.api), Contract(gateway.api)
    for contract in (waiting, paused):
        contract.act("requestSignature", signers=SIGNERS, expiresAt=in_seconds(15))
    paused.act("pause")  # in time, also on a slow machine
    deadline = datetime.fromisoformat(waiting.read("/actions")["expiresAt"])
    assert gateway.stop() == 0
    time.sleep(max(0.0, (deadline - datetime.now(UTC)).total_seconds()))
    gateway.start()

    until(lambda: waiting.status == "signatureRequestExpired")
    waiting.act("sign", by=SIGNERS[0], expect=409)
    until(lambda: paused.read("/actions")["statusBefore"] == "signatureRequestExpired")
    assert paused.status == "paused"
    paused.act("resume")
    assert paused.status == "signatureRequestExpired"
    statuses = [request.event["data"]["document"]["status"] for request in hook.until(5)]
    assert sorted(statuses) == sorted([*["awaitingSignature", "signatureRequestExpired"] * 2, "paused"])


def test_signatures_that_race_with_their_deadline_have_one_winner_each(api: Client) -> None:
    """Whatever the client is answered is what the log and the history have."""
    contracts = [Contract(api) for _ in range(12)]
    deadline = in_seconds(10)  # so many that a slow machine asks for all signatures before
    for contract in contracts:
        contract.act("requestSignature", signers=SIGNERS[:1], expiresAt=deadline)
    moment = datetime.fromisoformat(deadline).timestamp()
    signed = {}
    for number, contract in enumerate(contracts):
        time.sleep(max(0.0, moment - time.time() + (number - 6) * 0.01))
        body = {"action": "sign", "by": SIGNERS[0]}
        signed[contract.id] = api.request("POST", f"/v1/documents/{contract.id}/actions", body).status == 200
    for contract in contracts:
        end = "executed" if signed[contract.id] else "signatureRequestExpired"
        until(lambda contract=contract, end=end: contract.status == end)  # type: ignore[misc]
        events = api.events_of({"externalId": contract.id})
        statuses = [event["data"]["document"]["status"] for event in events]
        assert statuses == ["created", "awaitingSignature", end]
        last = contract.read("/history?limit=1")["data"][0]
        assert (last["action"], last["event"]["id"]) == ("sign" if signed[contract.id] else "expire", events[-1]["id"])
