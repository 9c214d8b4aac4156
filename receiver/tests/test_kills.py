"""A process that is killed while it handles an event: another one handles it, once the lease ended."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import Buffer, InProgress, Outcome, Receiver, Result
from signalpost_receiver.stores.sql import SqliteStore

pytestmark = pytest.mark.slow
PROGRAM = """
import json, sys, time
from datetime import timedelta
from signalpost_receiver import Buffer, Receiver
from signalpost_receiver.stores.sql import SqliteStore

secret, path, now, order, body, headers = json.loads(sys.argv[1])
orders = {"none": None, "buffer": Buffer(hold=timedelta(0))}
receiver = Receiver(secrets=secret, store=SqliteStore(path), clock=lambda: now, order=orders[order])

@receiver.on()
def hang(event):
    print("handling", flush=True)
    time.sleep(600)

receiver.receive(body.encode(), headers)
receiver.drain()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receiver.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


def kill_while_handling(path: Path, order: str) -> None:
    body = event_body()
    arguments = json.dumps([SECRET, str(path), NOW, order, body.decode(), signed(body)])
    with subprocess.Popen([sys.executable, "-c", PROGRAM, arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "handling\n"
        process.kill()


def test_an_event_whose_handler_was_killed_is_handled_after_the_lease(path: Path, store: SqliteStore) -> None:
    now, body = [float(NOW)], event_body()
    kill_while_handling(path, "none")
    receiver = Receiver(secrets=SECRET, store=store, clock=lambda: now[0])
    receiver.on()(lambda _event: None)
    with pytest.raises(InProgress) as caught:
        receiver.receive(body, signed(body))
    assert caught.value.retry_after == 30
    now[0] += caught.value.retry_after
    assert receiver.receive(body, signed(body)).outcome is Outcome.HANDLED


def test_a_held_event_whose_handler_was_killed_is_drained_after_the_lease(path: Path, store: SqliteStore) -> None:
    now = [float(NOW)]
    kill_while_handling(path, "buffer")
    order = Buffer(hold=timedelta(0))
    receiver = Receiver(secrets=SECRET, store=store, clock=lambda: now[0], order=order)
    receiver.on()(lambda _event: None)
    assert receiver.drain() == []
    now[0] += 30
    (result,) = receiver.drain()
    assert isinstance(result, Result)
    assert (result.outcome, result.event.id) == (Outcome.HANDLED, "event-1")


FORKING = """
import os, sys
from signalpost_receiver.stores import Claimed, Handled, Item
from signalpost_receiver.stores.sql import SqliteStore

store, item = SqliteStore(sys.argv[1]), Item("event", None, "")
connection = store._connection
child = os.fork()
if child == 0:
    # Before the first call: of two threads that call at once, neither may meet the parent's connection.
    assert store._connection is not connection
    claim = store.claim(item, now=0, lease_until=30)
    assert isinstance(claim, Claimed) and store._connection is not connection
    kept = store.commit(item, claim.token, now=0, forget_at=100)
    store.close()
    connection.execute("SELECT 1")  # it is still open
    os._exit(0 if kept else 1)
unused = os.fork()
if unused == 0:
    store.close()
    connection.execute("SELECT 1")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(unused, 0)[1]) == 0
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert store.claim(item, now=1, lease_until=30) == Handled()
assert store._connection is connection
print("works")
"""


def test_a_process_that_is_forked_off_opens_the_file_anew(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", FORKING, str(path)], capture_output=True, text=True, check=False)
    assert ended.stdout == "works\n", ended.stderr
