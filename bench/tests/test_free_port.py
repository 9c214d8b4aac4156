"""A program that has to be told its port finds it free."""

import socket
from pathlib import Path

import pytest

from signalpost_bench.free_port import free_port

GIVEN_BY_THE_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_that_somebody_listens_on_are_not_given() -> None:
    taken = free_port(1)
    with socket.create_server(("127.0.0.1", taken)), socket.create_server(("127.0.0.1", taken + 1)):
        given = {free_port(1) for _ in range(40)}
    assert given.isdisjoint({taken - 1, taken, taken + 1})


@pytest.mark.skipif(not GIVEN_BY_THE_SYSTEM.exists(), reason="this system does not say which ports it gives")
def test_the_system_gives_them_to_nobody_else() -> None:
    first, _ = map(int, GIVEN_BY_THE_SYSTEM.read_text().split())
    assert {free_port() for _ in range(20)} <= set(range(first))
