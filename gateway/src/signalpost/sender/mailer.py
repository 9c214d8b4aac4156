"""Hands mail to mail servers, each over a connection of its own, to an address that the guard allows.

A mail is delivered once its server has accepted it; what happens on the connection from there on changes nothing. If
the server accepts it for some of the recipients, it is not sent again for the sake of the others.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from signalpost.domain.delivery.outcome import Failure, Outcome
from signalpost.domain.request import OutgoingMail
from signalpost.runtime.logger import log
from signalpost.sender.dialer import vetted
from signalpost.sender.resolver import Resolve
from signalpost.sender.sender import SenderSettings
from signalpost.sender.tls_context import tls_context
from signalpost.sender.ways import DialFailed

HANGUP_SECONDS = 0.01
"""Seconds that `close` gives connections that were just dropped."""
_CUT = Outcome(failure=Failure.INTERRUPTED, detail="Signalpost was shut down before the mail server accepted the mail.")


class Mailer:
    """A `MailTransport` on the network. Belongs to one event loop."""

    def __init__(
        self,
        settings: SenderSettings,
        *,
        wall: Callable[[], int],
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wall` is µs since the epoch."""
        self._settings = settings
        self._wall = wall
        self._clock = clock
        self._names = settings.names(resolve, clock)
        self._way = settings.way(self._names)
        self._context: ssl.SSLContext | None = None
        self._running: set[asyncio.Task[Outcome]] = set()
        self._is_closing = False

    async def send_mail(self, mail: OutgoingMail) -> Outcome:
        """See `MailTransport`."""
        if self._is_closing:
            return _CUT
        running = asyncio.create_task(self._outcome(mail))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        await asyncio.wait([running])
        return _CUT if running.cancelled() else running.result()

    async def close(self, grace: float) -> None:
        """See `Transport.close`."""
        self._is_closing = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=grace)
            for each in late:
                each.cancel()
            if late:
                await asyncio.wait(late)
        await asyncio.sleep(HANGUP_SECONDS)
        await self._names.close()

    async def _outcome(self, mail: OutgoingMail) -> Outcome:
        # Imported here, because a gateway that sends no mail need not have the package that this needs.
        from signalpost.sender.mail_conversation import MailConversation

        started_at, began = self._wall(), self._clock()
        conversation = MailConversation(mail)
        try:
            async with asyncio.timeout(mail.seconds):
                addresses = await vetted(mail.target, mail.holder, self._settings.guard, self._names)
                raw = await self._way.open(addresses, mail.target.port)
                outcome = await conversation.hold(raw, self._tls_context())
            elapsed_us = self._since(began)
            with suppress(asyncio.CancelledError):  # by `close`: the server has the mail all the same
                await conversation.take_leave()
            return replace(outcome, started_at=started_at, elapsed_us=elapsed_us)
        except TimeoutError:
            failed = DialFailed(Failure.TIMEOUT, f"{conversation.unanswered} within {mail.seconds:g} s.")
        except DialFailed as error:
            failed = error
        except Exception:
            log.exception("a mail was not sent because of an unexpected error")
            failed = DialFailed(Failure.PROTOCOL, "The mail server's answers cannot be understood.")
        finally:
            conversation.abort()
        return Outcome(
            failure=failed.failure,
            detail=failed.detail,
            started_at=started_at,
            elapsed_us=self._since(began),
            trace=conversation.trace,
        )

    def _since(self, began: float) -> int:
        return int((self._clock() - began) * 1e6)

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = tls_context(self._settings.ca_file)
        return self._context
