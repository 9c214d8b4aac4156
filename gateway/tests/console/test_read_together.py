"""Pages whose calls wait for nothing but the store read them together, on the thread for that. Whatever is not simply
answered there is asked for on the event loop, as by every other page."""

import asyncio
from typing import Any

import pytest
from gateway.tests.console.conftest import Shop, make_world, shop
from gateway.tests.listener.applications import a_request

from signalpost.api.app import Api
from signalpost.api.guards.principals import OPERATOR
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.api.routes import ROUTES
from signalpost.api.routing.shapes.service import Problem
from signalpost.console.calls import CallFailed, Calls
from signalpost.console.page import Visit
from signalpost.console.pages import PAGES

__all__ = ["make_world", "shop"]


class NotedCalls(Calls):
    """Notes what is asked for on the event loop."""

    def __init__(self, api: Api, tenant: str) -> None:
        super().__init__(api, a_request(), OPERATOR, tenant)
        self.on_loop: list[str] = []

    async def _ask(self, name: str, request: Request) -> Response | StreamedResponse:
        self.on_loop.append(name)
        return await super()._ask(name, request)


def looked_at(shop: Shop, path: str, tenant: str = "default", **params: str) -> tuple[Any, list[str]]:
    """What the page shows, or what refused it; and which of its calls were made on the event loop."""
    [page] = [each for each in PAGES if each.path == path]

    async def look() -> tuple[Any, list[str]]:
        services = shop.world.gateway._services
        calls = NotedCalls(Api(services, ROUTES, ()), tenant)
        visit = Visit(
            calls=calls,
            principal=OPERATOR,
            tenant=tenant,
            root="",
            now=services.clock.wall(),
            request_id="",
            params={"id": shop.subscription, "eventId": shop.event, **params},
            query={},
        )
        try:
            return await page.view(visit), calls.on_loop
        except CallFailed as refused:
            return refused.problem, calls.on_loop

    return asyncio.run_coroutine_threadsafe(look(), shop.world.loop).result()


@pytest.mark.parametrize(
    "path",
    [
        "/deliveries",
        "/subscriptions",
        "/subscriptions/{id}",
        "/subscriptions/{id}/deliveries",
        "/subscriptions/{id}/deliveries/{eventId}",
        "/events",
        "/events/{id}",
        "/documents",
    ],
)
def test_all_calls_of_a_page_that_only_reads_are_made_on_the_thread(shop: Shop, path: str) -> None:
    shown, on_loop = looked_at(shop, path, **({"id": shop.event} if path == "/events/{id}" else {}))
    assert on_loop == []
    assert not isinstance(shown, Problem)


def test_the_past_of_a_document_takes_a_turn_of_its_own_on_the_thread(shop: Shop) -> None:
    shown, on_loop = looked_at(shop, "/documents/{id}", id=shop.document)
    assert on_loop == []
    assert [entry.event.id for entry in shown.events] == [shop.event]
    assert len(shown.history) == 1


def test_all_but_the_look_at_all_lanes_is_read_together_for_the_overview(shop: Shop) -> None:
    shown, on_loop = looked_at(shop, "")
    assert on_loop == ["read_overview"]
    assert shown.machine is not None


def test_what_is_refused_is_asked_for_on_the_event_loop_which_does_what_a_refusal_takes(shop: Shop) -> None:
    refused, on_loop = looked_at(shop, "/documents/{id}", id=shop.event)
    assert (refused.status, refused.code) == (404, "document_not_found")
    assert on_loop == ["read_document"]
    refused, on_loop = looked_at(shop, "/documents", "nobody")
    assert (refused.status, refused.code) == (404, "tenant_not_found")
    assert on_loop == ["list_documents"]


def test_calls_of_a_tenant_that_may_make_so_many_a_second_are_all_counted(shop: Shop) -> None:
    shop.world.send("POST", "/v1/tenants", {"name": "counted"}).ok(201)
    shop.world.send("PATCH", "/v1/tenants/counted", {"limits": {"requestsPerSecond": 30}}).ok()
    assert looked_at(shop, "/deliveries", "counted")[1] == ["list_deliveries", "list_subscription_names"]


def test_a_part_of_a_view_within_one_that_reads_is_read_with_it(shop: Shop) -> None:
    async def both(calls: Calls) -> tuple[type[Calls], type[Calls]]:
        async def within(inner: Calls) -> type[Calls]:
            return type(inner)

        return type(calls), await calls.reading(within)

    async def ask() -> tuple[type[Calls], type[Calls]]:
        return await NotedCalls(Api(shop.world.gateway._services, ROUTES, ()), "default").reading(both)

    outer, inner = asyncio.run_coroutine_threadsafe(ask(), shop.world.loop).result()
    assert outer is inner is not NotedCalls
