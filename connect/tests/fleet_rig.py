"""Two gateways on one database."""

import base64
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import trustme
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost_bench import postgres_server


@contextmanager
def two_nodes(folder: Path) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Two gateways on one database that is empty at first."""
    authority = folder / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    with postgres_server.running(settings=postgres_server.THROWAWAY) as database:
        shared: Mapping[str, str] = {
            "database_url": database.loopback_url(),
            "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "operator_key": f"sp_{secrets.token_urlsafe(32)}",
            "public_url": "https://gateway.example.com",
            "attempt_timeout": f"{ATTEMPT_TIMEOUT:g}",
        }
        nodes = list[GatewayProcess]()
        try:
            for number in range(2):
                logs = folder / f"logs-{number}"
                logs.mkdir()
                nodes.append(GatewayProcess(folder / "data", logs, authority, "http://127.0.0.1:9", **shared))
                nodes[-1].start()
            yield nodes[0], nodes[1]
        finally:
            for each in nodes:
                each.end()
        assert [fault for each in nodes for fault in each.faults] == []


def url_of(node: GatewayProcess) -> str:
    """Where a node listens."""
    host, port = node.address
    return f"http://{host}:{port}"
