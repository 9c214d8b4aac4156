"""Hands mails over that are about no event: letters, and those without a recipient that try a connection out."""

from math import ceil

from signalpost.destinations.calls import Mail
from signalpost.destinations.mail import Letter, MailConnection, Smtp
from signalpost.destinations.rulings import Reauthorise, Retry, Ruling, Throttle, by_mail_status
from signalpost.engine.connectors.mail_wire import mail_request_of
from signalpost.engine.connectors.open_connection import OpenConnection, OpenedConnection
from signalpost.engine.connectors.token_endpoints import Unanswered
from signalpost.runtime.clock import Clock
from signalpost.sender.transport import MailTransport


class PostOffice:
    def __init__(self, mailer: MailTransport, clock: Clock) -> None:
        self._mailer = mailer
        self._clock = clock

    def is_open(self, through: OpenConnection) -> bool:
        """Whether letters can be sent through a connection now."""
        now = self._clock.steady()
        if _mail_of(through) is None or through.trouble is not None or through.connection.state != "ready":
            return False
        return through.ready_at(now, through.pace_of()) <= now

    def may_write(self, through: OpenConnection, address: str) -> bool:
        """Whether a connection lets an address have mail."""
        found = _mail_of(through)
        return found is not None and found[0].may_write(found[1], address)

    async def write(self, through: OpenConnection, letter: Letter) -> Ruling:
        """Send a letter through a connection that is open, as fast as its kind lets letters follow one another. What
        the server says of the connection itself is noted, as after a delivery. Raises Impossible, Unanswered."""
        as_read, found = through.opened, _mail_of(through)
        if as_read is None or found is None:
            return Retry("The connection changed just now.")
        kind, holds = found
        mail, authorization = kind.written(holds, letter), through.tokens.authorization
        await through.pace_of().further_call()
        ruling = await self.hand_over(through, as_read, mail)
        if isinstance(ruling, Reauthorise):
            through.tokens.refuse(authorization, ruling.detail)
        else:
            through.tokens.note_accepted(authorization)
        if isinstance(ruling, Throttle):
            through.hold(ceil(ruling.after))
        return ruling

    async def hand_over(self, through: OpenConnection, as_read: OpenedConnection, mail: Mail) -> Ruling:
        """What the server says to a mail. Raises Impossible, Unanswered."""
        through.pace_of().note_call()
        tenant_id, now = through.connection.tenant_id, self._clock.wall()
        outcome = await self._mailer.send_mail(
            mail_request_of(mail, as_read.origins, as_read.kind.seconds, tenant_id, now)
        )
        if outcome.status is None:
            raise Unanswered(outcome.detail)
        return by_mail_status(outcome.status, outcome.detail)


def _mail_of(through: OpenConnection) -> tuple[Smtp, MailConnection] | None:
    """The kind of a connection of mail, and what it holds; None for any other, and while it cannot be used."""
    as_read = through.opened
    if as_read is None or not isinstance(as_read.kind, Smtp) or not isinstance(as_read.holds, MailConnection):
        return None
    return as_read.kind, as_read.holds
