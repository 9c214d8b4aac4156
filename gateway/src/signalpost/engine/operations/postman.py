"""The postman tells contacts by mail how subscriptions do, through a connection of the tenant `operations`.

Every ten seconds one node holds what each address knows against the conditions that are open
(`domain/operations/correspondence.py`), and writes to those whose time has come. While there is no connection that can
send mail, it reads and writes nothing: there is no queue that could grow, and the first look afterwards finds what is
so by then.

Mails are no deliveries: an event would keep the address of a customer in the log of another tenant, for longer than the
customer's tenant may live, and would be sent after hours although it is not so any more.
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from signalpost.commands.command import Command, CompletedCommand, Result
from signalpost.commands.correspondence import BeginMail, EndMail
from signalpost.destinations.mail import Letter, Smtp
from signalpost.destinations.rulings import Done, Reject, Ruling
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.connection import Connection
from signalpost.domain.operations.conditions import ConditionRow, Fact
from signalpost.domain.operations.correspondence import (
    KINDS_TOLD,
    Correspondence,
    Knowledge,
    News,
    SubscriptionKey,
    Trouble,
    mail_key,
    news_of,
    subject_of,
    text_of,
    trouble_of,
)
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import SECOND
from signalpost.engine.connectors.connectors import Connectors
from signalpost.engine.connectors.open_connection import OpenConnection
from signalpost.engine.connectors.token_endpoints import Unanswered
from signalpost.engine.connectors.wire import Impossible
from signalpost.engine.counts import Counts
from signalpost.engine.directory import Directory
from signalpost.engine.lanes.lane_views import COUNTED_IN_A_ROW, OF_THE_GATEWAY
from signalpost.engine.maintenance.jobs import Jobs
from signalpost.engine.maintenance.passes import make_pass
from signalpost.engine.operations.gateway_facts import about_gateway
from signalpost.engine.operations.watch import Enqueue
from signalpost.runtime.clock import Clock
from signalpost.runtime.logger import log
from signalpost.sharing.loop_turns import LoopTurns
from signalpost.store.store import Store

EVERY: Final = 10.0
"""Seconds between two looks."""
AT_ONCE: Final = 5
"""How many mails are on their way at a time: a server may take half a minute for each."""
MOST_IN_A_LOOK: Final = 50
"""How many mails are sent before it is looked again what is so."""


_CODE: Final = re.compile(r"\b[2-5][0-9]{2}\b")
RESTS_FOR: Final = 60 * SECOND
"""How long nothing is written after no mail server answered."""


class Addressee(NamedTuple):
    """An address, and what it may have to be told of."""

    contact: str
    """See `ContactIds`."""
    address: str
    """Empty if no subscription has it as a contact any more."""
    of: Sequence[SubscriptionKey]
    """The subscriptions in trouble whose contact it is, and those that were when it was last told of them."""


class Postman:
    def __init__(
        self,
        store: Store,
        directory: Directory,
        connectors: Connectors,
        clock: Clock,
        enqueue: Enqueue,
        turns: LoopTurns,
        counts: Counts,
        links: UnsubscribeLinks,
    ) -> None:
        self._store = store
        self._directory = directory
        self._connectors = connectors
        self._clock = clock
        self._enqueue = enqueue
        self._turns = turns
        self._counts = counts
        self._links = links
        self._jobs = Jobs(store.fleet)
        self._has_job = False
        self._has_rows = True
        """Whether addresses may know of something: it is forgotten with the subscriptions, whether or not mail is
        sent."""
        self._rests_until = 0
        self._looked_at = 0
        """How many conditions, addresses and subscriptions were looked at in all."""
        self._failing_since: int | None = None
        """Since when no mail gets through, µs; None if the last one did, or none is to be sent."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            await make_pass(self.look, "contacts could not be written to; trying again")

    async def look(self) -> None:
        """Write to every address that is to know something else by now. Raises Unavailable."""
        self._has_job = await self._jobs.take("contacts")
        if not self._has_job:
            self._has_rows, self._failing_since = True, None  # another node may write rows, and says how mails fare
            return
        if not self._own_connections():
            self._failing_since = None
        if not self._has_rows and not self._offices():
            return
        found = await self._troubles()
        rows = {row.id: row for row in await self._store.lists.every(Correspondence)}
        concerned = await self._concerned(await self._addressees(found, rows), rows, found)
        self._has_rows = bool(rows or concerned)
        if not concerned and self._offices() and all(row.is_due(self._clock.wall()) for row in rows.values()):
            self._failing_since = None
        for at in range(0, min(len(concerned), MOST_IN_A_LOOK), AT_ONCE):
            some = concerned[at : at + AT_ONCE]
            await asyncio.gather(*(self._see_to(each, rows.get(each.contact), found) for each in some))

    async def _pace(self) -> None:
        """Let others have the event loop after so many things that were looked at."""
        self._looked_at += 1
        if self._looked_at % COUNTED_IN_A_ROW == 0:
            await self._turns.turn(OF_THE_GATEWAY)

    async def _troubles(self) -> dict[SubscriptionKey, Trouble]:
        """The trouble of each subscription that is in any."""
        of: dict[SubscriptionKey, dict[str, ConditionRow]] = {}
        for row in await self._store.lists.every(ConditionRow):
            await self._pace()
            if row.kind in KINDS_TOLD:
                of.setdefault((row.tenant_id, row.subject), {})[row.kind] = row
        found, now = {}, self._clock.wall()
        for key, rows in of.items():
            await self._pace()
            found[key] = trouble_of(rows, now)
        return found

    async def _concerned(
        self,
        addressees: Sequence[Addressee],
        rows: Mapping[str, Correspondence],
        found: Mapping[SubscriptionKey, Trouble],
    ) -> list[Addressee]:
        """The addressees who may get a mail now, and those whose rows say too much."""
        concerned, offices, now = [], self._offices(), self._clock.wall()
        for to in addressees:
            await self._pace()
            row = rows.get(to.contact)
            if row is not None and not row.is_due(now):
                continue
            news, known = await self._news(to, row, found)
            if news:
                is_one = any(self._connectors.post.may_write(each, to.address) for each in offices)
            else:
                is_one = row is not None and (not known or known != row.known)
            if is_one:
                concerned.append(to)
        return concerned

    async def _addressees(
        self, found: Mapping[SubscriptionKey, Trouble], rows: Mapping[str, Correspondence]
    ) -> list[Addressee]:
        """Whom there may be something to tell, and those of whom there is nothing to know any more."""
        known = ((knows.tenant_id, each) for row in rows.values() for each, knows in row.known.items())
        of: dict[str, list[SubscriptionKey]] = {}
        written: dict[str, str] = {}
        unsubscribed = await self._unsubscribed() if found or rows else set()
        for key in dict.fromkeys((*found, *known)):
            await self._pace()
            subscription = self._directory.subscription(*key)
            for address in () if subscription is None else subscription.told_contacts:
                if address.lower() in unsubscribed:
                    continue
                written[address.lower()] = address
                of.setdefault(address.lower(), []).append(key)
        addressees: dict[str, Addressee] = {}
        for small, keys in of.items():
            await self._pace()
            contact = self._links.ids.of(small)
            addressees[contact] = Addressee(contact, written[small], keys)
        return [*addressees.values(), *(Addressee(each, "", ()) for each in rows if each not in addressees)]

    async def _unsubscribed(self) -> set[str]:
        """Who wants no more mail, from whichever subscription of whichever tenant."""
        unsubscribed: set[str] = set()
        for subscription in [each for each in self._directory.all_subscriptions() if each.unsubscribed]:
            await self._pace()
            unsubscribed.update(map(str.lower, subscription.unsubscribed))
        return unsubscribed

    async def _see_to(
        self, to: Addressee, row: Correspondence | None, found: Mapping[SubscriptionKey, Trouble]
    ) -> None:
        news, known = await self._news(to, row, found)
        if not news:
            if row is not None:
                await self._commit(EndMail(contact=to.contact, begun_at=row.begun_at, known=known, was_told=False))
            return
        office = self._office_for(to.address)
        if office is None:
            return
        begun = await self._commit(BeginMail(contact=to.contact, says=_opened(known, row)))
        if begun.row is None:
            return
        news, known = await self._news(to, begun.row, found)
        sent = await self._write(office, to, begun.row, news) if news else True
        if sent is not None:
            after = known if sent else begun.before
            was_told = sent and bool(news)
            await self._commit(EndMail(contact=to.contact, begun_at=begun.row.begun_at, known=after, was_told=was_told))

    async def _news(
        self, to: Addressee, row: Correspondence | None, found: Mapping[SubscriptionKey, Trouble]
    ) -> tuple[list[News], dict[str, Knowledge]]:
        """What an address is to be told, and what it knows then. It may have unsubscribed just now."""
        before = {} if row is None else row.known
        news: list[News] = []
        known: dict[str, Knowledge] = {}
        for key in to.of:
            await self._pace()
            subscription, trouble = self._directory.subscription(*key), found.get(key)
            if subscription is None or to.address.lower() not in map(str.lower, subscription.told_contacts):
                continue
            knows = before.get(subscription.id)
            told = None if knows is None else knows.after(trouble)
            what = news_of(told, trouble, is_paused=self._is_paused(subscription))
            if what is None and knows is not None:
                known[subscription.id] = knows
            if what is None:
                continue
            news.append(News(what, subscription.name, 0 if trouble is None else trouble.since))
            if trouble is not None:
                known[subscription.id] = Knowledge(subscription.tenant_id, what)
        return news, known

    def _is_paused(self, subscription: Subscription) -> bool:
        tenant = self._directory.tenant_with(subscription.tenant_id)
        return subscription.status == "paused" or (tenant is not None and tenant.paused_at is not None)

    # --- What operators are told ------------------------------------------------------------------------------------

    @property
    def kinds(self) -> Collection[str]:
        """See `Source`."""
        return ("contactsNotTold",)

    def sees(self, condition: ConditionRow) -> bool:
        """See `Source`."""
        return self._has_job

    async def facts(self, now: int) -> list[Fact]:
        """See `Source`. A connection that is broken stays so after a restart, too."""
        if not self._has_job:
            return []
        own = self._own_connections()
        broken = [each for each in own if each.state == "broken"]
        if own and len(broken) == len(own):
            return [about_gateway("contactsNotTold", min(each.updated_at for each in broken), broken[0].reason or "")]
        return [] if self._failing_since is None else [about_gateway("contactsNotTold", self._failing_since)]

    # --- Mails --------------------------------------------------------------------------------------------------------

    def _is_off(self) -> bool:
        """Whether operators have paused the tenant through whose connections mail is sent."""
        operations = self._directory.tenant_with(OPERATIONS_TENANT)
        return operations is None or operations.paused_at is not None

    def _own_connections(self) -> list[Connection]:
        """The connections through which operators have mail sent."""
        own = [] if self._is_off() else self._directory.connections(OPERATIONS_TENANT)
        return [each for each in own if each.kind == Smtp.kind]

    def _offices(self) -> list[OpenConnection]:
        if self._is_off() or self._clock.steady() < self._rests_until:
            return []
        return self._connectors.post_offices(OPERATIONS_TENANT)

    def _office_for(self, address: str) -> OpenConnection | None:
        """The oldest connection that lets an address have mail."""
        return next((each for each in self._offices() if self._connectors.post.may_write(each, address)), None)

    async def _write(
        self, office: OpenConnection, to: Addressee, row: Correspondence, news: Sequence[News]
    ) -> bool | None:
        """Send one mail. Returns whether its news are told, or refused for good; None if that is not known."""
        link = self._links.link(row.id, self._clock.wall())
        letter = Letter(
            to=to.address,
            subject=subject_of(news),
            text=text_of(news, link),
            key=mail_key(row, text_of(news, "")),
            unsubscribe=link,
        )
        try:
            ruling = await self._connectors.post.write(office, letter)
        except Unanswered as error:
            self._rests_until = self._clock.steady() + RESTS_FOR
            self._failed(to, office.secrets.strike(str(error)))
            return None
        except Impossible as error:
            return self._failed(to, office.secrets.strike(str(error)))
        match ruling:
            case Done():
                self._counts.contact_mails["sent"] += 1
                self._failing_since = None
                return True
            case Reject(code=code):  # what else the server said may name the address
                self._counts.contact_mails["refused"] += 1
                log.warning("the mail server refuses a mail to a contact", code=code, subscription=to.of[0][1])
                return True
        return self._failed(to, f"the server said {_code(ruling)}")

    def _failed(self, to: Addressee, why: str) -> bool:
        self._counts.contact_mails["failed"] += 1
        self._failing_since = self._failing_since or self._clock.wall()
        log.warning("a mail to a contact was not sent; trying again", error=why, subscription=to.of[0][1])
        return False

    async def _commit(self, command: Command[Result]) -> Result:
        outcome = await (await self._enqueue(command))
        assert isinstance(outcome, CompletedCommand)  # it has no Idempotency-Key
        result: Result = outcome.result
        return result


def _opened(known: Mapping[str, Knowledge], row: Correspondence | None) -> dict[str, Knowledge]:
    """What of this an address does not know yet."""
    before = {} if row is None else row.known
    return {each: knows for each, knows in known.items() if before.get(each) != knows}


def _code(ruling: Ruling) -> str:
    """The code of a server's words. What else they say may name the address."""
    found = _CODE.search(getattr(ruling, "detail", ""))
    return "nothing that is a code" if found is None else found[0]
