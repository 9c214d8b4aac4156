"""The vectors that every kit is held against, in this one."""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from receiver.tests.requests import NOW, SECRET, event_body, signed

from signalpost_receiver import (
    Buffer,
    Event,
    HandlerError,
    Receiver,
    ReceiverError,
    Result,
    Signer,
    SkipStale,
    Version,
    standard_secret,
)
from signalpost_receiver.sign import KeyedHash

VECTORS = Path(__file__).parents[1] / "vectors"


def cases(name: str) -> list[Any]:
    read = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    assert read["format"] == 1
    return [pytest.param(case, id=str(case.get("name", number))) for number, case in enumerate(read["cases"])]


def receiver_of(case: dict[str, Any]) -> Receiver:
    given = case.get("options", {})
    options: dict[str, Any] = {}
    if "maxAge" in given:
        options["max_age"] = None if given["maxAge"] is None else timedelta(seconds=given["maxAge"])
    if "skew" in given:
        options["skew"] = timedelta(seconds=given["skew"])
    if "maxBodyBytes" in given:
        options["max_body_bytes"] = given["maxBodyBytes"]
    return Receiver(secrets=case["secrets"], clock=lambda: case["now"], **options)


def body_of(case: dict[str, Any]) -> bytes:
    return base64.b64decode(case["bodyBase64"]) if "bodyBase64" in case else case["body"].encode()


@pytest.mark.parametrize("case", [*cases("requests"), *cases("key-pairs")])
def test_c19_c20_c21_every_request_gets_its_verdict(case: dict[str, Any]) -> None:
    receiver, headers = receiver_of(case), [tuple(pair) for pair in case["headers"]]
    if case["verdict"] == "ok":
        assert_shown(receiver.verify(body_of(case), headers), case["event"])
        return
    with pytest.raises(ReceiverError) as caught:
        receiver.verify(body_of(case), headers)
    assert (type(caught.value).__name__, caught.value.status) == (case["verdict"], case["status"])


@pytest.mark.parametrize("case", cases("signatures"))
def test_c19_c20_every_signature_is_made_the_same(case: dict[str, Any]) -> None:
    signer, body = Signer(case["secret"]), case["body"].encode()
    assert signer.page_signature(body) == case["page"]
    assert signer.standard_signature(case["id"], case["timestamp"], body) == case["standard"]
    assert standard_secret(case["secret"]) == case["standardSecret"]


@pytest.mark.parametrize("case", cases("hmac"))
def test_c19_c20_the_known_answers_of_rfc_4231(case: dict[str, Any]) -> None:
    """A key that is no text is never a secret's: so it is not given to a `Signer`, but to what that signs with."""
    key, data = bytes.fromhex(case["key"]), bytes.fromhex(case["data"])
    for digest, answer in ((hashlib.sha256, case["sha256"]), (hashlib.sha512, case["sha512"])):
        keyed = KeyedHash(key, digest)
        assert keyed.of(data).hex()[: len(answer)] == keyed.of(data[:9], data[9:]).hex()[: len(answer)] == answer
    if case["isText"]:
        assert Signer(key.decode()).page_signature(data).startswith(case["sha512"])


def test_the_files_are_those_that_the_program_writes() -> None:
    made: dict[str, Any] = {"__file__": str(VECTORS / "make.py"), "__name__": "made"}
    exec(compile((VECTORS / "make.py").read_text(encoding="utf-8"), "make.py", "exec"), made)
    for name, vectors in made["FILES"].items():
        assert (VECTORS / f"{name}.json").read_text(encoding="utf-8") == made["write"](name, vectors())


ORDERS: dict[Any, Any] = {None: None, "skipStale": SkipStale(), "buffer": Buffer()}


class Scene:
    """A receiver with a clock that is set and a handler that fails when it is told to."""

    def __init__(self, order: str | None) -> None:
        self.now, self.fails = 0.0, False
        self.called: list[str] = []
        self.receiver = Receiver(secrets=SECRET, clock=lambda: NOW + self.now, order=ORDERS[order])
        self.receiver.on()(self.handle)

    def handle(self, event: Event) -> None:
        self.called.append(event.id)
        if self.fails:
            raise RuntimeError(event.id)

    def arrive(self, event: dict[str, str]) -> str:
        shown = json.loads(event_body(document=event["document"], event_type=event["type"]))
        body = json.dumps(shown | {"id": event["id"], "createdAt": event["createdAt"]}).encode()
        try:
            return str(self.receiver.receive(body, signed(body, at=NOW + self.now)).outcome)
        except HandlerError:
            return "failed"

    def drain(self) -> list[str]:
        return [str(each.outcome) if isinstance(each, Result) else "failed" for each in self.receiver.drain()]


@pytest.mark.parametrize("case", cases("order"))
def test_c2_c5_c17_what_becomes_of_events_in_any_order(case: dict[str, Any]) -> None:
    scene = Scene(case["order"])
    for step in case["steps"]:
        scene.now, scene.fails = step["at"], step.get("handlerFails", False)
        if "event" in step:
            assert scene.arrive(step["event"]) == step["outcome"]
        else:
            scene.called.clear()
            assert scene.drain() == [outcome for _, outcome in step["drained"]]
            assert scene.called == [event_id for event_id, _ in step["drained"]]


def assert_shown(value: object, expected: dict[str, Any]) -> None:
    """What `expected` names, in the names of JSON, is so in `value`."""
    for name, wanted in expected.items():
        found = getattr(value, "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name))
        if isinstance(wanted, dict) and (name == "document" or isinstance(found, Version)):
            assert_shown(found, wanted)
        else:
            assert shown(found) == wanted, name


def shown(value: object) -> object:
    if isinstance(value, (Event, dict, bool, int, type(None))):
        return value
    return value.isoformat("T", "auto") if isinstance(value, datetime) else str(value)
