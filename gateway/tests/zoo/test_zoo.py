"""Every behaviour of the zoo ends as it must (C15), alone and beside all others, and leaves nothing behind."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import uvloop
from gateway.tests.patience import PATIENCE
from gateway.tests.zoo.behaviours import BEHAVIOURS, Behaviour, Times
from gateway.tests.zoo.keepers import Zoo, allowed, request_to
from gateway.tests.zoo.visitors import ask_for_echoes, attempt, process, sending
from rich.console import Console

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.sender.sender import Sender

pytestmark = pytest.mark.slow
TIMES = Times(timeout=2.0, margin=1.7)
"""The endpoint that answers just in time does so after 0.3 s, so that a busy machine has 1.7 s to notice."""
NONCES = iter(range(1, 1 << 40))


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo") / "ca.pem"


@pytest.fixture(scope="module")
def zoo(ca_file: Path) -> Iterator[Zoo]:
    with Zoo(TIMES, ca_file) as opened:
        yield opened


def sending_to(zoo: Zoo, ca_file: Path, timeout: float = TIMES.timeout) -> AbstractAsyncContextManager[Sender]:
    return sending(allowed(zoo.ports), ca_file, timeout)


async def attempted(sender: Sender, zoo: Zoo, behaviour: Behaviour) -> Outcome:
    """One attempt, told of once, whose answer is its own."""
    nonce = next(NONCES)
    async with asyncio.timeout(PATIENCE):
        outcome = await attempt(sender, request_to(behaviour, zoo.endpoints[behaviour.name].port, nonce))
    assert set(re.findall(rb"nonce=(\d+);", outcome.answer)) <= {b"%d" % nonce}
    return outcome


def assert_right(behaviour: Behaviour, outcome: Outcome) -> None:
    assert outcome.failure in behaviour.ends, outcome
    assert (outcome.failure is Failure.TIMEOUT) <= (outcome.elapsed_us >= TIMES.timeout * 1e6)
    assert (outcome.failure is None) == (outcome.detail == "")


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_each_behaviour_ends_as_it_must_twice(zoo: Zoo, ca_file: Path, behaviour: Behaviour) -> None:
    """The second attempt finds what the first left of the connection."""
    # What must not time out does not do so either where the machine is slow.
    timeout = TIMES.timeout if Failure.TIMEOUT in behaviour.ends else PATIENCE

    async def scenario() -> list[Outcome]:
        async with sending_to(zoo, ca_file, timeout) as sender:
            first = await attempted(sender, zoo, behaviour)
            await asyncio.sleep(TIMES.timeout / 25 if first.failure is None else 0)
            if behaviour.alone:  # what it sends in between costs the connection
                async with asyncio.timeout(PATIENCE):
                    while zoo.endpoints[behaviour.name].open:
                        await asyncio.sleep(0.01)
            return [first, await attempted(sender, zoo, behaviour)] if first.failure is not Failure.TIMEOUT else [first]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for outcome in runner.run(scenario()):
            assert_right(behaviour, outcome)


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_all_behaviours_at_once_end_as_they_must_and_leave_no_task(
    zoo: Zoo, ca_file: Path, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        async with sending_to(zoo, ca_file) as sender:
            outcomes = await asyncio.gather(*(attempted(sender, zoo, behaviour) for behaviour in BEHAVIOURS))
        for behaviour, outcome in zip(BEHAVIOURS, outcomes, strict=True):
            # A hundred at once may be too many for a busy machine to be in time with: that is said by the test above.
            if outcome.failure is not Failure.TIMEOUT:
                assert_right(behaviour, outcome)
        assert asyncio.all_tasks() == before

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("loop", [uvloop.new_event_loop, asyncio.new_event_loop], ids=["uvloop", "asyncio"])
def test_no_answer_is_taken_for_another_request_s(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """`benchmarks/zoo.py` asks a million times."""
    with process("echoes", "1") as port, asyncio.Runner(loop_factory=loop) as runner:
        watch = runner.run(ask_for_echoes(3_000, int(port), Console(quiet=True)))
    assert watch.faults == []
    assert watch.nonces > 2_900


def test_every_behaviour_has_a_name_of_its_own() -> None:
    assert len({behaviour.name for behaviour in BEHAVIOURS}) == len(BEHAVIOURS) >= 30
