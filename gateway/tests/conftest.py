import gc
import signal
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import trustme
from gateway.tests.authorities import trust_one_authority
from gateway.tests.examples import more
from hypothesis import HealthCheck, settings

trust_one_authority()

# A slow machine is no failure. `make laws` tries every law on many more examples, but for those that say themselves on
# how many they are tried.
settings.register_profile(
    "any machine", max_examples=more(25), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
# For `make check`: half of them.
settings.register_profile("quick", settings.get_profile("any machine"), max_examples=20)

# A shell has what runs in its background ignore SIGINT, and so would each command that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests and what they import live as long as the process. The garbage collector, which would look through all of
    them hundreds of times, does not look at them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """A worker tells how each test came out, and not that it begins, that it was set up and that it was torn down if
    nothing went wrong there. No report says that, and to tell it takes half as long as most tests."""
    for worker in config.pluginmanager.get_plugins():
        if type(worker).__name__ == "WorkerInteractor":
            worker.sendevent = _without_what_goes_without_saying(worker.sendevent)


def _without_what_goes_without_saying(tell: Callable[..., None]) -> Callable[..., None]:
    def tell_the_rest(name: str, **told: Any) -> None:
        report = told["data"] if name == "testreport" else {}
        is_in_order = report and (report["outcome"], report["sections"]) == ("passed", [])
        if name != "logstart" and not (is_in_order and report["when"] != "call"):
            tell(name, **told)

    return tell_the_rest


SLOW_ONES_BEGIN_WITHIN = 0.5
"""The part of a run in which every file with slow tests is begun."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests mostly wait, and the others compute. So files of both kinds are mixed, in a browser first, and the
    cores have work all the time; no slow one is left alone at the end, when the others are done."""
    _have_ids_of_their_own(items)
    in_browser, slow = (
        {item.path for item in items if item.get_closest_marker(marker)} for marker in ("browser", "slow")
    )
    files = sorted(dict.fromkeys(item.path for item in items), key=lambda file: file not in in_browser)
    waiting = [file for file in files if file in in_browser | slow]
    computing = [file for file in files if file not in in_browser | slow]
    place = {file: SLOW_ONES_BEGIN_WITHIN * at / len(waiting) for at, file in enumerate(waiting)}
    place |= {file: at / len(computing) for at, file in enumerate(computing)}
    items.sort(key=lambda item: place[item.path])


def _have_ids_of_their_own(items: list[pytest.Item]) -> None:
    """Several workers run only one of the tests that share an id, and do not say so."""
    counted = Counter(item.nodeid for item in items)
    if twice := [name for name, count in counted.items() if count > 1]:
        raise pytest.UsageError(f"Tests share an id, of which only one would be run: {twice}")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """An authority of the tests' own, which gateways under test trust by `--ca-file`."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path
