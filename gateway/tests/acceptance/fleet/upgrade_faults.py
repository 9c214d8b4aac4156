"""A rolling upgrade under load: nodes of two versions side by side, while a migration changes the tables they work on.

`make fleet-faults` runs this.
"""

from pathlib import Path

import pytest
from gateway.tests.acceptance.fleet.conftest import Database, Fleets

pytestmark = pytest.mark.slow
NEXT = Path(__file__).with_name("next_version.py")
SUBSCRIPTIONS = 10


def test_nodes_are_replaced_one_by_one_with_a_later_version_while_nobody_notices(
    database: Database, fleets: Fleets
) -> None:
    fleet = fleets(database.url(database.new()), nodes=2)
    fleet.subscribe(SUBSCRIPTIONS)
    fleet.until_spread(2)
    fleet.write(5)
    fleet.until_delivered_more(10)
    for old in list(fleet.nodes):
        fleet.add([str(NEXT)])  # the first one applies the migration
        fleet.until_spread(3)
        fleet.until_delivered_more(10)
        fleet.rotation.nodes.remove(old)  # the balancer is told before the node is
        assert old.stop() == 0
        fleet.until_spread(2)
        fleet.until_delivered_more(10)
    assert fleet.rows("SELECT count(later) FROM lane")[0][0] == SUBSCRIPTIONS
    assert fleet.rows("SELECT count(DISTINCT schema) FROM node") == [(1,)]
    print(fleet.check())
    assert fleet.failures == []
