"""The fixtures that pytest finds by itself."""

from collections.abc import Iterator

import pytest

from pytest_signalpost.gateway import SignalpostGateway, running_gateway


@pytest.fixture(scope="session")
def signalpost_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignalpostGateway]:
    """A gateway for all tests of this process, as the tests before left it."""
    with running_gateway(tmp_path_factory.mktemp("signalpost")) as gateway:
        yield gateway


@pytest.fixture
def signalpost_gateway(signalpost_process: SignalpostGateway) -> SignalpostGateway:
    """A gateway with nothing in it: make events happen, and assert what was delivered."""
    signalpost_process.reset()
    return signalpost_process
