"""Kinds of destinations that raise, lie or block, in every method: their own deliveries fail and are kept, and the rest
of the gateway notices nothing."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.vendors import HOST, ORIGIN, SECRET, Fake, FakeConfig, FakeConnection, FakeVendor

from signalpost.destinations.access import Fixed, Grant, RequestToSign, Signer
from signalpost.destinations.calls import Call, Reply, Skip
from signalpost.destinations.destination import Context
from signalpost.destinations.guarded import GuardedKind
from signalpost.destinations.registry import Destinations
from signalpost.destinations.rulings import Done, Reauthorise, Reject, Retry, Then, Throttle
from signalpost.domain.delivery.outcome import Failure

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


def raised(error: BaseException) -> Any:
    raise error


def call(**given: Any) -> Any:
    return Call(**{"url": f"{ORIGIN}/messages", "json": {"text": "a", "key": "b"}, **given})


ERRORS: dict[str, Callable[[], Any]] = {
    "an error": lambda: raised(RuntimeError(f"no use with {SECRET}")),
    "the end of the process": lambda: raised(SystemExit(1)),
    "a cancelled task": lambda: raised(asyncio.CancelledError()),
    "an endless recursion": lambda: raised(RecursionError()),
    "an error that cannot be written": lambda: raised(Unspeakable()),
}
PREPARED: dict[str, Callable[[], Any]] = {
    **ERRORS,
    "nothing": lambda: None,
    "a skip without a reason": lambda: Skip(None),  # type: ignore[arg-type]
    "a call to nowhere": lambda: call(url=None),
    "a call of a wrong method": lambda: call(method="GET / HTTP/1.1\r\nx: y"),
    "a call with a number for a header": lambda: call(headers={"x": 5}),
    "a call with no headers at all": lambda: call(headers=None),
    "a call with a header of two lines": lambda: call(headers={"x": "a\r\nb: c"}),
    "a call whose body is no JSON": lambda: call(json=object()),
    "a call with a form that is none": lambda: call(form=5),
    "a refusal without a name": lambda: Reject(None, "No."),  # type: ignore[arg-type]
    "a call elsewhere": lambda: call(url="https://elsewhere.example/"),
}
RULINGS: dict[str, Callable[[], Any]] = {
    **ERRORS,
    "nothing": lambda: None,
    "a word": lambda: "done",
    "done, with a number": lambda: Done(detail=5),  # type: ignore[arg-type]
    "done, with nothing made": lambda: Done(made=None),  # type: ignore[arg-type]
    "done, with an object made": lambda: Done(made={"id": object()}),  # type: ignore[dict-item]
    "done, with a novel made": lambda: Done(made={"id": "x" * 1_000_000}),
    "a retry without a reason": lambda: Retry(None),  # type: ignore[arg-type]
    "a retry some time": lambda: Retry("Later.", after="soon"),  # type: ignore[arg-type]
    "a retry after no time": lambda: Retry("Later.", after=float("nan")),
    "a throttle without end": lambda: Throttle("Wait.", after=float("inf")),
    "a throttle into the past": lambda: Throttle("Wait.", after=-1.0),
    "a refusal without a name": lambda: Reject(None, "No."),  # type: ignore[arg-type]
    "a refusal without a reason": lambda: Reject("no", None),  # type: ignore[arg-type]
    "no authorisation, and no reason": lambda: Reauthorise(None),  # type: ignore[arg-type]
    "then nothing": lambda: Then(None),  # type: ignore[arg-type]
    "then a call elsewhere": lambda: Then(call(url="https://elsewhere.example/")),
    "then the same without end": lambda: Then(call()),
}
LETS_IN: dict[str, Callable[[], Any]] = {
    **ERRORS,
    "a word": lambda: f"Bearer {SECRET}",
    "what signs nothing": lambda: Unable(lambda: None),
    "what signs with a number": lambda: Unable(lambda: {"x": 5}),
    "what signs in two lines": lambda: Unable(lambda: {"x": "a\r\nb: c"}),
    "what signs with the length": lambda: Unable(lambda: {"content-length": "0"}),
    "what ends the process": lambda: Unable(ERRORS["the end of the process"]),
    "what cannot say why it signs nothing": lambda: Unable(ERRORS["an error that cannot be written"]),
    "a fixed nothing": lambda: Fixed(None),  # type: ignore[arg-type]
    "a grant from nowhere": lambda: Grant(url=None, form={}),  # type: ignore[arg-type]
    "a grant from elsewhere": lambda: Grant(url="https://elsewhere.example/", form={}),
    "a grant for nothing": lambda: Grant(url=f"{ORIGIN}/token", form=None),  # type: ignore[arg-type]
    "a grant whose claims are no JSON": lambda: Grant(url=f"{ORIGIN}/token", form={}, claims={"a": object()}),
}
ORIGINS: dict[str, Callable[[], Any]] = {
    **ERRORS,
    "nothing": lambda: None,
    "numbers": lambda: (1, 2),
    "one text": lambda: ORIGIN,
}


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("It has no words.")

    __repr__ = __str__


class Unable(Signer, frozen=True):
    """Signs with whatever it is given."""

    gives: Callable[[], Any]

    def sign(self, request: RequestToSign, now: int) -> Any:
        return self.gives()


class Liar(Fake):
    """A kind some of whose methods answer something else."""

    kind = "liar"

    def __init__(self, **lies: Callable[[], Any]) -> None:
        self._lies = lies

    def _answer(self, method: str, honest: Callable[[], Any]) -> Any:
        return self._lies.get(method, honest)()

    def origins(self, connection: FakeConnection) -> Any:
        return self._answer("origins", lambda: (ORIGIN,))

    def access(self, connection: FakeConnection) -> Any:
        return self._answer("access", lambda: None)

    def prepare(self, connection: FakeConnection, config: FakeConfig, context: Context) -> Any:
        return self._answer("prepare", lambda: super(Liar, self).prepare(connection, config, context))

    def classify(
        self, connection: FakeConnection, config: FakeConfig, context: Context, call: Call, reply: Reply
    ) -> Any:
        return self._answer("classify", lambda: super(Liar, self).classify(connection, config, context, call, reply))

    def escape(self, text: str) -> Any:
        return self._answer("escape", lambda: text)


LIES = [
    *(("prepare", name) for name in PREPARED),
    *(("classify", name) for name in RULINGS),
    *(("escape", name) for name in ERRORS),
    *(("access", name) for name in LETS_IN),
    *(("origins", name) for name in ORIGINS),
]
ANSWERS = {"prepare": PREPARED, "classify": RULINGS, "escape": ERRORS, "access": LETS_IN, "origins": ORIGINS}


@pytest.mark.parametrize(("method", "lie"), LIES)
def test_a_lie_harms_nobody_else_and_once_the_kind_is_mended_nothing_is_lost(
    world: ScriptedWorld, method: str, lie: str
) -> None:
    vendor = world.vendors[HOST] = FakeVendor()

    async def lied_to(gateway: RunningGateway) -> None:
        await gateway.connect("c")
        await gateway.connect("l", kind="liar")
        await gateway.deliver("bad", "l", kind="liar", delays=(1,))
        await gateway.deliver("good", "c")
        await gateway.subscribe("webhook")
        for document in ("a", "b"):
            await gateway.create(document)
            await asyncio.sleep(100)
        await gateway.until_recorded()
        assert gateway.health("bad")["failed"] + gateway.health("bad")["lag"] == 2
        if method in ("access", "origins"):
            assert gateway.health("bad")["lastError"]
        else:
            failures = [attempt.failure for sequence in (1, 2) for attempt in world.attempts("bad", sequence)]
            assert failures == [Failure.CONNECTOR] * 4

    async def mended(gateway: RunningGateway) -> None:
        if gateway.of("bad").status == "disabled":
            await gateway.change("bad", status="active")
        for sequence in list(world.deliveries("bad")):
            await gateway.retry("bad", sequence)
        await gateway.until(lambda: not gateway.health("bad")["lag"])
        await gateway.until_recorded()

    world.destinations = Destinations([Fake(), GuardedKind(Liar(**{method: ANSWERS[method][lie]}))])
    world.run(lied_to)
    assert world.endpoint("webhook").sequences == [1, 2]
    assert [world.attempts("good", sequence)[-1].failure for sequence in (1, 2)] == [None, None]
    assert SECRET not in json.dumps(world.logs, default=repr)
    assert not any(SECRET in attempt.detail for attempt in world.attempts("bad", 1))

    world.destinations = Destinations([Fake(), GuardedKind(Liar())])
    world.run(mended)
    assert [world.attempts("bad", sequence)[-1].failure for sequence in (1, 2)] == [None, None]
    assert world.deliveries("bad") == {}
    assert vendor.messages


def test_a_kind_that_holds_everybody_up_is_named_in_the_log_and_all_is_delivered(world: ScriptedWorld) -> None:
    vendor = world.vendors[HOST] = FakeVendor()

    async def scenario(gateway: RunningGateway) -> None:
        def block() -> Call:
            gateway.loop._time.now += 0.2
            made: Call = call()
            return made

        lies["prepare"] = block
        await gateway.connect("l", kind="liar")
        await gateway.deliver("slow", "l", kind="liar")
        await gateway.subscribe("webhook")
        await gateway.create("a", "b")
        await gateway.until(lambda: len(vendor.messages) == 2)
        await gateway.until(lambda: len(world.endpoint("webhook").sequences) == 2)

    lies: dict[str, Callable[[], Any]] = {}
    liar = Liar()
    liar._lies = lies
    world.destinations = Destinations([GuardedKind(liar)])
    world.run(scenario)
    slow = [line for line in world.logs if line["message"] == "a kind of destination blocks the event loop"]
    assert [(line["kind"], line["method"], line["ms"]) for line in slow] == [("liar", "prepare", 200)] * 2
