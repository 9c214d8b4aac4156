"""Does it bite? Faults planted into what people are told, one at a time. The worlds of notices must find each, by what
is told and by what is kept. `make planted-notices` tells after how many seeds each was found, and by which rule."""

import sys
from pathlib import Path
from random import Random
from typing import Any

from gateway.tests.notices.notice_world import simulate
from gateway.tests.notices.plan import HOUR, NoticePlan, draw
from gateway.tests.notices.week import THE_WEEK, check_few
from gateway.tests.simulation.planting import Faults
from msgspec.structs import replace

from signalpost.commands import notices as commands
from signalpost.commands.command import Decision
from signalpost.commands.correspondence import BeginMail, EndMail, MailBegun
from signalpost.commands.notices import ConditionKept, FollowCondition, WriteNotice
from signalpost.domain.operations import conditions
from signalpost.domain.operations.conditions import ConditionRow
from signalpost.domain.operations.correspondence import Correspondence
from signalpost.domain.subscription import Subscription
from signalpost.domain.timestamps import DAY, format_timestamp
from signalpost.engine.operations import gateway_facts, lane_facts, postman
from signalpost.engine.operations.lane_facts import LaneFacts
from signalpost.engine.operations.source_facts import SourceFacts

AN_AFTERNOON = THE_WEEK._replace(
    subscriptions=40, dead=2, flapping=16, flaps_for=HOUR, lasts=3 * HOUR, blips=1, writes_every=120.0,
    writes_while_flapping=120.0,
)  # fmt: skip
"""The week, cut down to three hours and forty subscriptions."""


def plan_of(seed: int) -> NoticePlan:
    return draw(seed)._replace(lasts=HOUR)


def live(seed: int, folder: Path) -> None:
    simulate(seed, folder, plan_of(seed))


def live_an_afternoon(seed: int, folder: Path) -> None:
    """In which a provider of many comes and goes, and few notices may be written."""
    check_few(simulate(seed, folder, AN_AFTERNOON))


def live_with_much_to_tell(seed: int, folder: Path) -> None:
    """With endpoints that are dead and others that come and go, nodes that end, and notices that are muted."""
    plan = plan_of(seed)._replace(dead=2, flapping=2, up=(300.0, 700.0), kills=2, mutes=2, deletions=1)
    simulate(seed, folder, plan)


def live_with_contacts(seed: int, folder: Path) -> None:
    """For so long that contacts hear of dead endpoints."""
    plan = draw(seed, Random(seed).choice((1, 3)))._replace(
        tenants=2, subscriptions=9, dead=4, lasts=2 * HOUR, flaps_for=HOUR / 2, writes_every=300.0,
        writes_while_flapping=300.0, kills=3, deletions=1, changes=2, unsubscribes=2, work_seconds=0.002,
    )  # fmt: skip
    simulate(seed, folder, plan)


def live_with_many_changes(seed: int, folder: Path) -> None:
    """In which there is often something else to tell contacts of."""
    plan = draw(seed, 1)._replace(
        tenants=2, subscriptions=9, dead=7, lasts=2 * HOUR, flaps_for=HOUR / 2, writes_every=300.0,
        writes_while_flapping=300.0, kills=0, deletions=0, changes=14, unsubscribes=0, work_seconds=0.002,
    )  # fmt: skip
    simulate(seed, folder, plan)


def live_with_sources(seed: int, folder: Path) -> None:
    """In which sources are silent or behind."""
    simulate(seed, folder, plan_of(seed)._replace(sources=3, source_troubles=4))


def live_with_losses(seed: int, folder: Path) -> None:
    """In which nodes end that had run for long, and others soon after their start."""
    plan = draw(seed)._replace(
        subscriptions=4, lasts=4 * HOUR, kills=6, writes_every=300.0, writes_while_flapping=300.0, work_seconds=0.002
    )
    simulate(seed, folder, plan)


FAULTS = Faults(live, most=30)
fault = FAULTS.fault


# --- Which facts there are --------------------------------------------------------------------------------------------


@fault("tells of what delivers the notices", lane_facts, "OPERATIONS_TENANT", live_with_much_to_tell)
def _(_right: Any) -> Any:
    return -1


