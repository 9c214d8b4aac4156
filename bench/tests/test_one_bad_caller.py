"""Beside a tenant that does what is costly another is answered and delivered to, and nothing of it fails. Only what can
be counted is judged here; `signalpost bench --scene one-bad-caller` judges the times too."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from gateway.tests.examples import cases

from signalpost_bench.bad_caller import HELD, LOST, PROBES
from signalpost_bench.harness import Harness
from signalpost_bench.results import Figures, Stall
from signalpost_bench.scenes.one_bad_caller import FAILED, REFUSED, held_ms, parts_of, run_probe
from signalpost_bench.workload import Workload

pytestmark = pytest.mark.slow
MORE_TRIES = 4
SAMPLE = ("unread lists", "broken lines", "large events", "conditions", "held forms", "wrong keys")
"""The probes that `make test` tries: of reading, parsing, writing, judging, waiting and refusing, one each."""
ANSWERS = {
    "unread lists": {"200", "429", HELD},
    "brackets": {"400", HELD},
    "empty lines": {"200", HELD, LOST},
    "newlines": {"200", HELD},
    "broken lines": {"200", HELD},
    "headers": {"400", HELD},
    "large events": {"201", HELD},
    "large documents": {"201", HELD},
    "conditions": {"201", HELD},
    "deep": {"400", HELD},
    "slow names": {"201", HELD},
    "held imports": {"429", "503", HELD, LOST},
    "held forms": {"400", "429", "503", HELD, LOST},
    "streams": {"201", "429", HELD},
    "metrics": {"401", HELD},
    "subscriptions": {"200", HELD},
    "reads": {"200", HELD},
    "pages": {"200", HELD},
    "events": {"200", HELD},
    "search": {"200", HELD},
    "checks": {"204", HELD},
    "signatures": {"200", HELD},
    "rehearsals": {"200", "409", "429", HELD},
    "dry replays": {"200", HELD},
    "tests": {"200", "429", HELD},
    "kinds": {"200", HELD},
    "wrong keys": {"401", HELD},
}
"""What the caller is told, and nothing else."""


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[[str], Figures]]:
    """Runs a probe at the gateway that all of them share."""
    with Harness(Workload(), None, tls=False) as harness, parts_of(harness) as parts:
        yield partial(run_probe, harness, parts, seconds=0.3, lead=0.2)


@pytest.mark.parametrize("probe", cases(PROBES, SAMPLE))
def test_nothing_of_another_tenant_is_refused_or_fails(run: Callable[[str], Figures], probe: str) -> None:
    row = run(probe)
    for _ in range(MORE_TRIES):  # a gateway that has no core for long, because others have them, may refuse changes
        if row.more[REFUSED]:
            row = run(probe)
    assert (row.more[REFUSED], row.more[FAILED], row.broken) == (0, 0, ())
    told = {name.removeprefix("answered ") for name in row.more if name.startswith("answered ") or name in (HELD, LOST)}
    assert told
    assert told <= ANSWERS[probe]


def test_a_probe_may_be_tried_again_at_the_same_gateway(run: Callable[[str], Figures]) -> None:
    """A machine that had no core for the gateway at the first try says nothing of it."""

    def is_answered() -> bool:
        return any(run("reads").more.get("answered 200") for _ in range(1 + MORE_TRIES))

    assert is_answered()
    assert is_answered()


def test_what_others_on_the_machine_took_is_no_stall_of_the_gateway() -> None:
    stall = Stall(ms=80, ran_ms=20, collected_ms=0, no_core_ms=10, most_no_core_ms=30, at_s=0, threads={})
    assert held_ms(stall) == 50
