"""A gateway on SQLite with workers that speak with its clients and endpoints: `signalpost serve --processes 3`."""

import os
import signal

import pytest
from gateway.tests.acceptance.client import Lost, until
from gateway.tests.acceptance.conftest import Endpoints, Gateways
from gateway.tests.acceptance.gateway_process import children, is_there
from gateway.tests.acceptance.receiver import HELD

pytestmark = pytest.mark.slow


def test_it_delivers_and_nothing_of_it_is_left_in_the_end(gateways: Gateways, endpoint: Endpoints) -> None:
    gateway = gateways(processes="3")
    ends = [endpoint() for _ in range(4)]
    for end in ends:
        gateway.api.subscribe(end.url, eventTypes=["documentCreated"])
    workers = children(gateway.pid)
    assert len(workers) == 2
    assert gateway.api.metric("signalpost_workers") == 2
    made = [gateway.api.create()["externalId"] for _ in range(10)]
    for end in ends:
        end.until(len(made))
    assert gateway.stop() == 0
    assert not any(map(is_there, workers))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_of_its_processes_lets_attempts_in_flight_end(
    gateways: Gateways, endpoint: Endpoints, number: signal.Signals
) -> None:
    """Ctrl-C in a terminal does it, and a service manager that stops a service."""
    gateway = gateways(processes="3")
    end = endpoint(HELD)
    gateway.api.subscribe(end.url, eventTypes=["documentCreated"])
    gateway.api.create()
    end.until(1)
    processes = [*children(gateway.pid), gateway.pid]
    for pid in processes:
        os.kill(pid, number)
    until(lambda: "waiting for attempts in flight" in gateway.stderr.read_text())
    end.release()
    assert gateway.wait() == 0
    assert not any(map(is_there, processes))
    gateway.start()
    (delivery,) = gateway.api.deliveries(gateway.api.ask("GET", "/v1/subscriptions")["data"][0])
    assert delivery["status"] == "delivered"
    assert len(end.requests) == 1, "it was recorded before the end"


def test_the_metrics_tell_that_a_worker_was_lost_and_that_another_took_its_place(gateways: Gateways) -> None:
    gateway = gateways(processes="3")
    assert gateway.api.metric("signalpost_workers_lost_total") == 0
    os.kill(children(gateway.pid)[0], signal.SIGKILL)
    until(lambda: gateway.api.metric("signalpost_workers_lost_total") == 1)
    until(lambda: gateway.api.metric("signalpost_workers") == 2)


def test_its_workers_end_when_it_is_killed_also_one_that_hangs(gateways: Gateways) -> None:
    gateway = gateways(processes="3")
    workers = children(gateway.pid)
    os.kill(workers[0], signal.SIGSTOP)
    gateway.kill()
    until(lambda: not any(map(is_there, workers)))


def test_clients_are_answered_while_workers_are_lost(gateways: Gateways) -> None:
    """Health too. Only a client that had a connection with the lost worker may have to ask again."""
    gateway = gateways(processes="3")
    for _ in range(3):
        until(lambda: gateway.api.metric("signalpost_workers") == 2)
        os.kill(children(gateway.pid)[0], signal.SIGKILL)
        lost = 0
        for path in ("/health/live", "/health/ready", "/v1/events") * 5:
            try:
                assert gateway.client().request("GET", path).status == 200
            except Lost:
                lost += 1
        assert lost <= 1, "what was with the worker when it was killed"
