"""SIGKILL while a tenant is erased: the next start goes on, and in the end nothing of it is left on the disk."""

import json
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from gateway.tests.acceptance.client import DOCUMENT, until
from gateway.tests.acceptance.conftest import Gateways
from gateway.tests.acceptance.gateway_process import GatewayProcess

pytestmark = pytest.mark.slow
CANARY = "canary-3f9c1b"
DOCUMENTS = 2_000
KILLS = 4


def fill(gateway: GatewayProcess, tenant: str, text: str) -> None:
    """Many documents, and one with a file."""
    new = {**DOCUMENT, "title": text, "additionalFacts": {"fact": text * 20}}
    line = {**new, "status": "created", "createdAt": "2021-09-02T04:37:56.812919+00:00", "sourceApp": "a test"}
    lines = (json.dumps({**line, "externalId": str(uuid4())}) for _ in range(DOCUMENTS))
    reply = gateway.api.request(
        "POST", "/v1/documents/import", "\n".join(lines).encode(), content_type="application/x-ndjson",
        signalpost_tenant=tenant,
    )  # fmt: skip
    assert reply.body.count(b'"status":201') == DOCUMENTS
    made = gateway.api.ask("POST", "/v1/documents", new, expect=201, signalpost_tenant=tenant)
    form = f'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\na text: {text}\r\n--b--\r\n'.encode()
    path, content_type = f"/v1/documents/{made['externalId']}/versions", "multipart/form-data; boundary=b"
    gateway.api.ask("POST", path, form, expect=201, content_type=content_type, signalpost_tenant=tenant)


def files_with(text: str, folder: Path) -> list[Path]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [file for file in files if text.encode() in file.read_bytes()]


def test_an_erasure_that_is_killed_again_and_again_ends_and_leaves_nothing(gateways: Gateways) -> None:
    gateway = gateways()
    gateway.api.ask("POST", "/v1/tenants", {"name": "theirs"}, expect=201)
    fill(gateway, "theirs", CANARY)
    fill(gateway, "default", "harmless")
    assert files_with(CANARY, gateway.data_dir)
    erasure = gateway.api.ask("DELETE", "/v1/tenants/theirs?confirm=theirs", expect=202)
    states = []
    for _ in range(KILLS):
        gateway.kill()
        gateway.start()
        before = gateway.api.ask("GET", f"/v1/erasures/{erasure['id']}")
        until(partial(went_on, gateway, before))
        states.append(before["state"])
    assert "running" in states, "it ended before a kill: this proves nothing"
    until(lambda: gateway.api.ask("GET", f"/v1/erasures/{erasure['id']}")["state"] == "finished")
    assert gateway.stop() == 0
    assert files_with(CANARY, gateway.data_dir) == []
    gateway.start()
    others = gateway.api.ask("GET", "/v1/documents?limit=250")
    assert len(others["data"]) == 250
    assert {document["title"] for document in others["data"]} == {"harmless"}


def went_on(gateway: GatewayProcess, before: dict[str, Any]) -> bool:
    """Whether an erasure came further than it was, or is finished."""
    now = gateway.api.ask("GET", f"/v1/erasures/{before['id']}")
    return bool(now["state"] == "finished" or now["removed"] > before["removed"])
