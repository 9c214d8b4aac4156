"""A whole gateway in a temporary folder, with calls of its own below `/emulator`.

It is the real gateway: the same API, signatures, retries and order. Three things differ. Its folder is removed when it
ends. It may deliver to every port of its own machine, and to others only if the person who started it says so. And
retries follow after a second each, so that tests are quick.

A reset replaces the gateway by a new one in another folder, at the same address and with the same key. Calls that are
under way then are answered by the old one.
"""

import asyncio
import random
import secrets
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from signalpost.domain.access.api_key import make_key
from signalpost.domain.errors import Conflict
from signalpost.domain.event import event_id
from signalpost.gateway import Gateway
from signalpost.listener.application import ArrivingBody, Head, Steps
from signalpost.local.emulator import RUN_HEADER
from signalpost.local.emulator.bodies import Expectation, Settling, Trigger
from signalpost.local.emulator.inner_client import InnerClient
from signalpost.local.scenario import scenario
from signalpost.runtime.clock import wall_clock
from signalpost.sender.addresses import ELSEWHERE, EVERYWHERE, THIS_MACHINE
from signalpost.settings import Settings

RETRY_DELAYS = (1, 1, 1)
DISK_RESERVE_MB = 1
LOOK_SECONDS = 0.02
"""How often it looks whether something has happened that it waits for."""
PAGE = 250
Delivery = dict[str, Any]


class Emulator:
    """A gateway to test with: enter it as an async context manager, then serve `app`."""

    def __init__(
        self,
        url: str,
        *,
        external: bool = False,
        retry_delays: tuple[int, ...] = RETRY_DELAYS,
        attempt_timeout: float = 5.0,
        key: str | None = None,
    ) -> None:
        """`url` is the address at which `app` is served; `external`, whether it may deliver to other machines."""
        self.url = url
        self.key = key or make_key(random.SystemRandom().randbytes)
        """The operator's API key."""
        self._external = external
        self._retry_delays = retry_delays
        self._attempt_timeout = attempt_timeout
        self._resetting = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.aclose()

    def app(self, head: Head, body: ArrivingBody) -> Steps:
        """The gateway's application. Its answers name the gateway that gave them."""
        run = self._run
        answer = yield from self._gateway.answer(head, body)
        return replace(answer, headers=[*answer.headers, (RUN_HEADER, run)])

    async def reset(self) -> None:
        """Forget every document, event, subscription and delivery."""
        async with self._resetting:
            before = self._opened
            await self._begin()
            await before.aclose()

    async def trigger(self, asked: Trigger) -> dict[str, Any]:
        """Make an event happen. Returns its id and its document's; raises PassedOn."""
        now = wall_clock()
        external_id = event_id(now, random.getrandbits(62))
        path = f"/v1/documents/{external_id}"
        for step in scenario(asked.event_type, asked.set, now):
            await self._client.call(step.method, path, body=step.snapshot)
        query = {"externalId": external_id, "eventType": asked.event_type}
        newest = (await self._client.call("GET", "/v1/events", query)).content["data"][-1]
        return {"externalId": external_id, "eventId": newest["event"]["id"], "sequence": newest["sequence"]}

    async def expect(self, expected: Expectation) -> list[Delivery]:
        """The expected deliveries, once they have arrived. Raises Conflict if they do not come in time, or if more come
        than were expected."""
        until = time.monotonic() + expected.within_seconds
        if expected.count == 0:
            await self.settle(Settling(within_seconds=expected.within_seconds))
        while not _met(expected, found := await self._deliveries(expected)):
            if time.monotonic() >= until or (expected.count is not None and len(found) > expected.count):
                raise Conflict("expectation_not_met", await self._why_not(expected, found), deliveries=found)
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def settle(self, asked: Settling) -> None:
        """Wait until every event was delivered or given up, at every subscription that is active. Raises Conflict."""
        until = time.monotonic() + asked.within_seconds
        while busy := await self._busy():
            if time.monotonic() >= until:
                raise Conflict("not_settled", f"These subscriptions still have something to send: {', '.join(busy)}.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _begin(self) -> None:
        """Start an empty gateway, and have it answer from now on."""
        async with AsyncExitStack() as opened:
            folder = Path(tempfile.mkdtemp(prefix="signalpost-emulator-"))
            opened.callback(shutil.rmtree, folder, ignore_errors=True)
            gateway = Gateway(
                Settings(
                    data_dir=folder,
                    operator_key=self.key,
                    public_url=self.url,
                    allow_targets=EVERYWHERE if self._external else THIS_MACHINE,
                    deny_targets=() if self._external else ELSEWHERE,
                    retry_delays=self._retry_delays,
                    attempt_timeout=self._attempt_timeout,
                    disk_reserve_mb=DISK_RESERVE_MB,
                )
            )
            await opened.enter_async_context(gateway)
            self._gateway, self._client = gateway, InnerClient(gateway.app, self.key)
            self._run = secrets.token_hex(8)
            self._opened = opened.pop_all()

    async def _deliveries(self, expected: Expectation) -> list[Delivery]:
        query = {
            "status": expected.status, "eventId": expected.event_id, "eventType": expected.event_type,
            "externalId": expected.external_id, "subscriptionId": expected.subscription_id, "limit": PAGE,
        }  # fmt: skip
        found, cursor = list[Delivery](), None
        while True:
            page = (await self._client.call("GET", "/v1/deliveries", {**query, "cursor": cursor})).content
            found += page["data"]
            cursor = page["next"]
            if cursor is None:
                return found

    async def _busy(self) -> list[str]:
        query = {"limit": PAGE}
        subscriptions = (await self._client.call("GET", "/v1/subscriptions", query)).content["data"]
        return [
            each["name"]
            for each in subscriptions
            if each["status"] == "active" and (each["health"]["lag"] or each["health"]["waiting"])
        ]

    async def _why_not(self, expected: Expectation, found: list[Delivery]) -> str:
        wanted = "at least one" if expected.count is None else str(expected.count)
        others = (await self._client.call("GET", "/v1/deliveries", {"limit": 5})).content["data"]
        newest = "; ".join(f"{each['eventType']} {each['status']}: {each['cause']['detail']}" for each in others)
        return (
            f"Expected {wanted} {expected.status} within {expected.within_seconds:g} s, found {len(found)}. "
            f"The newest deliveries of any kind: {newest or 'none'}"
        )


def _met(expected: Expectation, found: list[Delivery]) -> bool:
    return bool(found) if expected.count is None else len(found) == expected.count
