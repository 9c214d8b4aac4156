"""The image is built and compose.yaml runs, for real: `make deploy-drill`, as root, with docker and its compose.

ENGINE=podman takes podman instead. BUILD_OPTIONS are more options for the build, such as `--network host`.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from gateway.tests.acceptance.client import Client, Lost, until

ROOT = Path(__file__).parents[3]
CONTAINER = ROOT / "deploy" / "container"
ENGINE = os.environ.get("ENGINE", "docker")
COMPOSE = [
    ENGINE, "compose", "--project-name", "signalpost-drill",
    "--file", str(CONTAINER / "compose.yaml"), "--file", str(CONTAINER / "drill.yaml"),
]  # fmt: skip
BASES = ("docker.io/library/python:3.13-slim", "docker.io/library/postgres:18")
PORTS = {"gateway-1": 8080, "gateway-2": 8081}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The operator's key of two gateways that run, built from this tree."""
    if lacking := missing():
        pytest.skip(lacking)
    secrets = tmp_path_factory.mktemp("secrets")
    os.environ |= {"SECRETS": str(secrets), "BUILDAH_FORMAT": "docker"}  # podman's own format has no health checks
    run("sh", CONTAINER / "secrets.sh")
    more = os.environ.get("BUILD_OPTIONS", "").split()
    run(ENGINE, "build", *more, "--file", CONTAINER / "Containerfile", "--tag", "signalpost", ROOT)
    try:
        run(*COMPOSE, "up", "--detach", "--no-build")
        for name in PORTS:
            until_healthy(name)
        yield (secrets / "operator-key").read_text().strip()
    finally:
        run(*COMPOSE, "logs", "--tail", "20")
        run(*COMPOSE, "down", "--volumes")


def missing() -> str:
    """What this machine lacks; nothing where it has all."""
    if shutil.which(ENGINE) is None or not succeeds(ENGINE, "info"):
        return f"{ENGINE} does not run on this machine"
    if not succeeds(ENGINE, "compose", "version"):
        return f"there is no {ENGINE} compose on this machine"
    if os.geteuid() != 0:
        return "only root can give the secrets to the image's user"
    absent = [each for each in BASES if not succeeds(ENGINE, "image", "inspect", each)]
    return ", ".join(f"there is no image {each}" for each in absent if not succeeds(ENGINE, "pull", each))


def test_gateways_are_restarted_one_by_one_under_load_and_nothing_is_lost(key: str) -> None:
    clients = {name: client_of(port, key) for name, port in PORTS.items()}
    clients["gateway-1"].subscribe("http://receiver:9000/", secret="a secret of mine")
    enough, numbers = Event(), count()

    def send(client: Client) -> set[str]:
        """The titles that this gateway accepted. While it is away nothing answers."""
        accepted = set()
        while not enough.is_set():
            title = f"Document {next(numbers)}"
            with suppress(Lost):
                client.create(title=title)
                accepted.add(title)
        return accepted

    with ThreadPoolExecutor(len(clients)) as threads:
        sending = [threads.submit(send, client) for client in clients.values()]
        try:
            for name in clients:
                run(*COMPOSE, "stop", name)
                assert state(name)["ExitCode"] == 0, "it ended by itself, in the time that compose gives it"
                run(*COMPOSE, "start", name)
                until_healthy(name)
        finally:
            enough.set()
    accepted = set.union(*(each.result() for each in sending))
    assert accepted
    until(lambda: accepted <= verified(), lambda: f"not delivered: {accepted - verified()}")
    print(f"{len(accepted)} documents were accepted, and all of them delivered")


def client_of(port: int, key: str) -> Client:
    return Client(lambda: ("127.0.0.1", port), lambda: key)


def verified() -> set[str]:
    """The titles that the receiver verified."""
    said = output_of(*COMPOSE, "logs", "receiver")
    return {line.split("'")[1] for line in said.splitlines() if "verified: documentCreated" in line}


def until_healthy(name: str) -> None:
    until(lambda: state(name)["Health"]["Status"] == "healthy", lambda: f"{name}: {state(name)}")


def state(name: str) -> dict[str, Any]:
    container = output_of(*COMPOSE, "ps", "--all", "--quiet", name).strip()
    found: dict[str, Any] = json.loads(output_of(ENGINE, "inspect", container))[0]["State"]
    return found


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
