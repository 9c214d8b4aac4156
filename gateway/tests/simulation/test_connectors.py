"""Worlds with connectors keep every promise (`connector_worlds.py`), and a fault that is planted there is found."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.simulation.connector_worlds import simulate
from gateway.tests.simulation.planting import planted
from gateway.tests.simulation.seeded_world import Violation

from signalpost.domain.delivery import delivery
from signalpost.domain.delivery.delivery import Delivery, DeliveryInput, Verdict
from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.event import Event
from signalpost.engine.connectors.access_token import Token
from signalpost.engine.connectors.courier import Courier
from signalpost.engine.connectors.token_endpoints import IssuedToken
from signalpost.engine.connectors.tokens import Tokens
from signalpost.engine.lanes.lane_worker import LaneWorker

SAMPLE = 12
"""Worlds that keep every promise."""
SEEDS = 40
"""Worlds among which a planted fault is found."""
PARTS = 4


def simulate_all(seeds: range, folder: Path) -> None:
    for seed in seeds:
        simulate(seed, folder)


@pytest.mark.parametrize("part", range(PARTS))
def test_worlds_with_connectors_keep_every_promise(part: int, tmp_path: Path) -> None:
    simulate_all(range(part, SAMPLE, PARTS), tmp_path)


async def uses_it_before_it_is_kept(self: Tokens, _access: Any, issued: IssuedToken) -> None:
    self._token.renew(Token(issued.access_token, None))
    self._on_change()
    await self._keep(self._granted_by(issued))


async def asks_for_two_at_a_time(self: Tokens, access: Any) -> IssuedToken:
    first, _ = await asyncio.gather(self._ask(access), self._ask(access))
    return first


def charges_for_a_token(taken: Delivery, _outcome: Outcome, now: int) -> Verdict:
    return Verdict(DeliveryInput.GIVE_UP, counted=True, due=now)


async def charges_what_it_could_not_try(self: Courier, event: Event, delivery: Delivery) -> Outcome | None:
    try:
        return await self._attempt(event, delivery)
    except Exception as error:
        return Outcome(failure=Failure.CONNECTOR, detail=str(error))


def wants_everything(self: LaneWorker, event: Any, _now: int) -> None:
    self.lane.take(event.sequence, event.document_id)


@pytest.mark.parametrize(
    ("owner", "attribute", "faulty"),
    [
        (Tokens, "_take", uses_it_before_it_is_kept),
        (Tokens, "_asked", asks_for_two_at_a_time),
        (delivery, "_uncounted", charges_for_a_token),
        (Courier, "_outcome", charges_what_it_could_not_try),
        (LaneWorker, "pass_by", wants_everything),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_a_planted_fault_is_found(owner: Any, attribute: str, faulty: Any, tmp_path: Path) -> None:
    with planted(owner, attribute, faulty), pytest.raises(Violation):
        simulate_all(range(SEEDS), tmp_path)
