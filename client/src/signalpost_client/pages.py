"""What the generated calls stand on, and lists that go from page to page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from signalpost_client.core import Call

T = TypeVar("T")


class Sender(Protocol):
    """Sends calls, and waits for each."""

    def send(self, call: Call[T]) -> T:
        """The result of a call."""


class AsyncSender(Protocol):
    """Sends calls."""

    async def send(self, call: Call[T]) -> T:
        """The result of a call."""


class Noun:
    """The calls of one noun."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender


class AsyncNoun:
    """The calls of one noun."""

    def __init__(self, sender: AsyncSender) -> None:
        self._sender = sender


class Pages(Generic[T]):
    """A list. Iterating over it asks for one page after the other, as they are needed; a page may be short, or empty,
    and not be the last."""

    def __init__(self, sender: Sender, call: Call[Any]) -> None:
        self._sender = sender
        self._call = call

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.data

    def pages(self) -> Iterator[Any]:
        """The pages themselves, each with its `data`, `next` and `response_headers`."""
        cursor = None
        while True:
            page = self._sender.send(_from(self._call, cursor))
            yield page
            cursor = page.next
            if cursor is None:
                return


class AsyncPages(Generic[T]):
    """A list, as `Pages` is, for `async for`."""

    def __init__(self, sender: AsyncSender, call: Call[Any]) -> None:
        self._sender = sender
        self._call = call

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for each in page.data:
                yield each

    async def pages(self) -> AsyncIterator[Any]:
        """The pages themselves, each with its `data`, `next` and `response_headers`."""
        cursor = None
        while True:
            page = await self._sender.send(_from(self._call, cursor))
            yield page
            cursor = page.next
            if cursor is None:
                return


def _from(call: Call[Any], cursor: str | None) -> Call[Any]:
    return replace(call, query={**call.query, "cursor": cursor})
