"""What the command line's client does with a connection that breaks."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import BinaryIO, NamedTuple

import pytest
from gateway.tests.patience import PATIENCE

from signalpost.cli.client import Client, NoAnswer, path
from signalpost.cli.gateway_client import DEADLINE


class ReceivedRequest(NamedTuple):
    method: str
    idempotency_key: str | None


@contextmanager
def server(*connections: str) -> Iterator[tuple[Client, list[ReceivedRequest]]]:
    """A client of a server, and the requests that the server read. For each connection a word says what becomes of its
    requests: `a` is answered, and after `c` the connection is cut."""
    received: list[ReceivedRequest] = []

    def serve() -> None:
        for fates in connections:
            connection, _ = listening.accept()
            connection.settimeout(PATIENCE)
            with connection, connection.makefile("rb") as stream:
                for left, fate in zip(reversed(range(len(fates))), fates, strict=True):
                    received.append(read_request(stream))
                    if fate == "a":
                        ends = b"" if left else b"connection: close\r\n"
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + ends + b"\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        serving = Thread(target=serve)
        serving.start()
        yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}", "sp_key", None), received
        serving.join(PATIENCE)


def read_request(stream: BinaryIO) -> ReceivedRequest:
    method = stream.readline().decode().partition(" ")[0]
    headers = {}
    while (header := stream.readline().strip()) != b"":
        name, _, value = header.decode().partition(": ")
        headers[name.lower()] = value
    stream.read(int(headers.get("content-length", 0)))
    return ReceivedRequest(method, headers.get("idempotency-key"))


def create(client: Client) -> None:
    client.call("POST", "/v1/documents", body={"title": "A"})


def test_a_change_whose_connection_broke_is_repeated_with_the_same_key_so_it_is_made_once() -> None:
    with server("ac", "a") as (client, received):
        client.call("GET", "/v1/documents")
        create(client)
    looked, lost, repeated = received
    assert looked == ReceivedRequest("GET", None)
    assert lost.idempotency_key
    assert lost == repeated


def test_each_change_has_a_key_of_its_own() -> None:
    with server("aa") as (client, received):
        create(client)
        create(client)
    first, second = received
    assert first.idempotency_key != second.idempotency_key


def test_the_first_change_is_repeated_too_if_it_is_not_answered() -> None:
    with server("c", "a") as (client, received):
        create(client)
    lost, repeated = received
    assert lost == repeated


def test_what_has_no_key_is_not_repeated() -> None:
    with server("c") as (client, received), pytest.raises(NoAnswer):
        client.call("POST", path("subscriptions", "1", "test"))
    assert [each.idempotency_key for each in received] == [None]


def test_an_address_at_which_nothing_listens_is_told_at_once() -> None:
    """A person waits, and has most likely mistyped it."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    begun = time.monotonic()
    with pytest.raises(NoAnswer, match=f"No gateway answers at {url}"):
        create(Client(url, "sp_key", None))
    assert time.monotonic() - begun < DEADLINE / 2
