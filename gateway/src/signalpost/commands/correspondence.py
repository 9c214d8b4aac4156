"""Commands that keep what the contacts of subscriptions were told, and that have an address get no more mail. The
gateway gives them itself, but for the last.

A mail begins with a command and ends with another. Of two nodes that would begin the same mail, one does, because each
decides on the row as it is when it is committed. The other command finds that a mail began already.
"""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.commands.command import BaseCommand, BatchView, Decision, Reads, RowKey, Stamp, moved_on
from signalpost.commands.subscriptions import SubscriptionChanged, SubscriptionCommand
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.operations.correspondence import Correspondence, Knowledge
from signalpost.sharing.command_queues import Queue


class MailBegun(Struct, frozen=True):
    """`row` is None if the mail is not to be sent. `before` is what the address knew."""

    row: Correspondence | None
    before: Mapping[str, Knowledge] = {}


class MailEnded(Struct, frozen=True):
    """`row` is None if another mail began meanwhile."""

    row: Correspondence | None


class _OfContacts(BaseCommand, frozen=True, kw_only=True):
    queue: ClassVar[Queue] = Queue.BACKGROUND
    audited_as: ClassVar[str | None] = None
    tenant_id: int = OPERATIONS_TENANT
    contact: str
    """See `ContactIds`."""

    @property
    def reads(self) -> Reads:
        return Reads(rows=(RowKey(Correspondence, self.contact),))

    def _row(self, view: BatchView) -> Correspondence | None:
        return view.row(Correspondence, self.contact, OPERATIONS_TENANT)


class BeginMail(_OfContacts, frozen=True, kw_only=True):
    """From now on a mail may be on its way to an address, which says of some subscriptions that they are in trouble."""

    adds: ClassVar[type[Correspondence]] = Correspondence
    says: Mapping[str, Knowledge]

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MailBegun]:
        found, now = self._row(view), stamp.now
        if found is not None and not found.is_due(now):
            return Decision(result=MailBegun(None))
        before = {} if found is None else found.known
        known = {**before, **{each: self._said(said, before.get(each)) for each, said in self.says.items()}}
        if found is None:
            number = view.next_number(Correspondence)
            begun = Correspondence(
                number=number, id=self.contact, tenant_id=OPERATIONS_TENANT, opened_at=now, begun_at=now, known=known
            )
        else:
            begun = replace(found, begun_at=now, known=known)
        return Decision(result=MailBegun(begun, before), rows=(begun,))

    def _said(self, said: Knowledge, before: Knowledge | None) -> Knowledge:
        return Knowledge(said.tenant_id, "" if before is None else before.kind, said.kind)


class EndMail(_OfContacts, frozen=True, kw_only=True):
    """An address knows something else from now on: it was told in the mail that began at `begun_at`, or some of what it
    knew is of no concern to it any more. A row that says nothing closes once the next mail may be sent."""

    begun_at: int
    was_told: bool
    known: Mapping[str, Knowledge]

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[MailEnded]:
        found = self._row(view)
        if found is None or found.begun_at != self.begun_at:
            return Decision(result=MailEnded(None))
        ended = replace(
            found,
            known=self.known,
            told_at=self.begun_at if self.was_told else found.told_at,
            closed_at=stamp.now if not self.known and found.is_due(stamp.now) else None,
        )
        return Decision(result=MailEnded(ended), rows=(ended,))


class UnsubscribeContact(SubscriptionCommand, frozen=True, kw_only=True):
    """An address gets no more mail about a subscription. It stays a contact until a caller removes it, so that no file
    that is applied again adds it once more."""

    queue: ClassVar[Queue] = Queue.BACKGROUND
    audited_as: ClassVar[str] = "subscription.unsubscribe-contact"
    address: str

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[SubscriptionChanged]:
        found, address = self._found(view, stamp.now), self.address.lower()
        gone = tuple(each for each in found.contacts if each in found.unsubscribed or each.lower() == address)
        if gone == found.unsubscribed:
            return Decision(result=SubscriptionChanged(found))
        changed = moved_on(replace(found, unsubscribed=gone), stamp.at)
        return Decision(result=SubscriptionChanged(changed), rows=(changed,))
