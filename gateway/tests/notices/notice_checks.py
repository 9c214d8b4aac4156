"""What must hold of what people are told, whatever goes wrong.

*Closing*: each condition that is told to have opened is told to have closed, once, and only then to have opened again.
*Truth*: no one is told that an endpoint fails that took something meanwhile. *Telling*: of one that fails for long,
people are told. *Sentences*: moments are written as people write them. Of sources and nodes that were lost, see
`source_checks.py` and `loss_checks.py`.
*Delivery*: each notice arrives, those of a kind in order. *Deletion*: of a deleted tenant only that it is over is told.
*Muting*: no one is reminded of what is muted. *Loops*: nothing is told of the subscriptions of `operations`.
"""

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.tests.world.network import SentRequest
from gateway.tests.world.virtual_time import BEGINNING

from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.operations.kinds import KINDS, About
from signalpost.domain.timestamps import SECOND
from signalpost.store.sqlite.codec import unpack_uuid

if TYPE_CHECKING:
    from gateway.tests.notices.notice_world import Client, NoticeWorld

RECORDED_WITHIN = 3.0
"""The seconds in which a node surely records an outcome, or tells another one what was committed."""
TOLD_AFTER = 120.0
"""How long an endpoint must fail."""
SEEN_WITHIN = 120.0
"""The seconds in which what is so is surely seen, also if its lane has just got another owner."""
_TOLD_OF_FAILING = ("subscriptionFailing", "subscriptionDisabled")
"""What is open of an endpoint that fails: after days its subscription is disabled, and fails no more."""
_TIMESTAMP = re.compile(r"\d\dT\d\d:")


class Row(NamedTuple):
    """The row of a condition."""

    id: bytes
    kind: str
    tenant: int
    subject: str
    since: float
    opened_at: float
    told_at: int | None
    muted_until: float

    def is_muted(self, now: float) -> bool:
        return self.muted_until > now


class LoggedNotice(NamedTuple):
    """A notice in the log."""

    id: str
    at: float
    what: str
    kind: str
    told_of: int
    """How many conditions it tells of."""
    subjects: list[dict[str, Any]]
    action: str
    sentence: str


def seconds_of(at: int | None) -> float:
    """A wall clock's time as virtual time; 0 for none."""
    return 0.0 if at is None else (at - BEGINNING) / SECOND


