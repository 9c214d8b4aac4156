"""Reads the events of a subscription of the kind `poll`, for who cannot be reached from outside.

reader = Reader("https://gateway.example.com", subscription, os.environ["WEBHOOK_SECRET"], receiver)
reader.run()
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from .calls import Calls
from .decoding import decode
from .errors import ConfigError, FeedError, HandlerError, InProgress, PayloadError, ReceiverError, StoreError
from .event import Json
from .handling import Result
from .receiver import Receiver
from .sign import reader_key

_NEVER_WELL = (401, 403, 404, 422)
"""Answers that asking again does not change."""
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


class HandedEvent(NamedTuple):
    """An event as the gateway hands it out: what it would send to an endpoint."""

    sequence: int
    headers: dict[str, str]
    body: bytes


class Reader:
    """Asks a gateway for the events of one subscription, gives each to a receiver as if it had been sent, and
    acknowledges what that handled. What is not acknowledged is handed out again: so each event is handled at least
    once, and the receiver's store leaves out what was handled before.

    Several may read one subscription: one of them is handed what is next, and the others wait. `lease_s` is how long
    that may take to be handled. `wait_s` is how long a call waits for something to come.

    `secret` is the subscription's. It makes the key with which the gateway is asked, and it is among the secrets of
    the receiver, which verifies every event. During a rotation the old one or the new one does.

    Raises ConfigError for what can never work.
    """

    def __init__(
        self,
        url: str,
        subscription: str,
        secret: str,
        receiver: Receiver,
        *,
        limit: int = 50,
        wait_s: int = 20,
        lease_s: int = 60,
        timeout_s: float = 10.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`timeout_s` is how long an answer may take beyond `wait_s`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ConfigError("url must be the gateway's address, such as https://gateway.example.com")
        self._calls = f"{url.rstrip('/')}/v1/subscriptions/{quote(subscription, safe='')}/"
        self._key = reader_key(secret)
        self._receiver = receiver
        self._asked = {"limit": limit, "wait": wait_s, "lease": lease_s}
        self._sleep = sleep
        self._owed: tuple[str, int] | None = None
        """A receipt and the last sequence that was handled, if the gateway did not say that it has taken them."""
        self._gateway = Calls(wait_s + timeout_s)

    def read(self) -> list[Result]:
        """Ask once, handle what comes, and acknowledge that. Returns what became of each event; nothing came if there
        is none. An acknowledgement that failed is repeated first: what was handed out stays leased until then.

        If one cannot be handled, those before it are acknowledged, and it is handed out again with the next call. Then
        this raises what `Receiver.receive` does. Raises FeedError if the gateway cannot be asked.
        """
        if self._owed is not None:
            self._acknowledge(*self._owed)
        receipt, events = self._poll()
        done: list[Result] = []
        try:
            done.extend(self._receiver.receive(event.body, event.headers) for event in events)
        finally:
            # What comes after the last one that was handled is given back at once.
            if events:
                self._acknowledge(receipt, events[len(done) - 1].sequence if done else 0)
        return done

    def run(
        self,
        until: Callable[[], bool] = lambda: False,
        on_error: Callable[[ReceiverError], None] = lambda error: None,
    ) -> None:
        """Read again and again, until `until` says that this is enough. If the gateway cannot be asked, or an event
        cannot be handled now, `on_error` is told, and the reader tries again after a pause, which grows to a minute. If
        calls do not wait (`wait_s` is 0) and nothing came, it asks again after a second.

        Raises what asking again does not change: ConfigError, and the refusal of an event.
        """
        pause = 0.0
        while not until():
            came = self._try_to_read()
            if isinstance(came, ReceiverError):
                on_error(came)
                pause = min(_LONGEST_PAUSE_S, 2 * pause or _PAUSE_S)
                self._sleep(pause)
                continue
            pause = 0.0
            if not came and not self._asked["wait"]:
                self._sleep(_PAUSE_S)

    def _try_to_read(self) -> list[Result] | ReceiverError:
        """Read once. Returns what came, or what can be tried again."""
        try:
            return self.read()
        except (FeedError, HandlerError, StoreError, InProgress) as error:
            return error

    def _poll(self) -> tuple[str, list[HandedEvent]]:
        answer = self._call("poll", self._asked)
        data = answer.get("data")
        if not isinstance(data, list):
            raise FeedError("the answer is not the gateway's: it has no data")
        receipt = answer.get("receipt")
        return receipt if isinstance(receipt, str) else "", [*map(_handed, data)]

    def _acknowledge(self, receipt: str, through: int) -> None:
        """If the lease is over, another reader was handed them, and acknowledges them."""
        self._owed = receipt, through
        self._call("acknowledge", {"receipt": receipt, "through": through}, conflict_is_well=True)
        self._owed = None

    def _call(self, name: str, body: Mapping[str, object], *, conflict_is_well: bool = False) -> dict[str, Json]:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json"}
        content = json.dumps(body).encode()
        request = urllib.request.Request(self._calls + name, content, headers, method="POST")  # noqa: S310  # checked
        try:
            status, answer = self._gateway.send(request)
            if status in _NEVER_WELL:
                raise ConfigError(
                    f"the gateway answered {status}: are its address, the subscription and the secret right?"
                )
            if status == 409 and conflict_is_well:
                return {}
            decoded = decode(answer) if status == 200 else None
        except PayloadError as error:
            raise FeedError(f"the answer is not the gateway's: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise FeedError(f"the gateway cannot be asked: {type(error).__name__}") from error
        if not isinstance(decoded, dict):
            raise FeedError(f"the gateway answered {status}, and no events")
        return decoded


def _handed(entry: Json) -> HandedEvent:
    if isinstance(entry, dict):
        sequence, headers, body = entry.get("sequence"), entry.get("headers"), entry.get("body")
        if isinstance(sequence, int) and isinstance(headers, dict) and isinstance(body, str):
            return HandedEvent(sequence, {name: str(value) for name, value in headers.items()}, body.encode())
    raise FeedError("the answer is not the gateway's: something in it is no event")
