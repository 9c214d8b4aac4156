"""A real gateway, and a proxy before it that goes wrong."""

from collections.abc import Iterator

import pytest
import trustme
from client.tests.faulty_proxy import FaultyProxy
from gateway.tests.acceptance.gateway_process import GatewayProcess, running
from gateway.tests.patience import ATTEMPT_TIMEOUT


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests of clients."""
    folder = tmp_path_factory.mktemp("gateway-of-clients")
    authority = folder / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    flags = {"attempt_timeout": f"{ATTEMPT_TIMEOUT:g}"}
    made = GatewayProcess(folder / "data", folder, authority, "http://127.0.0.1:9", **flags)
    with running(made):
        yield made


@pytest.fixture
def proxy(gateway: GatewayProcess) -> Iterator[FaultyProxy]:
    """One for each test: what a client gave up may arrive late, and is not to meet what the next test has in store."""
    made = FaultyProxy(lambda: gateway.address)
    yield made
    made.close()