class Checks:
    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world
        self._before: dict[bytes, Row] = {}
        self._seen_commit = 0
        """The commit after which the rows were last looked at: without another one they are the same."""
        self._arrived: dict[str, None] = {}
        """The ids of notices in the order in which they were sent first."""
        self.notices: list[LoggedNotice] = []
        """Once all is over, what was told, the oldest first."""

    # --- While it goes on ---------------------------------------------------------------------------------------------

    def told(self, sent: SentRequest) -> None:
        """A notice is on its way."""
        self._arrived.setdefault(sent.event_id)

    def look(self) -> None:
        """Look at the conditions that are kept."""
        now, [(commit,)] = self._world.time.now, self._world.rows("PRAGMA data_version")
        if commit != self._seen_commit:
            self._seen_commit = commit
            self._look_at_rows(now)
        told = {row.subject for row in self._before.values() if row.kind in _TOLD_OF_FAILING}
        for client in self._world.clients:
            if client.host in self._world.failing and client.id not in told:
                self._check_telling(client, now)

    def is_open(self, kind: str, subject: str) -> bool:
        """Whether there was such a condition at the last look."""
        return any((row.kind, row.subject) == (kind, subject) for row in self._before.values())

    def has_open(self, kind: str) -> bool:
        """Whether there was a condition of a kind at the last look."""
        return any(row.kind == kind for row in self._before.values())

    def _look_at_rows(self, now: float) -> None:
        rows = self._rows()
        for row in rows.values():
            self._check_row(row, now)
            before = self._before.get(row.id)
            if before is None or before.opened_at != row.opened_at:
                self._world.trace(f"opened: {row.kind} {row.subject}")
                self._check_truth(row)
                self._world.sources.check_truth(row)
                self._world.losses.check_truth(row)
            elif before.is_muted(now) and row.is_muted(now) and row.told_at not in (before.told_at, 0):
                self._world.fail("muting", f"{row} was told again though it is muted")
        for row in self._before.values():
            if row.id not in rows:
                self._world.trace(f"closed: {row.kind} {row.subject}")
        self._before = rows

    def _rows(self) -> dict[bytes, Row]:
        found = self._world.rows(
            "SELECT id, kind, tenant_id, subject, since, opened_at, told_at, muted_until FROM condition"
        )
        return {
            identity: Row(
                identity,
                kind,
                tenant,
                subject,
                seconds_of(since),
                seconds_of(opened_at),
                told_at,
                seconds_of(muted_until),
            )
            for identity, kind, tenant, subject, since, opened_at, told_at, muted_until in found
        }

    def _check_row(self, row: Row, now: float) -> None:
        if row.tenant in self._world.deleted:
            self._world.fail("deletion", f"{row} is kept though its tenant was deleted")
        is_of_operations = row.tenant == OPERATIONS_TENANT and KINDS[row.kind].about is About.SUBSCRIPTION
        if is_of_operations and all(row.subject != client.id for client in self._world.clients):
            self._world.fail("loops", f"{row} is about a subscription to notices")

    def _check_truth(self, row: Row) -> None:
        if row.kind != "subscriptionFailing":
            return
        client = next(each for each in self._world.clients if each.id == row.subject)
        taken = [
            at
            for at, ok, process in self._world.answers.get(client.host, ())
            if ok and row.since < at < row.opened_at - RECORDED_WITHIN and self._was_recorded(at, process)
        ]
        if taken:
            self._world.fail("truth", f"{row} opened though {client.host} took something at {taken}")

    def _check_telling(self, client: "Client", now: float) -> None:
        world = self._world
        if client.host in world.gone or now < world.troubled_at + SEEN_WITHIN:
            return
        since = next((at for at, process in world.failing[client.host] if self._was_recorded(at, process)), now)
        if now >= since + TOLD_AFTER + SEEN_WITHIN:
            world.fail("telling", f"{client.host} fails since {since}, and nobody is told at {now}")

    def _was_recorded(self, at: float, process: int) -> bool:
        return self._world.ended_at.get(process, float("inf")) > at + RECORDED_WITHIN

    # --- At the end ---------------------------------------------------------------------------------------------------

    def finished(self) -> None:
        """All is over: hold what is in the log against what may be there."""
        rows = self._world.rows(
            "SELECT id, at, body FROM event WHERE tenant_id = ? ORDER BY sequence", OPERATIONS_TENANT
        )
        for identity, at, body in rows:
            notice = json.loads(body)["data"]["notice"]
            members = (notice[name] for name in ("what", "kind", "count", "subjects", "action", "sentence"))
            self.notices.append(LoggedNotice(unpack_uuid(identity), seconds_of(at), *members))
        self._check_delivery()
        self._check_closing()
        self._check_deletion()
        self._check_sentences()

    def _check_delivery(self) -> None:
        missing = [each for each in self.notices if each.id not in self._arrived]
        if missing:
            self._world.fail("delivery", f"never sent: {missing}")
        place = {identity: place for place, identity in enumerate(self._arrived)}
        for kind in KINDS:
            sent = [place.get(each.id, -1) for each in self.notices if each.kind == kind]
            if sent != sorted(sent):
                self._world.fail("delivery", f"notices of {kind} were sent in another order: {sent}")

    def _check_closing(self) -> None:
        """A notice names twenty; of more only the count is known, until none of the kind is open."""
        balance: Counter[str] = Counter()
        named: dict[str, set[str] | None] = {}
        for each in self.notices:
            balance[each.kind] += each.told_of * {"opened": 1, "still": 0, "closed": -1}[each.what]
            if balance[each.kind] < 0:
                self._world.fail("closing", f"more closed than had opened: {each}")
            if each.action == "resolve" and balance[each.kind]:
                self._world.fail("closing", f"{balance[each.kind]} are open though this one says that none is: {each}")
            after = self._named_after(each, named.get(each.kind, set()))
            named[each.kind] = after if balance[each.kind] else set()
        if left := {kind: named[kind] for kind, count in balance.items() if count}:
            self._world.fail("closing", f"never told that these are over: {left}")

    def _named_after(self, told: LoggedNotice, before: set[str] | None) -> set[str] | None:
        """Which of a kind are open after a notice, if that can be known."""
        if before is None or told.told_of != len(told.subjects):
            return before if told.what == "still" else None
        subjects = {subject["id"] for subject in told.subjects}
        if wrong := subjects & before if told.what == "opened" else subjects - before:
            self._world.fail("closing", f"{wrong} cannot be {told.what} now: {told}")
        return {"opened": before | subjects, "still": before, "closed": before - subjects}[told.what]

    def _check_deletion(self) -> None:
        of = {each.id: each.tenant for each in self._world.clients}
        of |= {each.id: each.tenant for each in self._world.sources.all}
        for each in self.notices:
            for subject in each.subjects:
                deleted_at = self._world.deleted.get(of.get(subject["id"], 0))
                if deleted_at is not None and each.what != "closed" and each.at > deleted_at + RECORDED_WITHIN:
                    self._world.fail("deletion", f"told of what was deleted at {deleted_at}: {each}")

    def _check_sentences(self) -> None:
        for each in self.notices:
            if _TIMESTAMP.search(each.sentence):
                self._world.fail("sentences", f"a moment is written as machines do: {each}")
