"""The page of a test run: the ten cases that a receiver must stand, sent to the endpoint of a subscription."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from signalpost.api.routing.shapes.subscriptions import Subscription, TestRun
from signalpost.console.page import Page, ShownOnce, Visit
from signalpost.console.pages.subscription import need_change, read
from signalpost.domain.access.tenant import OPERATIONS
from signalpost.domain.delivery.receiver_cases import CASES, Case, Verdict


class TestRunView(Struct, frozen=True):
    subscription: Subscription
    has_cases: bool
    """Whether there are cases for it: they are events of documents, sent as webhooks."""
    cases: Sequence[Case] = CASES
    run: TestRun | None = None
    """What was answered, once the cases were sent."""

    @property
    def to_mend(self) -> int:
        return 0 if self.run is None else sum(each.verdict is Verdict.MEND for each in self.run.cases)


async def shown(visit: Visit) -> TestRunView:
    subscription = await read(visit)
    return TestRunView(subscription, has_cases=not subscription.kind and visit.tenant != OPERATIONS)


async def view(visit: Visit) -> TestRunView:
    need_change(visit)
    return await shown(visit)


async def run(visit: Visit) -> ShownOnce:
    before = await shown(visit)
    answered = msgspec.json.decode(await visit.calls.change("run_test_cases", id=visit.params["id"]), type=TestRun)
    return ShownOnce("test_run.html", msgspec.structs.replace(before, run=answered))


PAGES = (
    Page(
        path="/subscriptions/{id}/test-run",
        section="Subscriptions",
        title="Test run",
        template="test_run.html",
        view=view,
        forms={"run": run},
    ),
)