@fault("says of what is gone that it may be wrong still", LaneFacts, "sees", live_with_much_to_tell)
def _(right: Any) -> Any:
    def sees(self: Any, condition: Any) -> Any:
        found = self._directory.subscription(condition.tenant_id, condition.subject)
        return found is not None and right(self, condition)

    return sees


@fault("hears of no source that is in trouble", SourceFacts, "_is_at_work", live_with_sources)
def _(_right: Any) -> Any:
    return lambda self, tenant_id: False


@fault("tells of a node that had run for long and is back", gateway_facts, "ENDS_SOON", live_with_losses)
def _(_right: Any) -> Any:
    return 10 * DAY


@fault("tells nothing of a node that ends again and again", gateway_facts, "ENDS_SOON", live_with_losses)
def _(_right: Any) -> Any:
    return 0


@fault("writes the moment of a loss as machines do", gateway_facts, "readable", live_with_much_to_tell)
def _(_right: Any) -> Any:
    return format_timestamp


# --- When a condition opens and closes --------------------------------------------------------------------------------


@fault("opens whatever is wrong at once", conditions, "_opens_after", live_an_afternoon)
def _(_right: Any) -> Any:
    return lambda fact, terms: 0


@fault("closes what is away for a moment", ConditionRow, "is_over", live_an_afternoon)
def _(_right: Any) -> Any:
    return lambda self, now: self.absent_since is not None


@fault("forgets to note that what was away is back", FollowCondition, "decide", live_with_much_to_tell)
def _(right: Any) -> Any:
    def decide(self: Any, view: Any, stamp: Any) -> Any:
        if self.fact is None:
            return right(self, view, stamp)
        return Decision(result=ConditionKept(view.row(ConditionRow, self.condition_id, None)))

    return decide


# --- What is told -----------------------------------------------------------------------------------------------------


@fault("never tells that something is over", conditions, "_over", live_with_much_to_tell)
def _(_right: Any) -> Any:
    return lambda rows, now, terms: []


@fault("closes what people know of without a word", WriteNotice, "decide", live_with_much_to_tell)
def _(right: Any) -> Any:
    def decide(self: Any, view: Any, stamp: Any) -> Any:
        decided = right(self, view, stamp)
        if self.telling.what is not conditions.What.CLOSED:
            return decided
        return Decision(result=commands.NoticeWritten(None), rows=decided.rows)

    return decide


@fault("says that nothing is wrong while others of the kind are", WriteNotice, "_known_beside", live_with_much_to_tell)
def _(_right: Any) -> Any:
    return lambda self, view, changed: 0


@fault("reminds of what is muted", ConditionRow, "is_muted", live_with_much_to_tell)
def _(_right: Any) -> Any:
    return lambda self, now: False


@fault("writes one notice for each condition", conditions, "MOST_TOLD", live_an_afternoon)
def _(_right: Any) -> Any:
    return 1


# --- Mails to contacts ------------------------------------------------------------------------------------------------


@fault("writes to who wants no more mail", Subscription, "told_contacts", live_with_contacts)
def _(_right: Any) -> Any:
    return property(lambda self: self.contacts)


@fault("begins a mail soon after another", Correspondence, "is_due", live_with_many_changes)
def _(_right: Any) -> Any:
    return lambda self, now: True


@fault("forgets what an address read", EndMail, "decide", live_with_contacts)
def _(right: Any) -> Any:
    return lambda self, view, stamp: right(replace(self, known={}), view, stamp)


@fault("does not note that a mail may be on its way", BeginMail, "decide", live_with_contacts)
def _(right: Any) -> Any:
    def decide(self: Any, view: Any, stamp: Any) -> Any:
        decided = right(self, view, stamp)
        row = decided.result.row
        return decided if row is None else Decision(result=MailBegun(row, decided.result.before))

    return decide


@fault("never writes that something is over", postman, "news_of", live_with_contacts)
def _(right: Any) -> Any:
    return lambda told, trouble, is_paused: None if trouble is None else right(told, trouble, is_paused=is_paused)


if __name__ == "__main__":
    sys.exit(FAULTS.main(__doc__))
