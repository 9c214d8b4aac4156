"""Connects to a target: resolves its name, guards the addresses, opens TCP, then TLS. Each step has its own failure.

The address that is dialled, straight or through the operator's proxy, is one of those that were judged, as a number: no
second look-up can change it in between. The certificate is checked against the target's host name (or against the
address, if the target is one). There is no deadline here but one per TCP connection, so that an address that
swallows packets leaves time for the next; the attempt's own deadline cancels the whole.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import cast

from signalpost.domain.delivery.outcome import Failure
from signalpost.domain.delivery.sentence_openings import SentenceOpening
from signalpost.domain.request import Target
from signalpost.runtime.logger import log
from signalpost.sender.addresses import Address, Guard, addresses_refusal, literal, target_refusal
from signalpost.sender.connection import EndpointConnection, Owner, RunningAttempt, Stage
from signalpost.sender.resolver import LOOKUP_SECONDS, Names, addresses_of
from signalpost.sender.tls_sessions import TlsSessions
from signalpost.sender.ways import DialFailed, Way, reset

MAX_ADDRESSES = 8
"""Maximum number of a host's addresses to try."""


class Dialler:
    """Opens connections to targets, one TCP connection attempt after the other."""

    def __init__(
        self,
        *,
        names: Names,
        guard: Guard,
        sessions: TlsSessions,
        way: Way,
        clock: Callable[[], float],
    ) -> None:
        self._names = names
        self._guard = guard
        self._sessions = sessions
        self._way = way
        self._clock = clock

    async def run_on_new_connection(self, attempt: RunningAttempt, owner: Owner) -> None:
        """Open a connection that starts with this attempt. Records in the attempt how far it has come. Raises
        DialFailed."""
        target = attempt.request.target
        attempt.stage = Stage.RESOLVING
        addresses = await vetted(target, attempt.request.holder, self._guard, self._names)
        attempt.stage_ended[Stage.RESOLVING] = self._clock()
        attempt.stage = self._way.stage
        raw = await self._way.open(addresses, target.port)
        attempt.stage_ended[Stage.CONNECTING] = self._clock()
        attempt.stage = Stage.SECURING
        await self._secure(raw, attempt, owner)

    async def _secure(self, raw: socket.socket, attempt: RunningAttempt, owner: Owner) -> None:
        target = attempt.request.target
        try:
            handshake = self._sessions.handshake(target) if target.scheme == "https" else None
        except ssl.SSLError:
            raw.close()
            detail = "TLS cannot be spoken with the client certificate or the authorities of this subscription."
            raise DialFailed(Failure.TLS_HANDSHAKE, detail) from None
        connection = EndpointConnection(owner, raw, attempt, self._clock, handshake)
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=raw,
                ssl=cast("ssl.SSLContext | None", handshake),
                server_hostname=target.host if handshake else None,
                ssl_shutdown_timeout=1.0 if handshake else None,
            )
        except (OSError, ssl.CertificateError) as error:
            _give_up(connection, owner)
            self._sessions.forget(target)
            raise (tls_failure(error) if handshake else reset()) from None
        except BaseException:
            _give_up(connection, owner)
            raise


async def vetted(target: Target, holder: int, guard: Guard, names: Names) -> Sequence[Address]:
    """The target's addresses, if every one of them may be dialled. Raises DialFailed."""
    if why := target_refusal(target, guard):
        raise DialFailed(Failure.ADDRESS_REFUSED, why)
    if (address := literal(target.host)) is not None:
        return (address,)  # The checks above have covered everything that can be refused about an address.
    try:
        addresses = await addresses_of(names, target.host, target.port, holder)
    except TimeoutError:
        detail = f"{Stage.RESOLVING} within {LOOKUP_SECONDS:g} s."
        raise DialFailed(Failure.TIMEOUT, detail) from None
    except OSError:
        raise DialFailed(Failure.DNS, "The host name could not be resolved.") from None
    if not addresses:
        raise DialFailed(Failure.DNS, f"{SentenceOpening.NO_ADDRESS}.")
    if why := addresses_refusal(target, addresses, guard):
        # The reason names an address inside: that is for the operator, not for the person who chose the host name.
        log.warning("address refused", host=target.host, port=target.port, reason=why)
        raise DialFailed(Failure.ADDRESS_REFUSED, "The host name resolves to an address that is not called.")
    return _interleaved(addresses)[:MAX_ADDRESSES]


def _give_up(connection: EndpointConnection, owner: Owner) -> None:
    """A connection that was not made. asyncio's own loops close its socket, and tell it of its loss if it knew of its
    making. uvloop tells nothing; and it took only the descriptor's number, which it will close: closed by the socket
    too, it could be another connection's by then."""
    if not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        owner.lost(connection)


def _interleaved(addresses: Sequence[Address]) -> list[Address]:
    """The addresses of both families in turn, each in the resolver's order: if one family leads nowhere, the second
    attempt uses the other."""
    first = [address for address in addresses if address.version == addresses[0].version]
    second = [address for address in addresses if address.version != addresses[0].version]
    return [address for address in chain.from_iterable(zip_longest(first, second)) if address is not None]


def tls_failure(error: OSError | ssl.CertificateError) -> DialFailed:
    """What a handshake that failed says of the other side."""
    if isinstance(error, ssl.SSLCertVerificationError):
        match error.verify_code:  # OpenSSL's X509_V_ERR_… numbers
            case 10:
                return DialFailed(Failure.TLS_EXPIRED, "The certificate expired.")
            case 9:
                return DialFailed(Failure.TLS_EXPIRED, f"{SentenceOpening.NOT_YET_VALID}.")
            case 62 | 64:
                return DialFailed(Failure.TLS_HOSTNAME, "The certificate is for another host.")
            case 18:
                return DialFailed(Failure.TLS_UNTRUSTED, f"{SentenceOpening.SELF_SIGNED}.")
        detail = "The certificate's authority is not trusted."
        return DialFailed(Failure.TLS_UNTRUSTED, detail)
    if isinstance(error, ssl.SSLError):
        return DialFailed(Failure.TLS_HANDSHAKE, "TLS could not be agreed on with the endpoint.")
    return DialFailed(Failure.TLS_HANDSHAKE, "The endpoint closed the connection before TLS was agreed on.")
