"""Calls that wait for nothing but what they read."""

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, TypeVar

from signalpost.api.routing.context import RequestContext

T = TypeVar("T")


def only_reads(
    handler: Callable[[RequestContext], Coroutine[Any, Any, T]],
) -> Callable[[RequestContext], Coroutine[Any, Any, T]]:
    """The whole handler runs on the thread that reads: the event loop hands over one piece of work, whatever there is
    to read and to put in words. The handler changes nothing, not even what the directory keeps of its own lists."""

    @wraps(handler)
    async def on_thread(context: RequestContext) -> T:
        return await context.services.store.reading(partial(handler, context))

    return on_thread


def reads_in_turn(
    handler: Callable[[RequestContext], Coroutine[Any, Any, T]],
) -> Callable[[RequestContext], Coroutine[Any, Any, T]]:
    """The same for a handler that may read megabytes of its tenant."""

    @wraps(handler)
    async def on_thread(context: RequestContext) -> T:
        return await context.services.store.reading_in_turn(context.tenant_id, partial(handler, context))

    return on_thread
