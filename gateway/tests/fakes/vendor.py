"""What the fakes of vendors have in common: an HTTP server on loopback that remembers, fails when told to, and gives
tokens.

A fake keeps state as its vendor does, so a test can ask afterwards what is there: messages, records, entries, bills.
No fake has a clock: tokens expire and limits end when the test says so. `Vendor.answer` is what the server calls, and
can be called without a server.
"""

import base64
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from gateway.tests.http_server import LocalServer, QuietHandler

LOST = object()
"""The body of an answer that is lost: the connection ends without one."""


class VendorRequest(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: dict[str, str]
    headers: dict[str, str]
    """The headers by names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


class Answer(NamedTuple):
    """What is answered. A body that is neither bytes nor `LOST` goes as JSON."""

    status: int
    body: Any = b""
    headers: dict[str, str] = {}


HTML_500 = Answer(500, b"<html><body><h1>Internal Server Error</h1></body></html>", {"content-type": "text/html"})


class Vendor:
    """A vendor's API. A kind of vendor says in `act` what it does."""

    def __init__(self) -> None:
        self.asked: list[VendorRequest] = []
        """Every request, those for tokens included, in the order of their arrival."""
        self._faults: deque[Answer] = deque()
        self._loses = 0
        self._lock = threading.Lock()
        self.origin = ""
        """Where it listens, once it is served."""
        self.callers: set[str] = set()
        """The addresses from which it was called."""

    def fail(self, *answers: Answer) -> None:
        """Answer the next calls so, and do nothing of what they ask. Requests for tokens are not among them."""
        self._faults += answers

    def lose_answers(self, times: int = 1) -> None:
        """Do what the next calls ask, and end their connections without an answer."""
        self._loses += times

    def answer(self, asked: VendorRequest) -> Answer:
        """What is answered to a request."""
        with self._lock:
            self.asked.append(asked)
            if (answer := self.token_answer(asked)) is not None:
                return answer
            if self._faults:
                return self._faults.popleft()
            answer = self.act(asked)
            if self._loses:
                self._loses -= 1
                return answer._replace(body=LOST)
            return answer

    def token_answer(self, asked: VendorRequest) -> Answer | None:
        """The answer to a request for a token; None if it is another."""
        return None

    def act(self, asked: VendorRequest) -> Answer:
        """Do what is asked."""
        raise NotImplementedError

    def calls(self, method: str | None = None) -> list[VendorRequest]:
        """The requests that were not for tokens, of one method or all."""
        return [asked for asked in self.asked if not asked.path.endswith("/token") and method in (None, asked.method)]

    @contextmanager
    def served(self) -> Iterator[Self]:
        """Listen on loopback, at `origin`."""
        server = LocalServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.origin = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def any_method(self) -> None:
            vendor.callers.add(self.client_address[0])
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            target = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            query = dict(parse_qsl(target.query, keep_blank_values=True))
            answer = vendor.answer(VendorRequest(self.command, unquote(target.path), query, headers, body))
            if answer.body is LOST:
                self.close_connection = True
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if answer.status == 204 else content)

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.any_method)
    return Handler


class Tokens:
    """A vendor's login: gives tokens, and says which of them are good.

    Refresh tokens are replaced with each use. With a grace, the one before goes on working, until `end_grace`; without
    it, a client that loses the answer to a refresh has lost the consent.
    """

    def __init__(self, client: tuple[str, str] = ("id", "secret"), *, expires_in: int | None = 3600) -> None:
        self.client = client
        self.expires_in = expires_in
        """What answers say; None to say nothing. Tokens end with `expire` alone."""
        self.rotates = False
        self.has_grace = True
        self.is_down = False
        self.loses = 0
        """How many of the next answers are lost after the tokens were made."""
        self.given = 0
        """How many access tokens were given."""
        self.key: RSAPublicKey | None = None
        """What assertions must be signed with; None to take any."""
        self._good: set[str] = set()
        self._refresh: list[str] = []
        """The refresh tokens that work, the newest last."""
        self._refreshed = 0
        """How many refresh tokens were given."""

    def expire(self) -> None:
        """No access token is good any more."""
        self._good.clear()

    def end_grace(self) -> None:
        """Only the newest refresh token works."""
        del self._refresh[:-1]

    def revoke(self) -> None:
        """The person took the consent back."""
        self._good.clear()
        self._refresh.clear()

    def consented(self) -> str:
        """A person consented long ago. Returns the refresh token."""
        return self._new_refresh_token()

    def take_back(self, asked: VendorRequest) -> bool:
        """A request to take a token back (RFC 7009). Returns whether it was known."""
        token = asked.form.get("token", "")
        if token in self._refresh:
            self.revoke()
        elif token in self._good:
            self._good.discard(token)
        else:
            return False
        return True

    def is_of_client(self, asked: VendorRequest) -> bool:
        """Whether a request brought the id and the secret of the client."""
        return self._client(asked) == self.client

    def is_good(self, asked: VendorRequest) -> bool:
        """Whether a call brought a token that is good."""
        return asked.bearer in self._good

    def answer(self, asked: VendorRequest) -> Answer:
        """The answer to a request for a token (RFC 6749, 5)."""
        if self.is_down:
            return HTML_500._replace(status=503)
        form = asked.form
        grant_type = form.get("grant_type", "")
        if grant_type.endswith(":jwt-bearer"):
            if not self._is_signed(form.get("assertion", "")):
                return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        elif self._client(asked) != self.client:
            return Answer(401, {"error": "invalid_client"})
        if grant_type == "refresh_token" and form.get("refresh_token") not in self._refresh:
            return Answer(400, {"error": "invalid_grant", "error_description": "The consent was taken back."})
        answer = Answer(200, self._given(form))
        if self.loses:
            self.loses -= 1
            return answer._replace(body=LOST)
        return answer

    def _is_signed(self, assertion: str) -> bool:
        text, _, signature = assertion.rpartition(".")
        if self.key is None:
            return bool(text)
        try:
            raw = base64.urlsafe_b64decode(f"{signature}==")
            self.key.verify(raw, text.encode(), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    def _client(self, asked: VendorRequest) -> tuple[str, str]:
        scheme, _, encoded = asked.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(encoded).decode().partition(":")
            return name, secret
        return asked.form.get("client_id", ""), asked.form.get("client_secret", "")

    def _given(self, form: dict[str, str]) -> dict[str, Any]:
        self.given += 1
        token = f"access-{self.given}"
        self._good.add(token)
        said: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if self.expires_in is not None:
            said["expires_in"] = self.expires_in
        if form["grant_type"] == "authorization_code":
            said["refresh_token"] = self._new_refresh_token()
        elif form["grant_type"] == "refresh_token" and self.rotates:
            used = form["refresh_token"]
            said["refresh_token"] = self._new_refresh_token()
            # What was used, and everything before it, is at an end; with a grace what was used is not yet.
            keep = self._refresh.index(used) + (0 if self.has_grace else 1)
            del self._refresh[:keep]
        return said

    def _new_refresh_token(self) -> str:
        self._refreshed += 1
        self._refresh.append(f"refresh-{self._refreshed}")
        return self._refresh[-1]
