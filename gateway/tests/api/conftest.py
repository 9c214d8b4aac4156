"""A real gateway under a real server on a loopback port, and a client that is as raw as it can be."""

import asyncio
import base64
import contextlib
import http.client
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import apsw
import pytest
import uvloop
from gateway.tests.answer import Answer as PlainAnswer
from gateway.tests.http_server import QuietHandler, serving
from gateway.tests.patience import ATTEMPT_TIMEOUT, PATIENCE
from gateway.tests.sqlite_file import database_file
from gateway.tests.worker_on_loop import ALONE, ServerWithWorker

from signalpost.api.routes import QUIET_ROUTES
from signalpost.cli.serving.listening import listen
from signalpost.domain.documents.links import Links
from signalpost.gateway import IDLE_SECONDS, Gateway
from signalpost.listener.server import Server
from signalpost.listener.serving import ServerSettings
from signalpost.runtime.clock import Clock
from signalpost.settings import Settings
from signalpost.store.sqlite.store import READERS, SqliteStore
from signalpost.store.vault import LINKS, DataKey, MasterKeys

PROBLEM = {"type", "title", "status", "detail", "code", "requestId"}
TABLES = ("tenant", "document", "version", "event", "subscription", "idempotency", "retry", "api_key")
"""What requests change; lanes, deliveries and attempts are the engine's."""
T = TypeVar("T")
Headers = Mapping[str, str | None] | None
Body = Any
"""Bytes are sent as they are, None not at all, anything else as JSON."""


class Answer(PlainAnswer):
    @property
    def json(self) -> Any:
        assert self.headers["content-type"] in ("application/json", "application/problem+json")
        return super().json

    def ok(self, status: int = 200) -> Any:
        """The JSON of an answer with this status."""
        assert self.status == status, self.body
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    def refused(self, status: int, *pointers: str, code: str | None = None) -> dict[str, Any]:
        """The problem document, which must be whole and name exactly these places."""
        assert self.status == status, self.body
        assert self.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = json.loads(self.body)
        assert PROBLEM.issubset(problem)
        assert problem["status"] == status
        assert problem["requestId"] == self.headers["request-id"]
        for member in ("type", "title", "detail", "code"):
            assert isinstance(problem[member], str)
            assert problem[member]
        for error in problem.get("errors", ()):
            assert set(error) == {"pointer", "code", "detail"}
            assert error["code"]
            assert error["detail"].endswith((".", "?"))
            assert not error["detail"].endswith("..")
        assert problem["detail"].endswith(".")
        assert sorted(error["pointer"] for error in problem.get("errors", ())) == sorted(pointers), problem
        assert code in (None, problem["code"])
        return problem


