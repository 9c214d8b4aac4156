"""SIGKILL, again and again, while clients write and endpoints are sent to: nothing is lost.

`make kills` kills more often.
"""

import os
import random
import time
from collections.abc import Callable

import pytest
from gateway.tests.acceptance.gateway_process import GatewayProcess
from gateway.tests.acceptance.kills import UnderLoad
from gateway.tests.acceptance.receiver import Endpoint

KILLS = int(os.environ.get("KILLS", "8"))


WORKER_KILLS = max(4, KILLS // 2)
"""A worker that is killed again and again is started again later and later."""


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "3"])
def test_kills_under_load_lose_nothing_and_repeat_only_what_was_not_recorded(
    gateways: Callable[..., GatewayProcess], endpoint: Callable[..., Endpoint], processes: str
) -> None:
    """C2, C5, C16, C17 (strict), C19, and "what was answered 2xx is committed"; with workers too."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    gateway = gateways(retry_delays="1,1,1", processes=processes)
    load = UnderLoad(gateway, endpoint, seed)
    kill_at_random(load, random.Random(seed))
    time.sleep(0.5)
    print(load.check())
    assert load.repeated > 0, "no attempt was ever interrupted: this proves nothing"


@pytest.mark.slow
def test_kills_of_workers_lose_nothing_and_repeat_only_what_they_had(
    gateways: Callable[..., GatewayProcess], endpoint: Callable[..., Endpoint]
) -> None:
    """C16: attempts that went with their worker do not count. The gateway itself is killed once, in the end."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    gateway = gateways(retry_delays="1,1,1", processes="3")
    load = UnderLoad(gateway, endpoint, seed)
    chance = random.Random(seed)
    for _ in range(WORKER_KILLS):
        load.until_sent_more()
        time.sleep(chance.uniform(0, 0.6))
        load.kill_workers()
    load.until_sent_more()
    gateway.kill()
    load.note_kill()
    gateway.start()
    load.until_sent_more()
    print(load.check())
    assert load.repeated > 0, "no attempt was ever interrupted: this proves nothing"


def kill_at_random(load: UnderLoad, chance: random.Random) -> None:
    """Kills and restarts."""
    for number in range(KILLS):
        if number % 5 == 4:  # perhaps before it listens
            time.sleep(chance.uniform(0, 0.9))
        else:
            load.gateway.until_listening()
            load.until_sent_more()
            time.sleep(chance.uniform(0, 0.6))
        load.gateway.kill()
        load.note_kill()
        load.gateway.spawn()
    load.gateway.until_listening()
