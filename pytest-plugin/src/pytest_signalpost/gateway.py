"""The gateway that tests use: `signalpost emulator` in a process of its own, and its calls as methods."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

STOP_SECONDS = 30
ANSWER_SECONDS = 90
"""Seconds to wait for an answer: longer than the emulator itself waits for anything."""
WITHIN_SECONDS = 10.0
_COMMAND = (sys.executable, "-c", "from signalpost.cli.main import main; main()", "emulator", "--port", "0", "--json")


class Refused(Exception):
    """The gateway refused a call. `problem` is what it answered."""

    def __init__(self, problem: dict[str, Any]) -> None:
        errors = [f"{each['pointer']}: {each['detail']}" for each in problem.get("errors", ())]
        super().__init__("\n".join([str(problem.get("detail")), *errors]))
        self.problem = problem


class Triggered(NamedTuple):
    """An event that was made, and its document."""

    event_id: str
    external_id: str
    sequence: int


class SignalpostGateway:
    """A gateway for tests: make events happen, and assert what was delivered."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        """The gateway's address; its API is below `/v1`."""
        self.key = key
        """The operator's API key."""

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make a call of the API, such as `call("POST", "/v1/documents", {…})`. Raises Refused."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", content, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - its own address
                raw = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(json.load(error)) from None
        return json.loads(raw) if raw else None

    def subscribe(
        self, url: str, *, secret: str | None = None, event_types: Sequence[str] | None = None, **more: Any
    ) -> dict[str, Any]:
        """Subscribe an endpoint, to every type of event unless some are named. Other members of a subscription are
        named as in the API: `retryDelays=[1]`. Raises Refused."""
        body = {
            "url": url,
            "eventTypes": list(event_types or ("documentCreated", "documentUpdated", "documentDeleted")),
            **({} if secret is None else {"secret": secret}),
            **more,
        }
        made: dict[str, Any] = self.call("POST", "/v1/subscriptions", body)
        return made

    def trigger(self, event_type: str = "documentCreated", /, **attributes: Any) -> Triggered:
        """Make an event of a sample document with these attributes, named as in the contract: `contractValue=1500.0`.
        Before an update or a deletion, the document is created, with an event of its own. Raises Refused."""
        made = self.call("POST", "/emulator/events", {"eventType": event_type, "set": attributes})
        return Triggered(made["eventId"], made["externalId"], made["sequence"])

    def expect(
        self,
        status: str = "delivered",
        *,
        count: int | None = None,
        event_id: str | None = None,
        event_type: str | None = None,
        external_id: str | None = None,
        subscription_id: str | None = None,
        within_seconds: float = WITHIN_SECONDS,
    ) -> list[dict[str, Any]]:
        """The deliveries in a state (`pending`, `delivered`, `retrying`, `failed`), once there is one, or exactly
        `count`. Raises AssertionError, which says what there was instead, if they do not arrive in time."""
        expected = {
            "status": status, "count": count, "eventId": event_id, "eventType": event_type, "externalId": external_id,
            "subscriptionId": subscription_id, "withinSeconds": within_seconds,
        }  # fmt: skip
        given = {name: value for name, value in expected.items() if value is not None}
        try:
            found: list[dict[str, Any]] = self.call("POST", "/emulator/expect", given)["deliveries"]
        except Refused as refused:
            raise _unmet(refused) from None
        return found

    def settle(self, within_seconds: float = WITHIN_SECONDS) -> None:
        """Wait until every event was delivered or given up. Raises AssertionError if that takes longer."""
        try:
            self.call("POST", "/emulator/settle", {"withinSeconds": within_seconds})
        except Refused as refused:
            raise _unmet(refused) from None

    def reset(self) -> None:
        """Forget everything: documents, events, subscriptions, deliveries."""
        self.call("POST", "/emulator/reset")


def _unmet(refused: Refused) -> Exception:
    met = refused.problem.get("code") not in ("expectation_not_met", "not_settled")
    return refused if met else AssertionError(str(refused))


@contextmanager
def running_gateway(folder: Path) -> Iterator[SignalpostGateway]:
    """A gateway in a process of its own. `folder` is for files that it would otherwise leave in the user's home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALPOST_")}
    process = subprocess.Popen(  # noqa: S603 - this environment's own command
        _COMMAND, stdout=subprocess.PIPE, text=True, env={**kept, "XDG_STATE_HOME": str(folder)}
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        if not first:
            raise RuntimeError(f"The gateway did not start: it ended with {process.wait(STOP_SECONDS)}.")
        ready = json.loads(first)
        yield SignalpostGateway(ready["url"], ready["key"])
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        process.stdout.close()
