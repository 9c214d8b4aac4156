"""Real gateways on one real PostgreSQL: what one takes in another delivers, and the rest goes on without any."""

import base64
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gateway.tests.acceptance.client import until
from gateway.tests.acceptance.conftest import Endpoints
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.receiver import Endpoint, Receiver
from gateway.tests.patience import ATTEMPT_TIMEOUT

from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
SUBSCRIPTIONS = 8
"""Enough that each of two nodes owns some."""
Nodes = Callable[..., GatewayProcess]


@pytest.fixture
def nodes(tmp_path: Path, ca_file: Path, receiver: Receiver) -> Iterator[Nodes]:
    """Starts nodes on a database that is empty at first."""
    made: list[GatewayProcess] = []
    with postgres_server.running(settings=postgres_server.THROWAWAY) as server:
        shared = {
            "database_url": server.loopback_url(),
            "master_key": base64.b64encode(secrets.token_bytes(32)).decode(),
            "operator_key": f"sp_{secrets.token_urlsafe(32)}",
            "public_url": "https://gateway.example.com",
            "attempt_timeout": f"{ATTEMPT_TIMEOUT:g}",
        }

        def start(**flags: str) -> GatewayProcess:
            logs = tmp_path / f"logs-{len(made)}"
            logs.mkdir()
            made.append(GatewayProcess(tmp_path / "data", logs, ca_file, receiver.origin, **shared, **flags))
            made[-1].start()
            return made[-1]

        try:
            yield start
        finally:
            for each in made:
                each.end()
    assert [fault for each in made for fault in each.faults] == []


def documents(end: Endpoint) -> set[str]:
    """The documents of the events that an endpoint got."""
    return {each.event["data"]["document"]["externalId"] for each in end.requests}


def test_what_any_node_takes_in_is_delivered_whichever_node_ends(nodes: Nodes, endpoint: Endpoints) -> None:
    first, second = nodes(), nodes()
    ends = [endpoint() for _ in range(SUBSCRIPTIONS)]
    for number, end in enumerate(ends):
        (first, second)[number % 2].api.subscribe(end.url, eventTypes=["documentCreated"])
    made: set[str] = set()

    def publish(*to: GatewayProcess) -> None:
        """Some documents more, whose events all endpoints get."""
        for number in range(6):
            made.add(to[number % len(to)].api.create()["externalId"])
        until(lambda: all(documents(end) == made for end in ends))

    publish(first, second)
    assert first.stop() == 0  # it hands its lanes over
    publish(second)
    third = nodes()  # it takes its share of the lanes
    publish(third, second)
    second.kill()  # its lanes are taken over once it is known to be gone
    publish(third)
