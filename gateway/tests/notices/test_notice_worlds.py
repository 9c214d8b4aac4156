"""A sample of worlds in which people are told, and of the faults that they find; `make simulate-notices` runs as many
worlds as one likes, `make week-of-notices` one of a thousand subscriptions, and `make planted-notices` has every fault
found."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway.tests.examples import cases
from gateway.tests.notices.notice_world import simulate
from gateway.tests.notices.plan import HOUR, draw
from gateway.tests.notices.planted import FAULTS
from gateway.tests.notices.week import MOST, THE_WEEK, check_few
from gateway.tests.simulation.planting import Fault
from gateway.tests.world.folder import Folder

SOON = ("hears of no source that is in trouble", "says that nothing is wrong while others of the kind are")
"""Faults that are found with the first seed, in seconds."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with Folder() as made:
        yield made


@pytest.mark.parametrize("seed", cases([3, 6, 31, 45], [3, 31]))
def test_one_node_tells_what_opens_and_closes_once_whatever_goes_wrong(seed: int, folder: Path) -> None:
    simulate(seed, folder, draw(seed, 1)._replace(lasts=HOUR))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "nodes"), cases([(6, 2), (6, 3)], [(6, 3)]))
def test_several_nodes_tell_as_one(seed: int, nodes: int, folder: Path) -> None:
    simulate(seed, folder, draw(seed, nodes)._replace(lasts=HOUR))


@pytest.mark.slow
@pytest.mark.parametrize("nodes", cases([1, 3], [1]))
def test_a_provider_of_many_that_comes_and_goes_makes_a_few_notices(nodes: int, folder: Path) -> None:
    """The week, cut down to four hours and forty subscriptions."""
    small = THE_WEEK._replace(
        nodes=nodes,
        subscriptions=40,
        dead=2,
        flapping=16,
        flaps_for=HOUR,
        lasts=3 * HOUR,
        blips=1,
        writes_every=120.0,
        writes_while_flapping=120.0,
    )
    world = simulate(1, folder, small)
    assert world.edges > 5 * MOST
    check_few(world)


@pytest.mark.parametrize("nodes", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_contacts_read_once_what_is_so_whatever_goes_wrong(nodes: int, folder: Path) -> None:
    """For so long that dead endpoints are told, while nodes end and contacts unsubscribe."""
    plan = draw(1, nodes)._replace(
        tenants=2, subscriptions=9, dead=6, lasts=2 * HOUR, flaps_for=HOUR / 2, writes_every=300.0,
        writes_while_flapping=300.0, kills=3, deletions=1, changes=2, unsubscribes=1, work_seconds=0.002,
    )  # fmt: skip
    assert simulate(1, folder, plan).contacts.mails


@pytest.mark.slow
@pytest.mark.parametrize("planted", [each for each in FAULTS.all if each.name in SOON], ids=lambda each: each.name)
def test_a_fault_planted_into_notices_is_found(planted: Fault, folder: Path) -> None:
    assert FAULTS.find(planted, folder, most=3).seeds > 0


@pytest.mark.parametrize("planted", FAULTS.all, ids=lambda each: each.name)
def test_each_fault_of_notices_has_a_place(planted: Fault) -> None:
    """What it replaces may have got another name meanwhile."""
    with planted.planted():
        pass


def test_each_fault_of_notices_has_a_name_of_its_own() -> None:
    names = {each.name for each in FAULTS.all}
    assert len(names) == len(FAULTS.all)
    assert set(SOON) <= names
