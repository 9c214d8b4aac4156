from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from gateway.tests.cli import command
from gateway.tests.cli.command import NOWHERE, Endpoint, Run, create, json_of


@pytest.fixture(scope="module")
def endpoint_of_module() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def endpoint(endpoint_of_module: Endpoint) -> Endpoint:
    """An endpoint that works, and had no request yet."""
    endpoint_of_module.status = 200
    endpoint_of_module.headers.clear()
    return endpoint_of_module


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, endpoint_of_module: Endpoint) -> Iterator[Path]:
    """The data directory of a running gateway, which tries each event twice."""
    folder = tmp_path_factory.mktemp("gateway") / "data"
    targets = f"{NOWHERE},{endpoint_of_module.url}"
    with command.gateway(folder, "--allow-targets", targets, "--retry-delays", "1") as process:
        yield folder
    assert process.returncode == 0
    assert not (folder / "address").exists(), "a stopped gateway leaves no address behind"


@pytest.fixture
def run(data_dir: Path) -> Run:
    return partial(command.run, SIGNALPOST_DATA_DIR=str(data_dir))


@pytest.fixture
def subscription(run: Run, endpoint: Endpoint) -> Iterator[str]:
    """One to the endpoint."""
    made = json_of(run("subscriptions", "create", endpoint.url, "--secret", "a secret of mine", "--json"))["id"]
    yield made
    run("subscriptions", "delete", made)


@pytest.fixture
def document(run: Run) -> str:
    return create(run)
