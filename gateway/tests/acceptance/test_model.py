"""Histories that the model of what should be delivered knows (`gateway/tests/world/model`), lived through with the real
command, real endpoints and real time: what came is what the model says. `JOINTS=20` tries more of them."""

import asyncio
import base64
import os
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from gateway.tests.acceptance import planted_process
from gateway.tests.acceptance.conftest import Gateways
from gateway.tests.joints.api_of_node import OPERATOR_KEY
from gateway.tests.joints.black_box import DOMAINS, BlackBoxWorld

from signalpost_bench import postgres_server

pytestmark = pytest.mark.slow
WORLDS = int(os.environ.get("JOINTS", "1"))
PLANTED = ("makes an event of a patch that changes nothing",)
"""Faults that a world finds soon, however slow the machine is."""
SEEDS = 8
ATTEMPT_SECONDS = 15
"""How long an attempt may take on PostgreSQL. After the kill no lane goes on before such an attempt would be over, so
the minute that others have here would be most of the test. No endpoint on loopback is that late, however slow the
machine is."""


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a gateway on a database of this kind."""
    if request.param != "postgres":
        yield {"processes": "4"} if request.param == "sqlite with workers" else {}
        return
    with postgres_server.running(settings=postgres_server.THROWAWAY) as server:
        master_key = base64.b64encode(secrets.token_bytes(32)).decode()
        yield {
            "database_url": server.loopback_url(), "master_key": master_key, "public_url": "https://gateway.example",
            "attempt_timeout": str(ATTEMPT_SECONDS),
        }  # fmt: skip


@pytest.fixture
def lived(
    database: dict[str, str],
    gateways: Gateways,
    tmp_path: Path,
    authority: trustme.CA,
    serving: Callable[[trustme.LeafCert], ssl.SSLContext],
) -> Callable[..., BlackBoxWorld]:
    """Lives through the history of a seed: `lived(seed)`; with a planted fault: `lived(seed, "its name")`."""

    def live(seed: int, *planted: str) -> BlackBoxWorld:
        world = BlackBoxWorld(seed, tmp_path)
        listeners = {domain: socket.create_server(("127.0.0.1", 0)) for domain in DOMAINS}
        allow = ",".join(f"https://localhost:{each.getsockname()[1]}" for each in listeners.values())
        command = [planted_process.__file__, *planted] if planted else ()
        gateway = gateways(command=command, allow=allow, operator_key=OPERATOR_KEY, **database)
        try:
            asyncio.run(world.live_with(gateway, listeners, serving(authority.issue_cert("localhost"))))
        finally:
            world.close()
        assert gateway.stop() == 0
        return world

    return live


@pytest.mark.parametrize("database", ["sqlite", "sqlite with workers", "postgres"], indirect=True)
@pytest.mark.parametrize("seed", range(1, 1 + WORLDS))
def test_what_a_killed_process_delivers_is_what_the_model_says(lived: Callable[..., BlackBoxWorld], seed: int) -> None:
    """C2, C13 to C21: what must not come, what must, and in which form."""
    world = lived(seed)
    assert not world.complaints, "\n".join([*world.last_steps(), str(world.complaints)])


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(lived: Callable[..., BlackBoxWorld], fault: str) -> None:
    assert any(lived(seed, fault).complaints for seed in range(1, 1 + SEEDS))
