"""A program that has to be told its port finds it free."""

import socket

from signalpost_bench.free_port import free_port


def test_ports_that_somebody_listens_on_are_not_given() -> None:
    taken = free_port(1)
    with socket.create_server(("127.0.0.1", taken)), socket.create_server(("127.0.0.1", taken + 1)):
        given = {free_port(1) for _ in range(40)}
    assert given.isdisjoint({taken - 1, taken, taken + 1})


def test_they_are_below_those_that_systems_give_to_whoever_asks_for_any() -> None:
    assert {free_port() for _ in range(20)} <= set(range(10_000, 20_000))