class Client:
    """Speaks HTTP/1.1 to one port, over one connection that it keeps, or over raw sockets."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def close(self) -> None:
        self._connection.close()

    def another(self) -> "Client":
        """One more client of the same gateway, for another thread."""
        return Client(self.port, self.key)

    def send(self, method: str, path: str, body: Body = None, headers: Headers = None) -> Answer:
        """One request with the operator's key. A header that is None in `headers` is left out."""
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        lines: dict[str, str | None] = {"authorization": f"Bearer {self.key}", **(headers or {})}
        if payload is not None:
            lines.setdefault("content-type", "application/json")
        given = {name: value for name, value in lines.items() if value is not None}
        try:
            self._connection.request(method, path, payload, given)
            response = self._connection.getresponse()
            content = response.read()
        except BaseException:
            self._connection.close()
            raise
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, content)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def raw(self, data: bytes, seconds: float = PATIENCE, *, hang_up: bool = False) -> bytes:
        """What comes back for these very bytes until the server closes the connection or has said nothing for long.
        `hang_up`: say right after them that nothing more will come."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(data)
                if hang_up:
                    connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while part := connection.recv(65536):
                    received += part
        return received


class World(Client):
    """A running gateway, and a client of it."""

    document: ClassVar[Mapping[str, Any]] = {
        "type": "NDA",
        "title": "An agreement",
        "ownerEmail": "owner@example.com",
        "authorEmail": "author@example.com",
    }
    subscription: ClassVar[Mapping[str, Any]] = {
        "url": "https://receiver.example.com/hook",
        "eventTypes": ["documentCreated"],
        "status": "paused",
    }
    """Paused, so that nothing is sent to anywhere."""

    def __init__(
        self,
        settings: Settings,
        idle_seconds: float,
        wait_seconds: float,
        clock: Clock | None = None,
        listening: str = ALONE,
    ) -> None:
        self.settings = settings
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._listener = listen("127.0.0.1", 0, idle_seconds)
        self._listening = listening
        self._server: Server | ServerWithWorker | None = None
        self._failure: BaseException | None = None
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._up.wait(PATIENCE)
        self._raise_failure()
        super().__init__(self._listener.getsockname()[1], self._key)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            self._listener.close()
            raise self._failure

    def stop(self) -> None:
        self.close()
        if "_database" in vars(self):
            self._database.close()
        assert self._server is not None
        if self._thread.is_alive():  # a test may have stopped it already
            self.loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(PATIENCE)
        self._listener.close()
        assert not self._thread.is_alive()
        assert self._failure is None

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            try:
                loop.run(self._serve())
            except BaseException as failure:
                self._failure = failure
                self._up.set()

    async def _serve(self) -> None:
        async with Gateway(
            self.settings, idle_seconds=self._idle_seconds, port=self._listener.getsockname()[1], clock=self._clock
        ) as gateway:
            self._key = gateway.operator_key
            self.app = gateway.app
            self.gateway, self.loop = gateway, asyncio.get_running_loop()
            serving = Server if self._listening == ALONE else ServerWithWorker
            settings = ServerSettings(
                max_connections=self.settings.max_connections,
                always_answered=QUIET_ROUTES,
                stop_seconds=1,
                wait_seconds=self._wait_seconds,
            )
            self._server = serving(gateway.answer, self._listener, settings)
            self._up.set()
            await self._server.serve()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        assert self._server is not None
        return self._server.connections

    def waiting(self) -> int:
        """How many changes wait for their commit."""
        found = re.search(r"^signalpost_commands_waiting (\d+)", self.get("/metrics").body.decode(), re.MULTILINE)
        assert found
        return int(found[1])

    def links(self, public_url: str) -> Links:
        """Links as the gateway makes them, signed with its key."""
        return Links(self.signing_key(LINKS), public_url)

    def signing_key(self, purpose: str) -> bytes:
        """The key with which the gateway signs for a purpose."""
        masters = MasterKeys([base64.b64decode((self.settings.data_dir / "master-key").read_text())])
        columns = "SELECT number, purpose, tenant_id, master_key, wrapped, made_at FROM data_key WHERE purpose = ?"
        key: Any = self._database.execute(columns, (purpose,)).fetchone()
        return masters.unwrap(DataKey(*key))

    @cached_property
    def _database(self) -> apsw.Connection:
        return apsw.Connection(str(database_file(self.settings.data_dir)), flags=apsw.SQLITE_OPEN_READONLY)

    # --- What there is ------------------------------------------------------------------------------------------------

    def state(self) -> list[Any]:
        """Everything that a request can change, row by row."""
        return [(table, *row) for table in TABLES for row in self._database.execute(f"SELECT * FROM {table}")]

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """The entries of the log above a sequence, oldest first."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/v1/events?after={after}&limit=250").ok()["data"]:
            found += page
            after = page[-1]["sequence"]
        return found

    def last(self) -> int:
        """The last sequence of the log."""
        return sum(row[0] for row in self._database.execute("SELECT last_sequence FROM tenant"))

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """The database writes nothing meanwhile. However long that is, no caller is told that it took too long, as if
        another program locked it."""
        store = self.gateway._services.store
        assert isinstance(store, SqliteStore)
        goes_on = threading.Event()
        store._executors.writer.submit(goes_on.wait)
        try:
            yield
        finally:
            goes_on.set()

    @contextlib.contextmanager
    def reading_nothing(self) -> Iterator[Callable[[], bool]]:
        """Nothing is read from the database meanwhile. Says whether something waits to be."""
        store = self.gateway._services.store
        assert isinstance(store, SqliteStore)
        readers = store._executors.readers
        assert isinstance(readers, ThreadPoolExecutor)
        with self.holding(readers, READERS):
            yield lambda: not readers._work_queue.empty()

    @contextlib.contextmanager
    def holding(self, executor: Executor, threads: int) -> Iterator[None]:
        """Keep this number of threads of the gateway busy meanwhile."""
        goes_on, held = threading.Event(), threading.Semaphore(0)

        def hold() -> None:
            held.release()
            goes_on.wait()

        for _ in range(threads):
            self.loop.call_soon_threadsafe(executor.submit, hold)
        try:
            for _ in range(threads):
                held.acquire()
            yield
        finally:
            goes_on.set()

    # --- What tests do again and again --------------------------------------------------------------------------------

    def refuses(
        self,
        method: str,
        path: str,
        body: Body = None,
        *,
        status: int = 422,
        at: tuple[str, ...] = (),
        headers: Headers = None,
        code: str | None = None,
    ) -> dict[str, Any]:
        """The problem of a request that must be refused, naming exactly the places `at`, and change nothing: neither
        what there is nor what its Idempotency-Key stands for."""
        before = self.state()
        given = {"idempotency-key": f"refused-{uuid.uuid4()}", **(headers or {})}
        problem = self.send(method, path, body, given).refused(status, *at, code=code)
        assert self.state() == before
        return problem

    def wait_until(self, true: Callable[[], T]) -> T:
        """The first true value of something that becomes true soon. What took long is looked at less often: to look
        again and again would keep others from their work."""
        begun = time.monotonic()
        while not (value := true()):
            waited = time.monotonic() - begun
            assert waited < PATIENCE, "it did not become true"
            time.sleep(min(max(0.01, waited / 20), 0.25))
        return value

    def create_document(self, **fields: Any) -> dict[str, Any]:
        """A new document as it was answered."""
        made: dict[str, Any] = self.send("POST", "/v1/documents", {**self.document, **fields}).ok(201)
        return made

    def create_subscription(self, **fields: Any) -> dict[str, Any]:
        """A new subscription as it was answered."""
        made: dict[str, Any] = self.send("POST", "/v1/subscriptions", {**self.subscription, **fields}).ok(201)
        return made


