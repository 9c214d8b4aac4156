"""Uses the kit as it is installed, without this tree: `python outside.py VECTORS`. The standard library is enough."""

import asyncio
import base64
import json
import pkgutil
import sys
import tempfile
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import signalpost_receiver
from signalpost_receiver import Buffer, Event, Outcome, Receiver, ReceiverError, Result, Signer
from signalpost_receiver.stores.sql import SqliteStore

NEED_MORE = {"redis", "starlette", "fastapi", "litestar", "flask", "django"}
"""Modules that are for users of a distribution of this name."""


def import_everything() -> int:
    names = [each.name for each in pkgutil.walk_packages(signalpost_receiver.__path__, "signalpost_receiver.")]
    wanted = [name for name in names if name.rpartition(".")[2] not in NEED_MORE]
    for name in (*wanted, "signalpost_receiver.stores.redis"):
        import_module(name)
    return len(wanted)


def check_vectors(folder: Path) -> int:
    cases = json.loads((folder / "requests.json").read_text(encoding="utf-8"))["cases"]
    for case in cases:
        assert verdict(case) == case["verdict"], case["name"]
    return len(cases)


def verdict(case: dict[str, Any]) -> str:
    given = case.get("options", {})
    options: dict[str, Any] = {"max_body_bytes": given.get("maxBodyBytes", 1024 * 1024)}
    for name, option in (("maxAge", "max_age"), ("skew", "skew")):
        if name in given:
            options[option] = None if given[name] is None else timedelta(seconds=given[name])
    receiver = Receiver(secrets=case["secrets"], clock=lambda: float(case["now"]), **options)
    body = base64.b64decode(case["bodyBase64"]) if "bodyBase64" in case else case["body"].encode()
    try:
        receiver.verify(body, [tuple(pair) for pair in case["headers"]])
    except ReceiverError as error:
        return type(error).__name__
    return "ok"


def receive(case: dict[str, Any], path: Path) -> list[str]:
    """What happens to a request that arrives four times, at two receivers that share a store."""
    receiver, other = (
        Receiver(secrets=case["secrets"], clock=lambda: float(case["now"]), store=SqliteStore(path), order=order)
        for order in (None, Buffer(hold=timedelta(0)))
    )
    got: list[str] = []

    async def handle(event: Event) -> None:
        got.append(event.id)

    receiver.on("documentUpdated")(lambda event: got.append(event.id))
    other.on()(handle)
    body, headers = case["body"].encode(), dict(case["headers"])
    later = body.replace(b"019e6f5e", b"019e6f5f")
    signed = {**headers, "webhook-signature": Signer(case["secrets"][0]).standard_signature("a", case["now"], later)}
    outcomes = [receiver.receive(body, headers).outcome for _ in range(2)]
    outcomes.append(asyncio.run(other.areceive(body, headers)).outcome)
    outcomes.append(other.receive(later, {**signed, "webhook-id": "a"}).outcome)
    outcomes += [each.outcome for each in asyncio.run(other.adrain()) if isinstance(each, Result)]
    assert len(set(got)) == len(got) == 2
    return [outcome.value for outcome in outcomes]


def main() -> None:
    vectors = Path(sys.argv[1])
    assert import_everything() > 10
    assert check_vectors(vectors) > 100
    case = json.loads((vectors / "requests.json").read_text(encoding="utf-8"))["cases"][0]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = receive(case, Path(folder, "receiver.db"))
    assert outcomes == ["handled", "duplicate", "duplicate", "held", "handled"], outcomes
    assert str(Outcome.HANDLED) == "handled"
    print("works")


if __name__ == "__main__":
    main()
