"""Makes the requests of the local tools: one at a time or many, through the gateway's own sender.

Only this machine is called, unless the person who runs the tool says otherwise. So a typing error in a URL, or one that
was copied from production, sends no forged or invented event to another company.

Other machines are called through `SIGNALPOST_EGRESS_PROXY` if it is set, as a gateway does. This machine never is: a
proxy on another one could not reach it.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.endpoint import parse_url
from signalpost.domain.errors import SignalpostError, StartError
from signalpost.domain.request import OutgoingRequest, Target
from signalpost.runtime.clock import wall_clock
from signalpost.sender.addresses import (
    ELSEWHERE,
    EVERYWHERE,
    THIS_MACHINE,
    Address,
    Guard,
    addresses_refusal,
    literal,
    target_refusal,
)
from signalpost.sender.egress_proxy import EgressProxy, parse_egress_proxy
from signalpost.sender.resolver import Names, Resolve, SystemResolver, addresses_of
from signalpost.sender.sender import Sender, SenderSettings
from signalpost.sender.transport import answered

ATTEMPT_TIMEOUT = 5.0
"""Seconds that an attempt has, as in a gateway (C15)."""


class NotLocal(SignalpostError):
    """The URL leads away from this machine, and no option allows that."""


class Poster:
    """Sends requests from this machine. Enter it as an async context manager."""

    def __init__(
        self, *, external: bool, attempt_timeout: float = ATTEMPT_TIMEOUT, resolve: Resolve | None = None
    ) -> None:
        """`external`: whether other machines may be called, too. Raises StartError for a proxy that cannot be read."""
        self._resolve = resolve or SystemResolver()
        self._guard = Guard(EVERYWHERE) if external else Guard(THIS_MACHINE, ELSEWHERE)
        self._attempt_timeout = attempt_timeout
        self._proxy = _proxy() if external else None

    async def __aenter__(self) -> Self:
        self._straight = self._sender(None)
        self._outside = self._straight if self._proxy is None else self._sender(self._proxy)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._straight.close(0)
        if self._outside is not self._straight:
            await self._outside.close(0)

    def _sender(self, proxy: EgressProxy | None) -> Sender:
        ca_file = os.environ.get("SIGNALPOST_CA_FILE")
        settings = SenderSettings(
            attempt_timeout=self._attempt_timeout,
            guard=self._guard,
            proxy=proxy,
            ca_file=Path(ca_file) if ca_file else None,
        )
        return Sender(
            settings,
            loop=asyncio.get_running_loop(),
            wall=wall_clock,
            resolve=self._resolve,
        )

    async def check(self, url: str) -> None:
        """Raises NotLocal for a URL that leads to another machine now, and Bad for one that cannot be read. Where it
        leads is looked at again whenever it is called."""
        target = parse_url(url).target
        if target_refusal(target, self._guard) or addresses_refusal(target, await self._addresses(target), self._guard):
            raise NotLocal(f"{url} is not on this machine. If you mean it, add --allow-external.")

    async def _addresses(self, target: Target) -> Sequence[Address]:
        """The host's addresses; none if there are none yet, or if a proxy looks them up."""
        if self._proxy is not None:
            return ()
        names = Names(self._resolve, kept_seconds=0, clock=time.monotonic)
        try:
            return await addresses_of(names, target.host, target.port)
        except OSError:
            return ()
        finally:
            await names.close()

    async def post(self, request: OutgoingRequest) -> Outcome:
        """Make one request, and wait for its outcome."""
        return await answered(self._straight if _is_here(request.target.host) else self._outside, request)


def _proxy() -> EgressProxy | None:
    text = os.environ.get("SIGNALPOST_EGRESS_PROXY")
    try:
        return parse_egress_proxy(text) if text else None
    except ValueError as error:
        raise StartError(f"SIGNALPOST_EGRESS_PROXY {error}") from None


def _is_here(host: str) -> bool:
    """Whether a host is this machine, by what it is called."""
    address = literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def why_not(outcome: Outcome) -> str:
    """A sentence why an attempt delivered nothing, and what to do if it was refused here."""
    hint = " If you mean it, add --allow-external." if outcome.failure is Failure.ADDRESS_REFUSED else ""
    return f"{outcome.detail or outcome.failure}{hint}"
