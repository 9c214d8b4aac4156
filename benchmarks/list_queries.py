"""Every list with every kind of filter: what `queries.py` times."""

from collections.abc import Callable, Coroutine
from itertools import product
from typing import Any, NamedTuple

from large_database import (
    FAR_BEHIND,
    FULL_OF_FAILED,
    FULL_OF_RETRIES,
    NOTHING,
    START,
    STEP,
    STUCK_BELOW,
    TENANT,
    Size,
    document_id,
)

from signalpost.domain.subscription import Subscription
from signalpost.store.nouns.deliveries import DeliveryFilter
from signalpost.store.nouns.documents import DocumentFilter
from signalpost.store.nouns.log import LogRow
from signalpost.store.sqlite.codec import unpack_uuid
from signalpost.store.store import Store

LIMIT = 250
Page = Callable[[Any], Coroutine[Any, Any, tuple[int, Any]]]
"""Reads the page below a position: how many rows it has, and where the next one begins."""


class Query(NamedTuple):
    list: str
    asked: str
    page: Page


async def queries(store: Store, size: Size) -> list[Query]:
    subscriptions = await store.lists.page(Subscription, TENANT, None, size.subscriptions)
    return [
        *_document_queries(store, size),
        *_delivery_queries(store, subscriptions, size),
        *_feed_queries(store, size),
        *_subscription_queries(store),
        *await _single_queries(store, subscriptions, size),
    ]


def _document_queries(store: Store, size: Size) -> list[Query]:
    def query(asked: dict[str, Any]) -> Query:
        wanted = DocumentFilter(**asked)

        async def page(below: Any) -> tuple[int, Any]:
            found = await store.documents.page(TENANT, wanted, below, LIMIT)
            return len(found.data), found.next

        return Query("documents", _said(asked), page)

    ends = [START + size.events * STEP * part // 100 for part in (-1, 50, 99, 101)]
    choices: dict[str, list[Any]] = {
        "status": [None, "created", "paused", "cancelled"],
        "type": [None, "NDA", "Lease", "nothing"],
        "reference_id": [None, "REF-common", "REF-77", "nothing"],
        "owner_email": [None, "everyone@example.com", "owner-2@example.com", "nothing"],
        "updated_after": [None, *ends],
    }
    return [query(asked) for asked in _combinations(choices)]


def _delivery_queries(store: Store, subscriptions: list[Subscription], size: Size) -> list[Query]:
    def query(name: str, of: list[Subscription], asked: dict[str, Any]) -> Query:
        wanted = DeliveryFilter(**asked)

        async def page(below: Any) -> tuple[int, Any]:
            found = await store.deliveries.page(TENANT, of, wanted, below, LIMIT)
            return len(found.data), found.next

        return Query(name, _said(asked), page)

    by_number = {subscription.number: subscription for subscription in subscriptions}
    groups = {
        "all deliveries": subscriptions,
        "… of some": [by_number[number] for number in range(6, 12)],
        "… of one": [by_number[100]],
        "… of one with nothing": [by_number[NOTHING]],
        "… of one full of failed": [by_number[FULL_OF_FAILED]],
        "… of one full of retries": [by_number[FULL_OF_RETRIES]],
        "… of one far behind": [by_number[FAR_BEHIND]],
        "… of one stuck below": [by_number[STUCK_BELOW]],
    }
    choices: dict[str, list[Any]] = {
        "status": [None, "pending", "delivered", "retrying", "failed"],
        "types": [7, 2, 4],
        "document_id": [None, unpack_uuid(document_id(1)), unpack_uuid(document_id(5)), unpack_uuid(bytes(16))],
    }
    # What begins lower down the log is a page deep in a walk.
    times: list[dict[str, Any]] = [
        {},
        {"created_from": START + size.events * STEP // 2},
        {"created_to": START + size.events * STEP // 3},
    ]
    asked = [{**combination, **time} for combination in _combinations(choices) for time in times]
    return [query(name, of, each) for name, of in groups.items() for each in asked]


def _feed_queries(store: Store, size: Size) -> list[Query]:
    def query(start: int, types: int, document: str | None) -> Query:
        async def page(below: Any) -> tuple[int, Any]:
            after = start if below is None else below
            found, last = await store.log.feed(TENANT, after, types, document, LIMIT)
            return len(found), last if last != after else None

        return Query("events", _said({"after": start, "types": types, "document_id": document}), page)

    ids = [None, *(unpack_uuid(each) for each in (document_id(1), document_id(5), bytes(16)))]
    return [query(*each) for each in product((0, size.events // 2), (7, 1, 4), ids)]


def _subscription_queries(store: Store) -> list[Query]:
    async def page(below: Any) -> tuple[int, Any]:
        found = await store.lists.page(Subscription, TENANT, below, LIMIT)
        return len(found), found[-1].number if len(found) == LIMIT else None

    async def none(_below: Any) -> tuple[int, Any]:
        return len(await store.lists.page(Subscription, 2, None, 1)), None

    return [Query("subscriptions", "", page), Query("subscriptions", "of a tenant without", none)]


async def _single_queries(store: Store, subscriptions: list[Subscription], size: Size) -> list[Query]:
    [middle] = await store.log.events(TENANT, [size.events // 2])
    entry = LogRow(middle.sequence, middle.at, middle.id, middle.type, middle.document_id)

    async def event(_below: Any) -> tuple[int, Any]:
        return await store.log.by_id(TENANT, middle.id) is not None, None

    async def unknown_event(_below: Any) -> tuple[int, Any]:
        return await store.log.by_id(TENANT, unpack_uuid(bytes(16))) is None, None

    async def delivery(_below: Any) -> tuple[int, Any]:
        return await store.deliveries.get(subscriptions[0], entry) is not None, None

    async def document(_below: Any) -> tuple[int, Any]:
        return await store.documents.get(TENANT, middle.document_id) is not None, None

    return [
        Query("event", "by id", event),
        Query("event", "by another's id", unknown_event),
        Query("delivery", "with attempts", delivery),
        Query("document", "by id", document),
    ]


def _combinations(choices: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in zip(choices, values, strict=True) if value is not None}
        for values in product(*choices.values())
    ]


def _said(asked: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, int) and value > START // 2:
            return f"{(value - START) // STEP:,}."
        return str(value).replace("00000000-0000-4000-8000-", "…")

    return " ".join(f"{name}={shown(value)}" for name, value in asked.items() if value is not None and value != 7)
