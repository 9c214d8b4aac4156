"""A mail server for tests: aiosmtpd with a certificate of trustme's, on a thread of its own.

It keeps the mails that it took. What it answers to a command can be set; without that it takes everything from a client
that signs in."""

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, NamedTuple, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER = "signalpost@example.com"
PASSWORD = "p4ss-w0rd-0123456789"  # of this test alone


class TakenMail(NamedTuple):
    sender: str
    recipients: list[str]
    user: str | None
    """Who signed in; None if no client did."""
    tls: str
    """The version of TLS under which it came."""
    message: EmailMessage
    raw: bytes


class _Conversation(SMTP):
    """Keeps its socket: a transport that waits for its client's good-bye does not tell of it any more."""

    socket: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.socket = transport.get_extra_info("socket")
        super().connection_made(transport)


class MailServer:
    """Listens from its start until its end. `scheme` says how it speaks TLS."""

    def __init__(
        self,
        authority: trustme.CA,
        *,
        scheme: str = "smtp",
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        signs_in: bool = True,
    ) -> None:
        self.scheme = scheme
        self.taken: list[TakenMail] = []
        self.answers: dict[str, str] = {}
        """What is answered to `MAIL`, `RCPT`, `DATA`, or to `RCPT` and an address; nothing else is taken."""
        self.sessions = 0
        """How many conversations began."""
        self.password = PASSWORD
        self.port = 0
        self._signs_in = signs_in
        self._conversations: list[_Conversation] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(self._context)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def is_closing(self) -> bool:
        """Whether it is about to close every connection that it has."""
        found = [each.transport for each in self._conversations if isinstance(each.transport, asyncio.Transport)]
        return all(each.is_closing() for each in found)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        tls = self._context if self.scheme == "smtps" else None
        return await self._loop.create_server(self._conversation, "127.0.0.1", 0, ssl=tls)

    async def _end(self) -> None:
        self._server.close()
        sockets = [each.socket for each in self._conversations if each.socket is not None]
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        while any(each.fileno() >= 0 for each in sockets):
            await asyncio.sleep(0.001)

    def _conversation(self) -> SMTP:
        self.sessions += 1
        upgrades = self.scheme == "smtp"
        made = _Conversation(
            self,
            hostname="mail.example.com",
            tls_context=self._context if upgrades else None,
            require_starttls=upgrades,
            auth_require_tls=upgrades,  # aiosmtpd does not see TLS that was there from the start
            authenticator=self._let_in,
            loop=self._loop,
        )
        self._conversations.append(made)
        return made

    # --- What aiosmtpd asks -------------------------------------------------------------------------------------------

    def _let_in(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = (data.login.decode(), data.password.decode()) == (USER, self.password)
        return AuthResult(success=is_right, handled=False, auth_data=data.login.decode())

    async def handle_MAIL(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self._signs_in and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if (answer := self.answers.get("MAIL")) is not None:
            return answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if (answer := self.answers.get(f"RCPT {address}", self.answers.get("RCPT"))) is not None:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if (answer := self.answers.get("DATA")) is not None:
            return answer
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=policy.default)
        assert isinstance(message, EmailMessage)
        tls = server.transport.get_extra_info("ssl_object").version()
        self.taken.append(TakenMail(envelope.mail_from or "", envelope.rcpt_tos, session.auth_data, tls, message, raw))
        return f"250 2.0.0 queued as {len(self.taken)}"
