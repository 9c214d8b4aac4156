"""An outbox that is read ahead, behind a balancer with two gateways of which one ends while a batch is ahead."""

import os
from pathlib import Path

import pytest
from connect.tests.ahead import DOCUMENTS, VERSIONS, Front, feed
from connect.tests.feeding import names, states, titles
from connect.tests.fleet_rig import two_nodes, url_of
from connect.tests.platform import Platform
from gateway.tests.patience import PATIENCE

from signalpost_client import AsyncClient, Client
from signalpost_connect.testing.conformance import states_told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("FLEET"), reason="a PostgreSQL and two gateways: make connect-kills"),
]


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_gateway_that_ends_while_a_batch_is_ahead_leaves_each_change_to_be_told_once(
    platform: Platform, tmp_path: Path, end: str
) -> None:
    """All goes to the first gateway, and once that ends, to both in turns, as if a balancer had not noticed yet."""
    documents = names(DOCUMENTS)
    platform.put(states(documents, 1, VERSIONS))
    with two_nodes(tmp_path) as (first, second):
        key = first.api.ask("POST", "/v1/keys", {"name": "source", "role": "app"}, expect=201)["key"]
        front = Front(url_of(first))

        def end_the_first() -> None:
            front.urls.append(url_of(second))
            first.kill() if end == "kill" else first.stop()

        troubles = feed(platform, AsyncClient(url_of(first), key, deadline=PATIENCE, transport=front), end_the_first)
        with Client(url_of(second), second.operator_key) as client:
            told = states_told(client, 0)
    assert troubles == []
    assert told == {each: titles(1, VERSIONS) for each in documents}
    assert platform.left() == 0
    assert not platform.dead()
