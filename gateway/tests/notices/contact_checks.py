"""What must hold of the mails to contacts, whatever goes wrong.

*Apart*: an address gets at most one mail in fifteen minutes. *Once*: of a subscription it reads each thing once in a
row, and of an end only after a beginning; if a node was lost around a mail, the next may repeat it. *Unsubscribed*: who
wants no more mail gets none. *Gone*: no mail names what was deleted. *Closing*: who read that something is wrong reads
that it is over, if the address still is a contact.
"""

import json
from collections import defaultdict
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, NamedTuple

from gateway.tests.world.network import VendorCall

from signalpost.domain.operations.correspondence import OVER, PAUSED, WORDINGS

if TYPE_CHECKING:
    from gateway.tests.notices.notice_world import NoticeWorld

APART = 15 * 60.0
LAG = 60.0
"""The seconds that a mail may take from the commit with which it begins, and a node to hear of what was committed."""
AROUND_LOSS = 120.0
"""What was sent so shortly before a node was lost may be sent again."""
_SAID = {said: what for what, wording in WORDINGS.items() for said in wording.said}


class Line(NamedTuple):
    """A line of a mail, which says something of a subscription."""

    at: float
    what: str


class ContactChecks:
    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world
        self._mails: defaultdict[str, list[float]] = defaultdict(list)
        self._read: defaultdict[tuple[str, str], list[Line]] = defaultdict(list)
        """What each address read of each subscription, by the name of its host."""
        self.unsubscribed: dict[tuple[str, str], float] = {}
        """Since when an address gets no mail about a subscription."""
        self.losses: list[float] = []
        """When a node was lost, or no node reached the database."""

    @property
    def mails(self) -> int:
        return sum(map(len, self._mails.values()))

    def told(self, call: VendorCall) -> None:
        """A mail arrives."""
        mail = message_from_bytes(call.body, policy=policy.default)
        address, now, what = str(mail["to"]), self._world.time.now, ""
        if self._mails[address] and now < self._mails[address][-1] + APART - LAG:
            self._world.fail("apart", f"{address} gets a mail at {now} after one at {self._mails[address][-1]}")
        self._mails[address].append(now)
        for line in mail.get_content().splitlines():
            what = _SAID.get(line, what)
            if line.startswith("- s"):
                self._check_line(address, line.removeprefix("- ").partition(",")[0], Line(now, what))

    def _check_line(self, address: str, host: str, read: Line) -> None:
        before = self._read[address, host]
        self._world.trace(f"{address} reads of {host}: {read.what}")
        if not before and read.what in (OVER, PAUSED) and not self._was_loss_near(read.at):
            self._world.fail("once", f"{address} reads that {host} is {read.what}, and never read that it was not")
        if before and before[-1].what == read.what and not self._was_loss_near(before[-1].at):
            self._world.fail("once", f"{address} reads of {host} twice: {before[-1]} and {read}")
        since = self.unsubscribed.get((address, host))
        if since is not None and read.at > since + LAG:
            self._world.fail("unsubscribed", f"{address} reads of {host} at {read.at}, but unsubscribed at {since}")
        deleted_at = self._world.deleted_at(host)
        if deleted_at is not None and read.at > deleted_at + LAG:
            self._world.fail("gone", f"{address} reads of {host} at {read.at}, which was deleted at {deleted_at}")
        before.append(read)

    def _was_loss_near(self, at: float) -> bool:
        return any(at - AROUND_LOSS <= loss <= at + AROUND_LOSS for loss in self.losses)

    def finished(self) -> None:
        """All is over, and nothing is wrong any more."""
        for (address, host), read in self._read.items():
            is_told = (address, host) not in self.unsubscribed and self._world.deleted_at(host) is None
            if is_told and read[-1].what not in (OVER, PAUSED):
                self._world.fail("closing", f"{address} never reads that {host} works again: {read}")
        rows = [json.loads(known) for (known,) in self._world.rows("SELECT known FROM correspondence")]
        if any(rows):
            self._world.fail("closing", f"it is kept that an address knows of something: {rows}")
