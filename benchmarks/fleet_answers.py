"""How soon what one node of a fleet answered holds at the other, and how much an idle node asks the database for that.
See benchmarks/README.md."""

import argparse
import base64
import http.client
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from rich.console import Console

from signalpost_bench import postgres_server
from signalpost_bench.free_port import free_port

OPERATOR_KEY = f"sp_{secrets.token_urlsafe(32)}"
DOCUMENT = {"type": "NDA", "title": "T", "ownerEmail": "owner@example.com", "authorEmail": "author@example.com"}
SUBSCRIPTION = {"url": "https://example.com/hook", "eventTypes": ["documentCreated"]}


class Reply(NamedTuple):
    status: int
    body: Any


class Node:
    """Answers over a connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, method: str, path: str, body: object = None, key: str = OPERATOR_KEY, **headers: str) -> Reply:
        sent = {"authorization": f"Bearer {key}", "content-type": "application/json", **headers}
        self._connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = self._connection.getresponse()
        content = answer.read()
        return Reply(answer.status, json.loads(content) if content else None)


@contextmanager
def running(url: str, folder: Path) -> Iterator[Node]:
    port = free_port()
    settings = {
        "DATABASE_URL": url,
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "OPERATOR_KEY": OPERATOR_KEY,
        "PUBLIC_URL": "https://gateway.example.com",
        "LOG_LEVEL": "warning",
    }
    environment = os.environ | {f"SIGNALPOST_{name}": value for name, value in settings.items()}
    program = str(Path(sys.executable).with_name("signalpost"))
    with subprocess.Popen([program, "serve"], env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            while True:
                try:
                    if Node(port).ask("GET", "/health/ready").status == 200:
                        break
                except OSError:
                    time.sleep(0.1)
            yield Node(port)
        finally:
            process.send_signal(signal.SIGTERM)


class Answers(NamedTuple):
    what: str
    wrong: int
    """How often the other node's first answer was not right."""
    ms: list[float]
    """How long after one node's answer the other's came: its first, or the first that was right."""
    opened: float
    """How long after one node's answer a request was sent, at most, that was answered as before, ms."""


def measure(what: str, rounds: int, change: Callable[[int], Any], is_right: Callable[[Any], bool]) -> Answers:
    """`change` asks one node, and `is_right` the other."""
    wrong, took, opened = 0, [], 0.0
    for number in range(rounds):
        changed = change(number)
        answered = time.perf_counter()
        asked, was_wrong = answered, False
        while not is_right(changed):
            opened, was_wrong = max(opened, (asked - answered) * 1000), True
            asked = time.perf_counter()
        wrong += was_wrong
        took.append((time.perf_counter() - answered) * 1000)
    return Answers(what, wrong, took, opened)


def of_fleet(one: Node, other: Node, rounds: int) -> Iterator[Answers]:
    names = (f"tenant-{secrets.token_hex(6)}" for _ in range(1 << 30))

    def make_tenant(_: int) -> str:
        name = next(names)
        assert one.ask("POST", "/v1/tenants", {"name": name}).status == 201
        return name

    def make_key(_: int) -> Any:
        return one.ask("POST", "/v1/keys", {"name": "k", "role": "app"}).body

    def subscribe(_: int) -> str:
        return f"/v1/subscriptions/{one.ask('POST', '/v1/subscriptions', SUBSCRIPTION).body['id']}"

    def opens(made: Any) -> bool:
        return other.ask("POST", "/v1/documents", DOCUMENT, made["key"]).status == 201

    def make_used_key(number: int) -> Any:
        made = make_key(number)
        assert opens(made)
        assert one.ask("DELETE", f"/v1/keys/{made['id']}").status == 204
        return made

    def rename(number: int) -> tuple[str, str]:
        path = subscribe(number)
        one.ask("PATCH", path, {"name": f"n{number}"})
        return path, f"n{number}"

    def remove(number: int) -> str:
        path = subscribe(number)
        assert one.ask("DELETE", path).status == 204
        return path

    def pause(number: int) -> str:
        name = make_tenant(number)
        assert create_in(name) == 201
        one.ask("PATCH", f"/v1/tenants/{name}", {"status": "paused"})
        return name

    def create_in(name: str) -> int:
        return other.ask("POST", "/v1/documents", DOCUMENT, **{"signalpost-tenant": name}).status

    yield measure("a tenant made: a document in it", rounds, make_tenant, lambda name: create_in(name) == 201)
    yield measure("a key made: a document with it", rounds, make_key, opens)
    yield measure("a key revoked: refused", rounds, make_used_key, lambda made: not opens(made))
    yield measure("a tenant paused: a document refused", rounds, pause, lambda name: create_in(name) == 409)
    yield measure("a subscription made: read", rounds, subscribe, lambda path: other.ask("GET", path).status == 200)
    yield measure(
        "a subscription changed: read", rounds, rename, lambda done: other.ask("GET", done[0]).body["name"] == done[1]
    )
    yield measure(
        "a subscription removed: not found", rounds, remove, lambda path: other.ask("GET", path).status == 404
    )


def transactions(url: str, seconds: float) -> float:
    """How many transactions the database had in a second, while no client asked the nodes for anything."""

    def count() -> int:
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            row = found.fetchone()
            return 0 if row is None else int(row[0])

    before, began = count(), time.monotonic()
    time.sleep(seconds)
    return (count() - before) / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds for which an idle fleet is watched")
    asked = parser.parse_args()
    screen = Console()
    with ExitStack() as held:
        server = held.enter_context(postgres_server.running(settings=postgres_server.THROWAWAY))
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        url = server.loopback_url()
        one, other = (held.enter_context(running(url, folder)) for _ in range(2))
        for measured in of_fleet(one, other, asked.rounds):
            fastest, slowest = statistics.median(measured.ms), max(measured.ms)
            screen.print(
                f"{measured.what}: {measured.wrong} of {asked.rounds} first answers wrong, {fastest:.1f} ms in the"
                f" middle, {slowest:.1f} at most; asked {measured.opened:.1f} ms later, at most, it was still as before"
            )
        screen.print(f"idle: {transactions(url, asked.idle) / 2:.1f} transactions a second for each node")


if __name__ == "__main__":
    main()
