"""Two gateways on one PostgreSQL: what one of them answers holds whichever of them is asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest
from gateway.tests.postgres import emptied_database

if TYPE_CHECKING:
    from gateway.tests.api.conftest import World


class Pair(NamedTuple):
    """Two nodes of one fleet."""

    one: "World"
    other: "World"


@pytest.fixture(scope="module")
def pair(make_world: Callable[..., "World"]) -> Pair:
    shared = {
        "database_url": emptied_database(),
        "master_key": (bytes(range(32)),),
        "operator_key": f"sp_{'k' * 43}",
        "public_url": "https://gateway.example.com",
    }
    return Pair(make_world(**shared), make_world(**shared))


def test_every_node_is_shown_with_its_lanes_and_its_beat(pair: Pair) -> None:
    for number in range(8):
        pair[number % 2].create_subscription(name=f"number {number}")

    def is_settled() -> bool:
        shown = pair.one.get("/v1/nodes").ok()
        return sum(node["lanes"] for node in shown["data"]) == 8 and all(node["lanes"] for node in shown["data"])

    pair.one.wait_until(is_settled)
    for asked in pair:
        shown = asked.get("/v1/nodes").ok()
        first, second = shown["data"]
        assert first["id"] < second["id"]
        assert [node["answers"] for node in (first, second)] == [asked is pair.one, asked is pair.other]
        assert {node["state"] for node in (first, second)} == {"working"}
        assert all(node["secondsSinceBeat"] < 6 for node in (first, second))
        assert (shown["subscriptions"], shown["unowned"], shown["next"]) == (8, 0, None)
