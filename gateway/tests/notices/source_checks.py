"""The sources of a world of notices: what each says of itself, and what must hold of what people are told of them.

*Telling*: of a source that is in trouble for long, people are told. *Truth*: nothing is told of a source that was heard
and said that it does well. That all is over once they do well again, the other checks say.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

from signalpost.commands.sources import ReportSource
from signalpost.domain.source import BEHIND_FROM, SILENT_AFTER
from signalpost.domain.timestamps import SECOND

if TYPE_CHECKING:
    from gateway.tests.notices.notice_checks import Row
    from gateway.tests.notices.notice_world import Node, NoticeWorld

SAYS_EVERY: Final = 30.0
SILENT: Final = SILENT_AFTER / SECOND
TOLD_WITHIN: Final = 2 * SILENT + 120.0
"""The seconds in which people are surely told, also if the node that looks has just begun to."""
OPENS_WITHIN: Final = 15.0
"""The seconds between what a look read and the row that it wrote."""
KINDS: Final = ("silent", "behind", "dead")


class FeedingSource(NamedTuple):
    id: str
    name: str
    tenant: int


class Trouble(NamedTuple):
    kind: str
    begins: float
    ends: float


class Report(NamedTuple):
    at: float
    is_well: bool


class SourceChecks:
    def __init__(self, world: "NoticeWorld") -> None:
        self._world = world
        self.all: list[FeedingSource] = []
        self._troubles: dict[str, list[Trouble]] = {}
        self._said: dict[str, list[Report]] = {}
        """What each tried to say; it may have been heard although it had no answer."""
        self._heard: dict[str, list[float]] = {}
        """When each had an answer."""

    def begin(self) -> None:
        for number in range(self._world.plan.sources):
            tenant = self._world.tenants[number % len(self._world.tenants)]
            source = FeedingSource(self._world.uuid(9100), f"source-{number}", tenant)
            self.all.append(source)
            self._troubles[source.id], self._said[source.id], self._heard[source.id] = [], [], []

    def draw_troubles(self) -> None:
        """When each source is in which trouble."""
        random, plan, now = self._world.random, self._world.plan, self._world.time.now
        for source in self.all:
            for _ in range(plan.source_troubles):
                begins = now + random.uniform(0.0, plan.lasts)
                lasts = random.choice((45.0, 150.0, 700.0, 2_400.0))
                self._troubles[source.id].append(Trouble(random.choice(KINDS), begins, begins + lasts))

    def look(self) -> None:
        """Have the sources say how they do, every so often, and look whether people were told."""
        now = self._world.time.now
        for source in self.all:
            if source.tenant in self._world.deleted:
                continue
            if now % SAYS_EVERY == 0.0:
                self._say(source, now)
            self._check_telling(source, now)

    def _kinds(self, source: FeedingSource, now: float) -> set[str]:
        if self._world.is_healed:
            return set()
        return {each.kind for each in self._troubles[source.id] if each.begins <= now < each.ends}

    def _say(self, source: FeedingSource, now: float) -> None:
        kinds = self._kinds(source, now)
        if "silent" in kinds:
            return
        report = ReportSource(
            tenant_id=source.tenant,
            source_id=source.id,
            name=source.name,
            oldest_seconds=BEHIND_FROM if "behind" in kinds else 1,
            dead=2 if "dead" in kinds else 0,
        )

        async def work(node: "Node") -> None:
            await node.engine.submit(report)
            self._heard[source.id].append(self._world.time.now)

        self._said[source.id].append(Report(now, not kinds))
        self._world.do(work)

    def _check_telling(self, source: FeedingSource, now: float) -> None:
        began = now - TOLD_WITHIN
        if self._world.troubled_at > began or not self._heard[source.id]:
            return
        is_ill = any(
            each.begins <= began - SAYS_EVERY and now < each.ends
            for each in self._troubles[source.id]
            if not self._world.is_healed
        )
        if is_ill and not self._world.checks.is_open("sourceBehind", source.id):
            self._world.fail("telling", f"{source} is in trouble for long, and nobody is told at {now}")

    def check_truth(self, row: "Row") -> None:
        if row.kind != "sourceBehind":
            return
        heard = [at for at in self._heard[row.subject] if at <= row.opened_at - OPENS_WITHIN]
        last = heard[-1] if heard else 0.0
        is_silent = row.opened_at - last > SILENT - OPENS_WITHIN
        said = [each for each in self._said[row.subject] if last - SAYS_EVERY <= each.at <= row.opened_at]
        if not is_silent and all(each.is_well for each in said):
            self._world.fail("truth", f"{row} opened though the source was heard at {last} and did well")
