"""Makes the call of a case with the Python clients, and says its outcome as JSON."""

import asyncio
import itertools
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

import msgspec
from client.generator.python import snake

from signalpost_client import AsyncClient, Client, NoAnswer, Problem, SignalpostError
from signalpost_client.shape import Shape

Asked = Mapping[str, Any]
"""What a case has a client do: its `url`, `key` and `deadline`, and `call`, `take` or `lines`."""


def blocking(asked: Asked) -> Any:
    """The outcome with `Client`."""
    with Client(asked["url"], asked["key"], deadline=asked["deadline"]) as client:
        try:
            if "lines" in asked:
                return {"result": [plain(each) for each in client.documents.import_lines(asked["lines"])]}
            found = _called(client, asked["call"])
            if isinstance(found, Iterable) and not isinstance(found, Shape | bytes):
                found = [*itertools.islice(found, asked["take"])]
            return {"result": plain(found)}
        except SignalpostError as error:
            return {"error": of_error(error)}


def asynchronous(asked: Asked) -> Any:
    """The outcome with `AsyncClient`."""
    return asyncio.run(_asynchronous(asked))


async def _asynchronous(asked: Asked) -> Any:
    async with AsyncClient(asked["url"], asked["key"], deadline=asked["deadline"]) as client:
        try:
            if "lines" in asked:
                return {"result": [plain(each) async for each in client.documents.import_lines(asked["lines"])]}
            found = _called(client, asked["call"])
            found = await _first(found, asked["take"]) if isinstance(found, AsyncIterable) else await found
            return {"result": plain(found)}
        except SignalpostError as error:
            return {"error": of_error(error)}


async def _first(found: AsyncIterable[Any], count: int | None) -> list[Any]:
    taken: list[Any] = []
    async for each in found:
        taken.append(each)
        if len(taken) == count:
            break
    return taken


def _called(client: Client | AsyncClient, call: list[Any]) -> Any:
    name, steps, named = call
    noun, method = name.split(".")
    if method == "uploadVersion":
        steps = [steps[0], steps[1].encode()]
    return getattr(getattr(client, noun), snake(method))(
        *steps, **{snake(each): value for each, value in named.items()}
    )


def plain(value: Any) -> Any:
    """An answer as the JSON that it was."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, Shape):
        return msgspec.to_builtins(value)
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    return {wire: plain(getattr(value, name)) for name, wire in names} | dict(value.unknown_members)


def of_error(error: SignalpostError) -> dict[str, Any]:
    """What a case says of an error, the kinds that it is of, and its message."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    found: dict[str, Any] = {"kinds": kinds, "message": f"{error} {error!r}"}
    if isinstance(error, Problem):
        found |= {"status": error.status, "code": error.code, "requestId": error.request_id}
        found["errors"] = [each._asdict() for each in error.errors]
        found["oldest"] = error.members.get("oldest")
    if isinstance(error, NoAnswer):
        found |= {"outcomeUnknown": error.outcome_unknown}
    return found
