"""The way from a vetted address to an open TCP connection: straight to it, or through the operator's proxy
(`egress_proxy.py`)."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from typing import Protocol

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.sentence_openings import SentenceOpening
from signalpost.sender.addresses import Address
from signalpost.sender.connection import Stage


class DialFailed(Exception):
    """No connection could be made. Carries the failure's class and a sentence about it."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


class Way(Protocol):
    stage: Stage
    """What an attempt is at while `open` runs."""

    async def open(self, addresses: Sequence[Address], port: int) -> socket.socket:
        """A connection to the first of these addresses that can be reached. Raises DialFailed."""


class Straight:
    """Connects to one address after the other."""

    stage = Stage.CONNECTING

    def __init__(self, seconds: float) -> None:
        """`seconds` is the time limit for each address, so that one that swallows packets leaves time for the next."""
        self._seconds = seconds

    async def open(self, addresses: Sequence[Address], port: int) -> socket.socket:
        failed = DialFailed(Failure.CONNECT, "No connection could be made.")
        for address in addresses:
            try:
                return await self._connect(address, port)
            except TimeoutError:
                failed = DialFailed(Failure.CONNECT, f"No connection was made within {self._seconds:g} s.")
            except OSError as error:
                failed = _failure(error)
        raise failed

    async def _connect(self, address: Address, port: int) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(0)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(self._seconds):
                await asyncio.get_running_loop().sock_connect(raw, (str(address), port))
        except BaseException:
            raw.close()
            raise
        return raw


def reset() -> DialFailed:
    return DialFailed(Failure.RESET, "The endpoint closed the connection before answering.")


def _failure(error: OSError) -> DialFailed:
    match error.errno:
        case errno.ECONNREFUSED:
            detail = f"{SentenceOpening.REFUSED}."
        case errno.ENETUNREACH | errno.EHOSTUNREACH | errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            detail = f"{SentenceOpening.UNREACHABLE} from here."
        case errno.EMFILE | errno.ENFILE | errno.ENOBUFS | errno.ENOMEM:
            detail = f"{SentenceOpening.NO_ROOM}: it is out of memory or file descriptors."
        case errno.ECONNRESET:
            return reset()  # Something accepted it first.
        case _:
            detail = "No connection could be made."
    return DialFailed(Failure.CONNECT, detail)
