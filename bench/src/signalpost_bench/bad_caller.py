"""One caller that does what held up everybody else once: the probes of the scene `one-bad-caller`.

The caller works in a tenant of its own, one for each run of a probe. Most send one costly request over and over; others
hold what they got, or make the gateway send much. What a probe is answered is counted by its status, or as `lost` if
the connection ended instead: nothing that it asks for has to be done, and a refusal is an answer as good as any.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from signalpost_bench.child_process import answer_questions
from signalpost_bench.load import HttpClient
from signalpost_bench.probed_gateway import SLOW_NAMES

MB = 1024 * 1024
LARGE_FACTS = 40
FACT_CHARACTERS = 4_096
DOCUMENT: Mapping[str, Any] = {
    "type": "NDA",
    "title": "t",
    "ownerEmail": "o@example.com",
    "authorEmail": "a@example.com",
}
SUBSCRIPTIONS = 300
LISTED = 40
SLOW_SUBSCRIPTIONS = 128
IMPORTS = 1_000
UNREAD = 12
VIEWERS = 80
FORMS = 1_000
PATIENCE = 19
"""What is added to the niceness of the caller's process: it shares a core with the clients that measure."""
OWN_ADDRESS = "127.0.0.2"
"""The address of the caller, another than that of the clients that measure."""
ROLES = ("app", "subscriber", "viewer")
LOST = "lost"
"""What is counted if a connection ended before the answer."""
HELD = "held"
"""What is counted if there was no answer, or none was read, when the probe ended."""
NDJSON = "application/x-ndjson"
JSON = "application/json"


C = TypeVar("C", bound=HttpClient)


class BadCaller:
    """A tenant's connections to the gateway, and what they were answered."""

    def __init__(self, port: int, keys: Mapping[str, str], tenant: str, url: str) -> None:
        """`keys` has a key of the tenant for each role; `url` is an endpoint that takes all that it is sent."""
        self.tenant = tenant
        self.url = url
        self.told = Counter[str]()
        self._port = port
        self._keys = keys

    def request(self, method: str, path: str, body: bytes = b"", kind: str = JSON, key: str | None = None) -> bytes:
        """`key` in place of the tenant's; an empty one is not sent."""
        key = self._key_for(method, path) if key is None else key
        head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        head += f"authorization: Bearer {key}\r\n" if key else ""
        return f"{head}content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body

    def streamed(self, path: str, first: bytes, kind: str = NDJSON) -> bytes:
        """A request whose body begins with these bytes and does not end."""
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\n"
        head += f"authorization: Bearer {self._key_for('POST', path)}\r\ncontent-type: {kind}\r\n"
        return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + b"%x\r\n%b\r\n" % (len(first), first)

    def _key_for(self, method: str, path: str) -> str:
        """The key of the role that may do this."""
        if method == "GET":
            return self._keys["viewer"]
        return self._keys["app" if path.startswith("/v1/documents") else "subscriber"]

    async def sign_in(self) -> str:
        """The cookie of a new session of the console."""
        client = await self._connect(Cookies)
        body = f"key={self._keys['viewer']}".encode()
        head = "POST /console/sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\n"
        await client.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        client.transport.close()
        return client.cookie

    async def connect(self) -> HttpClient:
        return await self._connect(HttpClient)

    async def _connect(self, kind: type[C]) -> C:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(kind, "127.0.0.1", self._port, local_addr=(OWN_ADDRESS, 0)))[1]

    async def make(self, path: str, bodies: list[bytes]) -> list[str]:
        """Make things that the probe needs, one after the other. Returns what each was answered. Raises RuntimeError if
        one is refused."""
        client, answers = await self.connect(), []
        for body in bodies:
            status, answer = await client.send(self.request("POST", path, body))
            if status != 201:
                raise RuntimeError(f"the gateway answered {status}: {answer[:300]!r}")
            answers.append(answer.decode())
        client.transport.close()
        return answers

    async def key_in(self, tenant: str, role: str) -> str:
        """A new key of a tenant; only an operator can make one."""
        client = await self.connect()
        body = msgspec.json.encode({"name": role, "role": role})
        request = self.request("POST", "/v1/keys", body).replace(
            b"\r\n", f"\r\nsignalpost-tenant: {tenant}\r\n".encode(), 1
        )
        status, answer = await client.send(request)
        client.transport.close()
        if status != 201:
            raise RuntimeError(f"the gateway answered {status}: {answer[:300]!r}")
        return str(msgspec.json.decode(answer)["key"])

    async def repeat(self, request: bytes, until: float, pause: float = 0.0) -> None:
        """Send a request again and again, each time as soon as the last was answered and the pause is over."""
        client = await self.connect()
        try:
            async with asyncio.timeout_at(until):
                while True:
                    try:
                        status, _ = await client.send(request)
                    except ConnectionError:
                        self.told[LOST] += 1
                        client = await self.connect()
                    else:
                        self.told[str(status)] += 1
                    await asyncio.sleep(pause)
        except TimeoutError:
            self.told[HELD] += 1
        finally:
            client.transport.abort()

    async def watch(self, until: float) -> None:
        """Follow what changes, on a stream that is read."""
        _, writer = connection = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(OWN_ADDRESS, 0))
        writer.write(self.request("GET", "/v1/live"))
        try:
            async with asyncio.timeout_at(until):
                status = (await connection[0].readline()).split()[1].decode()
                while status == "200" and await connection[0].read(65_536):
                    pass
                self.told[status] += 1
                await asyncio.sleep(until - asyncio.get_running_loop().time())
        except TimeoutError:
            self.told[HELD] += 1
        finally:
            writer.transport.abort()

    async def leave_unread(self, request: bytes, until: float) -> None:
        """Send a request and read nothing of the answer."""
        client = await self.connect()
        client.transport.pause_reading()
        client.transport.write(request)
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        self.told[HELD] += 1
        client.transport.abort()


