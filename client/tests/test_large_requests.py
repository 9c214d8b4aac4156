"""A client that sends the largest request of an import to its end before it reads an answer is not waited for."""

import json
import socket
import uuid

import pytest
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import PATIENCE

from signalpost_client.importing import BATCH_BYTES, BATCH_PLACES

pytestmark = pytest.mark.slow
SMALL = 4096
"""Bytes of each buffer of the connection: far fewer than the request has, and than its answers have."""


def test_a_request_is_read_to_its_end_although_no_answer_is_read(gateway: GatewayProcess) -> None:
    padding = "x" * (BATCH_BYTES // BATCH_PLACES - 70)
    lines = [json.dumps({"externalId": str(uuid.uuid4()), "x": padding}) for _ in range(BATCH_PLACES)]
    body = "".join(f"{line}\n" for line in lines).encode()
    assert BATCH_BYTES * 0.9 < len(body) <= BATCH_BYTES
    head = (
        "POST /v1/documents/import HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
        f"authorization: Bearer {gateway.operator_key}\r\ncontent-type: application/x-ndjson\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as client:
        client.settimeout(PATIENCE)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        client.connect(gateway.address)
        client.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.count(b'"problem":') == BATCH_PLACES