class StatusOfPath(QuietHandler):
    """Answers with the status that the path names."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(int(self.path[1:4]))
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """An endpoint that answers with the status that the path names."""
    with serving(StatusOfPath) as origin:
        yield origin


@pytest.fixture(scope="module")
def listening() -> str:
    """Who speaks HTTP with the clients: the gateway alone, unless a module is about that (`either_way`)."""
    return ALONE


@pytest.fixture(scope="module")
def make_world(tmp_path_factory: pytest.TempPathFactory, listening: str) -> Iterator[Callable[..., World]]:
    """Starts gateways that end with the module; the settings are those of `Settings`."""
    made: list[World] = []

    def maker(
        *, idle_seconds: float = IDLE_SECONDS, wait_seconds: float = 3600, clock: Clock | None = None, **settings: Any
    ) -> World:
        """A world waits an hour for a request, so that a test that takes long between two finds its connection again.
        An attempt has more time than a slow machine needs."""
        given = {"data_dir": tmp_path_factory.mktemp("data"), "attempt_timeout": ATTEMPT_TIMEOUT, **settings}
        made.append(World(Settings(**given), idle_seconds, wait_seconds, clock, listening))
        return made[-1]

    yield maker
    for world in made:
        world.stop()


@pytest.fixture(scope="module")
def world(make_world: Callable[..., World]) -> World:
    """A gateway with one document and one subscription to be left alone, so that a change of them would show."""
    made = make_world()
    made.create_document(title="Left alone")
    made.create_subscription(name="Left alone")
    return made


@pytest.fixture(scope="session")
def examples() -> dict[str, bytes]:
    """The public page's three events, as it prints them, by their type."""
    folder = Path(__file__).parents[3] / "examples" / "page"
    return {file.stem: file.read_bytes() for file in folder.glob("*.json")}


@pytest.fixture(scope="module")
def document(world: World) -> str:
    """The path of a document that refused requests are made of."""
    return f"/v1/documents/{world.create_document()['externalId']}"


@pytest.fixture(scope="module")
def subscription(world: World) -> str:
    """The path of a subscription that refused requests are made of."""
    return f"/v1/subscriptions/{world.create_subscription()['id']}"