class Cookies(HttpClient):
    """Keeps the session's cookie."""

    cookie = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"set-cookie":
            self.cookie = value.partition(b";")[0].decode()


class Probe(Struct, frozen=True):
    about: str
    run: Callable[[BadCaller, float], Awaitable[None]]
    """Called with the moment at which it ends, on the clock of the loop."""
    prepare: Callable[[BadCaller], Awaitable[None]] | None = None


def _repeated(clients: int, request: Callable[[BadCaller], bytes]) -> Callable[[BadCaller, float], Awaitable[None]]:
    """A probe: several clients send the same request over and over."""

    async def run(caller: BadCaller, until: float) -> None:
        sent = request(caller)
        await asyncio.gather(*(caller.repeat(sent, until) for _ in range(clients)))

    return run


def _posted(clients: int, path: str, body: bytes, kind: str = JSON) -> Callable[[BadCaller, float], Awaitable[None]]:
    return _repeated(clients, lambda caller: caller.request("POST", path, body, kind))


def large_document() -> bytes:
    """A document of 983 KB, which makes an event as large."""
    facts = {f"fact {number}": "\x01" * FACT_CHARACTERS for number in range(LARGE_FACTS)}
    return msgspec.json.encode({**DOCUMENT, "additionalFacts": facts})


def _subscription(url: str, event_type: str, **more: Any) -> bytes:
    return msgspec.json.encode({"url": url, "eventTypes": [event_type], **more})


def _asked_of_new(path: str, body: Mapping[str, Any]) -> Callable[[BadCaller, float], Awaitable[None]]:
    """A probe: 8 clients ask the same of a subscription that is made for it, over and over."""

    async def run(caller: BadCaller, until: float) -> None:
        [made] = await caller.make("/v1/subscriptions", [_subscription(caller.url, "documentCreated")])
        whole = f"/v1/subscriptions/{msgspec.json.decode(made)['id']}{path}"
        sent = caller.request("POST", whole, msgspec.json.encode(body))
        await asyncio.gather(*(caller.repeat(sent, until) for _ in range(8)))

    return run


async def _make_large_documents(caller: BadCaller) -> None:
    await caller.make("/v1/documents", [large_document()] * LISTED)


async def _list_unread(caller: BadCaller, until: float) -> None:
    request = caller.request("GET", "/v1/documents?limit=250")
    unread = [caller.leave_unread(request, until) for _ in range(UNREAD)]
    await asyncio.gather(*unread, *(caller.repeat(request, until) for _ in range(4)))


async def _subscribe_many(caller: BadCaller) -> None:
    urls = [f"{caller.url}/{number}" for number in range(SUBSCRIPTIONS)]
    await caller.make("/v1/subscriptions", [_subscription(url, "documentCreated") for url in urls])


