"""A real gateway dies at each moment that a crash could tell apart, while clients write and endpoints are sent to.

`make crash-points` kills it fifty times at each.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from gateway.tests.acceptance import crash_points
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.kills import UnderLoad
from gateway.tests.acceptance.receiver import Endpoint

KILLS = int(os.environ.get("CRASH_POINT_KILLS", "1"))
"""At each point."""


@pytest.mark.slow
def test_a_kill_at_any_point_loses_nothing_and_repeats_only_what_was_not_recorded(
    gateways: Callable[..., GatewayProcess], endpoint: Callable[..., Endpoint]
) -> None:
    """C2, C5, C16, C17 (strict), C19, and "what was answered 2xx is committed"."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    chance = random.Random(seed)
    gateway = gateways(retry_delays="1,1,1")
    load = UnderLoad(gateway, endpoint, seed)
    time.sleep(1)
    usual = gateway.command
    gateway.kill()
    load.note_kill()
    for point in crash_points.POINTS:
        for _ in range(KILLS):
            gateway.command = [crash_points.__file__, point, str(times(point, chance))]
            die_at(gateway, point)
            load.note_kill()
        print(f"{KILLS} kills at: {point}", flush=True)
    gateway.command = usual
    gateway.start()
    time.sleep(0.5)
    print(load.check())


def times(point: str, chance: random.Random) -> int:
    """The how-manieth time it dies."""
    return chance.randint(1, 2) if point == "start-up" else 1 if point == "shutdown" else chance.randint(1, 40)


def die_at(gateway: GatewayProcess, point: str) -> None:
    gateway.spawn()
    with contextlib.suppress(AssertionError):  # it may die before it listens
        gateway.until_listening()
    if point == "shutdown":
        gateway.signal()
    assert gateway.wait() == -signal.SIGKILL, f"it did not die {point}"
