"""One conversation with a mail server, from the greeting to its last answer, over a connection that was dialled.

    greeting ─▶ EHLO ─▶ STARTTLS ─▶ EHLO ─▶ AUTH ─▶ MAIL ─▶ RCPT … ─▶ DATA
       └── after TLS, for smtps ──────────┘

Nothing that is worth reading is said before TLS stands, with the server's name checked: neither the password nor an
address. The protocol itself is aiosmtplib's, which bounds what a server may answer.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Final, cast

from aiosmtplib import SMTP, SMTPConnectError, SMTPException, SMTPResponseException, SMTPStatus
from msgspec.structs import replace

from signalpost.domain.delivery.exchange import Trace
from signalpost.domain.delivery.outcome import ANSWER_KEPT_BYTES, Failure, Outcome
from signalpost.domain.delivery.sentence_openings import SentenceOpening
from signalpost.domain.request import OutgoingMail
from signalpost.sender.dialer import tls_failure
from signalpost.sender.ways import DialFailed

QUIT_SECONDS: Final = 1.0
"""How long a server has to say good-bye. Nothing depends on it."""
MAX_SAID_CHARACTERS: Final = 300
"""How much of one answer a sentence repeats."""
_UNAVAILABLE: Final = 421
"""The server ends the conversation, whatever was asked."""
_NO_STARTTLS: Final = (
    "The mail server offers no STARTTLS, and without TLS nothing is sent. If it begins with TLS, write smtps:// for it."
)
_NO_SIGN_IN: Final = "The mail server offers neither AUTH PLAIN nor AUTH LOGIN, so the gateway cannot sign in."
_LET_IN: Final = "The mail server accepted the credentials and the sender."


class _Refused(Exception):
    """The server answered with a code that refuses what was asked. The message is a sentence about it."""

    def __init__(self, what: str, code: int, said: str) -> None:
        super().__init__(f"{SentenceOpening.MAIL_REFUSED} {what}: {code} {_shortened(said)}".strip())
        self.code = code
        self.said = said


class MailConversation:
    def __init__(self, mail: OutgoingMail) -> None:
        self._mail = mail
        self._begins_with_tls = mail.target.scheme == "smtps"
        self._smtp = SMTP(
            hostname=mail.target.host,
            use_tls=self._begins_with_tls,
            start_tls=False,
            local_hostname=mail.sender.rpartition("@")[2],
            timeout=None,
        )
        self._asked = ""
        """What the server has yet to answer to; empty until it is connected."""
        self.trace = Trace(request_head=b"")
        """Which address was dialled and which version of TLS was agreed on, if it came to that."""

    @property
    def unanswered(self) -> str:
        """The start of a sentence about a server that takes too long."""
        return f"The mail server did not answer to {self._asked}" if self._asked else "The mail server was not reached"

    async def hold(self, raw: socket.socket, context: ssl.SSLContext) -> Outcome:
        """Hand the mail over. Returns what the server made of it; raises DialFailed if it gave no answer that can be
        understood."""
        with self._asking("the connection"):
            self.trace = replace(self.trace, address=raw.getpeername()[0])
        try:
            return await self._handed_over(raw, context)
        except _Refused as error:
            return Outcome(
                failure=Failure.STATUS,
                status=error.code,
                detail=str(error),
                answer=_kept(error.said),
                trace=self.trace,
            )

    async def take_leave(self) -> None:
        """Say good-bye. Whatever the server answers, or if it says nothing, changes nothing."""
        with contextlib.suppress(SMTPException, OSError):
            await self._smtp.execute_command(b"QUIT", timeout=QUIT_SECONDS)

    def abort(self) -> None:
        """Drop the connection, if it is still there, without waiting for the server."""
        if (transport := self._smtp.transport) is not None:
            cast("asyncio.WriteTransport", transport).abort()

    # --- The steps ----------------------------------------------------------------------------------------------------

    async def _handed_over(self, raw: socket.socket, context: ssl.SSLContext) -> Outcome:
        mail, smtp = self._mail, self._smtp
        await self._secure(raw, context)
        with self._asking("EHLO"):
            await smtp.ehlo()
        if mail.login is not None:
            await self._sign_in(*mail.login)
        with self._asking(f"the sender {mail.sender}"):
            await smtp.mail(mail.sender)
        if not mail.recipients:
            return Outcome(status=SMTPStatus.completed, detail=_LET_IN)
        refused = await self._refused_recipients()
        with self._asking("the message"):
            took = await smtp.data(mail.message)
        said = _readable(took.message)
        told = [f"The mail server took it: {took.code} {_shortened(said)}", *map(str, refused)]
        return Outcome(status=took.code, detail=" ".join(told), answer=_kept(said))

    async def _secure(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        """Come as far as TLS, with the certificate checked against the server's name."""
        smtp = self._smtp
        with self._asking("the TLS handshake" if self._begins_with_tls else "the connection"):
            await smtp.connect(sock=raw, tls_context=context)
        if not self._begins_with_tls:
            with self._asking("EHLO"):
                await smtp.ehlo()
            if not smtp.supports_extension("starttls"):
                raise DialFailed(Failure.TLS_HANDSHAKE, _NO_STARTTLS)
            with self._asking("STARTTLS"):
                await smtp.starttls()
        self.trace = replace(self.trace, tls=smtp.get_transport_info("ssl_object").version())

    async def _sign_in(self, username: str, password: str) -> None:
        methods = self._smtp.server_auth_methods
        with self._asking("the sign-in"):
            if "plain" in methods:
                await self._smtp.auth_plain(username, password)
            elif "login" in methods:
                await self._smtp.auth_login(username, password)
            else:
                raise DialFailed(Failure.PROTOCOL, _NO_SIGN_IN)

    async def _refused_recipients(self) -> list[_Refused]:
        """Name the recipients. Returns what was said of those who are refused; raises it if they are all."""
        refused = []
        for recipient in self._mail.recipients:
            try:
                with self._asking(f"the recipient {recipient}"):
                    await self._smtp.rcpt(recipient)
            except _Refused as error:
                if error.code == _UNAVAILABLE:
                    raise
                refused.append(error)
        if len(refused) == len(self._mail.recipients):
            raise min(refused, key=lambda each: each.code)  # one that may be accepted later decides for all
        return refused

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Whatever ends a step other than as it should, as a refusal or a failure."""
        self._asked = what
        try:
            yield
        except SMTPResponseException as error:
            if not 200 <= error.code < 600:
                raise DialFailed(Failure.PROTOCOL, f"The mail server's answer to {what} is no SMTP.") from None
            raise _Refused(what, error.code, _readable(error.message)) from None
        except SMTPConnectError as error:
            raise (_closed(what) if error.__cause__ is None else _of_handshake(error.__cause__, what)) from None
        except (SMTPException, OSError) as error:
            raise _of_handshake(error.__cause__ or error, what) from None


def _of_handshake(error: BaseException, what: str) -> DialFailed:
    """What an error of a connection says: of TLS, if that was what failed."""
    return tls_failure(error) if isinstance(error, ssl.SSLError | ssl.CertificateError) else _closed(what)


def _closed(what: str) -> DialFailed:
    return DialFailed(Failure.RESET, f"The mail server closed the connection instead of answering to {what}.")


def _readable(said: str) -> str:
    """An answer as a database can keep it: aiosmtplib makes half of a surrogate pair of each byte that is no UTF-8."""
    return said.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def _shortened(said: str) -> str:
    return " ".join(said.split())[:MAX_SAID_CHARACTERS]


def _kept(said: str) -> bytes:
    return said.encode()[:ANSWER_KEPT_BYTES]