async def _subscribe_with_conditions(caller: BadCaller) -> None:
    unmet = {"field": 'document.additionalFacts["fact 39"]', "contains": "what it does not"}
    urls = [f"{caller.url}/{number}" for number in range(SUBSCRIPTIONS)]
    await caller.make("/v1/subscriptions", [_subscription(url, "documentCreated", when=unmet) for url in urls])


async def _load_pages(caller: BadCaller) -> None:
    """The first page of all is waited for by few."""
    await caller.sign_in()


async def _hold_forms(caller: BadCaller, until: float) -> None:
    request = caller.streamed("/console/sign-in", b"k", "application/x-www-form-urlencoded")
    await asyncio.gather(*(caller.repeat(request, until, pause=1 + number / FORMS) for number in range(FORMS)))


async def _watch(caller: BadCaller, until: float) -> None:
    change = caller.request("POST", "/v1/documents", msgspec.json.encode(DOCUMENT))
    await asyncio.gather(caller.repeat(change, until, pause=0.1), *(caller.watch(until) for _ in range(VIEWERS)))


async def _open_pages(caller: BadCaller, until: float) -> None:
    cookie = await caller.sign_in()
    request = f"GET /console/t/{caller.tenant} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\n\r\n".encode()
    await asyncio.gather(*(caller.repeat(request, until) for _ in range(8)))


async def _publish_large(caller: BadCaller, until: float) -> None:
    left = until - asyncio.get_running_loop().time()
    await caller.repeat(caller.request("POST", "/v1/documents", large_document()), until, pause=left / 5)


async def _subscribe_slow_names(caller: BadCaller) -> None:
    urls = [f"https://{number}{SLOW_NAMES}" for number in range(SLOW_SUBSCRIPTIONS)]
    await caller.make("/v1/subscriptions", [_subscription(url, "documentCreated") for url in urls])


async def _publish_to_slow_names(caller: BadCaller, until: float) -> None:
    await caller.repeat(caller.request("POST", "/v1/documents", msgspec.json.encode(DOCUMENT)), until, pause=0.05)


async def _hold_imports(caller: BadCaller, until: float) -> None:
    request = caller.streamed("/v1/documents/import", b"{")
    # Those who are told to come back after a second do, not all at once.
    held = (caller.repeat(request, until, pause=1 + number / IMPORTS) for number in range(IMPORTS))
    await asyncio.gather(*held)


