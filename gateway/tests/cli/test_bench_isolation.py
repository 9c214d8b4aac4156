"""The scenes of isolation, small: everything that is due comes, and what counts without a clock is held."""

import pytest
from gateway.tests.cli.command import Run, json_of
from gateway.tests.cli.test_bench import ISOLATION, SMALL, asking_for

pytestmark = pytest.mark.slow


def test_each_is_measured_and_judges_its_bounds(run: Run) -> None:
    asked = asking_for(ISOLATION)
    found = json_of(run("bench", *SMALL, "--backlog", "500", *asked, "--json"))["scenes"]
    assert all(not row["broken"] for row in found.values())
    if "overload" in asked:
        assert found["in it, the tenant that asks for little"]["more"]["refused"] == 0
    if "recovery" in asked:
        assert found["1,000 endpoints that recover together"]["more"]["most at once, 0 to 2 s"] == 1
    assert found["20 endpoints that go up and down every 2 s"]["more"]["attempts wasted for each delivery"] > 0
    assert found["strict: a document with 400 events at a dead endpoint"]["more"]["overtaken"] == 0
