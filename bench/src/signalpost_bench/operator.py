"""The operator beside a load: asks what operators and machines ask, steadily and on connections of its own."""

import http.client
import json
import threading
import time
import urllib.request
from typing import Self

from signalpost_bench.child_process import RunFailed
from signalpost_bench.serving import GatewayProcess

EVERY_SECONDS = 0.25
CALLS = {"ready": "/health/ready", "subscriptions": "/v1/subscriptions", "deliveries": "/v1/deliveries?limit=50"}
ANSWER_SECONDS = 120.0


class Operator:
    """Asks while it is entered, each time on a new connection: it must also find a place."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._key = self._own_key()
        self.worst_ms = dict.fromkeys(CALLS, 0.0)
        self._failed: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._failed is not None and kind is None:
            raise RunFailed(self._failed)

    def _ask_on(self) -> None:
        due = time.monotonic()
        try:
            while not self._stopped.wait(max(0.0, due - time.monotonic())):
                for name, path in CALLS.items():
                    self.worst_ms[name] = max(self.worst_ms[name], self._ask(path))
                due += EVERY_SECONDS
        except (OSError, http.client.HTTPException, RunFailed) as failure:
            self._failed = f"an operator's call failed: {failure}"

    def _own_key(self) -> str:
        """Make a key for the operator: requests at work are shared out between keys, and the load has the gateway's."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._gateway.port}/v1/keys",
            b'{"name": "beside the load", "role": "operator"}',
            {"authorization": f"Bearer {self._gateway.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - its own address
            return str(json.load(answer)["key"])

    def _ask(self, path: str) -> float:
        """How long the answer took, ms."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._gateway.port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {self._key}"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RunFailed(f"{path} was answered {answer.status}")
        return (time.monotonic() - began) * 1e3