_BRACKETS = b'{"a":[' + b"[]," * (MB // 3 - 20) + b"x]}"
_DEEP = b"[" * 16_000
_BROKEN_LINE = b'{"a":[' + b"[]," * 5_400 + b"x]}\n"
_HEADERS = msgspec.json.encode(
    {
        "url": "https://example.com",
        "eventTypes": ["documentCreated"],
        "headers": {f"x{number}": "" for number in range(85_000)},
    }
)

PROBES: Mapping[str, Probe] = {
    "unread lists": Probe("large lists, most of them not read", _list_unread, _make_large_documents),
    "brackets": Probe("4 clients with 1 MiB of brackets that ends in an x", _posted(4, "/v1/documents", _BRACKETS)),
    "empty lines": Probe("imports of {}", _posted(4, "/v1/documents/import", b"{}\n" * 33_000, NDJSON)),
    "newlines": Probe("imports of newlines", _posted(4, "/v1/documents/import", b"\n" * 1_000_000, NDJSON)),
    "broken lines": Probe(
        "imports of broken lines of 16 KB", _posted(4, "/v1/documents/import", _BROKEN_LINE * 64, NDJSON)
    ),
    "headers": Probe("85,000 headers of a subscription", _posted(4, "/v1/subscriptions", _HEADERS)),
    "large events": Probe(f"983 KB to {SUBSCRIPTIONS} subscriptions, five times", _publish_large, _subscribe_many),
    "large documents": Probe(
        "8 clients with documents of 983 KB",
        _repeated(8, lambda c: c.request("POST", "/v1/documents", large_document())),
    ),
    "conditions": Probe(
        f"983 KB to the conditions of {SUBSCRIPTIONS} subscriptions", _publish_large, _subscribe_with_conditions
    ),
    "deep": Probe("8 clients with 16 KB of brackets that do not end", _posted(8, "/v1/documents", _DEEP)),
    "slow names": Probe(
        f"{SLOW_SUBSCRIPTIONS} subscriptions whose names take 10 s", _publish_to_slow_names, _subscribe_slow_names
    ),
    "held imports": Probe(f"{IMPORTS:,} imports of one byte", _hold_imports),
    "held forms": Probe(f"{FORMS:,} forms of one byte", _hold_forms, _load_pages),
    "streams": Probe(f"{VIEWERS} who watch what changes", _watch),
    "metrics": Probe(
        "the metrics without a key", _repeated(8, lambda c: c.request("GET", "/metrics", key="")), _subscribe_many
    ),
    "subscriptions": Probe(
        f"lists of {SUBSCRIPTIONS} subscriptions",
        _repeated(8, lambda c: c.request("GET", "/v1/subscriptions?limit=250")),
        _subscribe_many,
    ),
    "reads": Probe("lists of one document", _repeated(8, lambda c: c.request("GET", "/v1/documents?limit=1"))),
    "pages": Probe("pages of the console", _open_pages),
    "events": Probe(
        "lists of events of 983 KB", _repeated(8, lambda c: c.request("GET", "/v1/events")), _make_large_documents
    ),
    "search": Probe(
        f"searches among {SUBSCRIPTIONS} subscriptions",
        _repeated(8, lambda c: c.request("GET", "/v1/search?q=nothing")),
        _subscribe_many,
    ),
    "checks": Probe(
        "checks of new subscriptions",
        _repeated(8, lambda c: c.request("POST", "/v1/subscriptions/check", _subscription(c.url, "documentCreated"))),
    ),
    "signatures": Probe(
        "checks of signatures of 500 KB",
        _asked_of_new("/secret/check", {"signature": "0" * 128, "body": "x" * 500_000}),
    ),
    "rehearsals": Probe(
        "rehearsals of new subscriptions",
        _repeated(
            8,
            lambda c: c.request(
                "POST",
                "/v1/subscriptions/rehearsals",
                msgspec.json.encode({"subscription": {"url": c.url, "eventTypes": ["documentCreated"]}}),
            ),
        ),
    ),
    "dry replays": Probe(
        "dry runs of replays",
        _asked_of_new(
            "/replays",
            {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z", "status": "failed", "dryRun": True},
        ),
    ),
    "tests": Probe("tests of a subscription", _asked_of_new("/test", {})),
    "kinds": Probe("the kinds of destinations", _repeated(8, lambda c: c.request("GET", "/v1/destinations"))),
    "wrong keys": Probe("wrong keys", _repeated(64, lambda c: c.request("GET", "/v1/documents", key="sp_" + "x" * 43))),
}


class _Endpoint(asyncio.Protocol):
    """Takes all that it is sent, keeps nothing, and answers 204 to each request."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's derive from no class of asyncio's

    def data_received(self, data: bytes) -> None:
        while data:
            if self._left == 0:
                self._head += data
                if (end := self._head.find(b"\r\n\r\n")) < 0:
                    return
                begin = self._head.index(b"\r\ncontent-length: ") + 18
                self._left = int(self._head[begin : self._head.index(b"\r\n", begin)])
                data, self._head = self._head[end + 4 :], b""
            taken = min(self._left, len(data))
            self._left -= taken
            data = data[taken:]
            if self._left == 0:
                self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class _Part:
    def __init__(self) -> None:
        self._prepared = 0
        """How many probes were prepared, each with a tenant of its own: one may be tried again at the same gateway."""

    async def listen(self) -> int:
        """The port of an endpoint that takes everything."""
        server = await asyncio.get_running_loop().create_server(_Endpoint, "127.0.0.1", 0, backlog=1024)
        self._server, port = server, server.sockets[0].getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        return int(port)

    async def prepare(self, probe: str, port: int, key: str) -> None:
        self._probe = PROBES[probe]
        self._prepared += 1
        tenant = f"{probe.replace(' ', '-')}-{self._prepared}"
        operator = BadCaller(port, dict.fromkeys(ROLES, key), "default", self._url)
        await operator.make("/v1/tenants", [msgspec.json.encode({"name": tenant})])
        self._caller = BadCaller(port, {role: await operator.key_in(tenant, role) for role in ROLES}, tenant, self._url)
        if self._probe.prepare is not None:
            await self._probe.prepare(self._caller)

    async def run(self, seconds: float) -> dict[str, int]:
        """How often the caller was answered what."""
        await self._probe.run(self._caller, asyncio.get_running_loop().time() + seconds)
        return dict(self._caller.told)


if __name__ == "__main__":
    os.nice(PATIENCE)
    part = _Part()
    answer_questions({"listen": part.listen, "prepare": part.prepare, "run": part.run})
