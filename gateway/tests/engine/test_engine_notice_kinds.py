"""Each kind of condition opens with what is wrong, and closes when it is mended: on a gateway at work, as time goes by.

What these sources ask the database is tested on both kinds of it, with the nouns that they ask."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import trustme
from gateway.tests.bodies import subscription_patch
from gateway.tests.engine.scripted_world import DISK_RESERVE_MB, TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import BROKEN, Reply
from gateway.tests.world.virtual_time import VirtualExecutor

from signalpost.commands.keys import CreateKey, RevokeKey
from signalpost.commands.secrets import PromoteSecret, RotateSecret
from signalpost.commands.sources import RemoveSource, ReportSource
from signalpost.commands.subscriptions import PatchSubscription
from signalpost.commands.tenants import ChangeTenant
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.domain.contacts import ContactIds
from signalpost.domain.delivery.breaker import Breaker
from signalpost.domain.errors import Unavailable
from signalpost.domain.operations.kinds import KINDS, Severity
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.domain.timestamps import DAY, SECOND, parse_timestamp
from signalpost.engine.maintenance.disk_reserve import MB
from signalpost.engine.operations.fact_source import FactSource
from signalpost.engine.operations.gateway_facts import AuditFacts, CertificateFacts, PartitionFacts
from signalpost.engine.operations.lane_facts import LaneFacts
from signalpost.engine.operations.reading_facts import ReadingFacts
from signalpost.store.database import LastBackup
from signalpost.store.nouns.lanes import EndpointHealth
from signalpost.store.sqlite import backup_mark

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

HOUR = 3_600.0
CLOSES_WITHIN = 1_500.0
"""Ten minutes after the fact is away, and a look or two."""


@pytest.fixture
def world(world: ScriptedWorld) -> ScriptedWorld:
    world.look_every = 30.0
    return world


def opened(gateway: RunningGateway) -> list[str]:
    return [each.kind for each in gateway.engine.watch.open]


async def until_open(gateway: RunningGateway, *kinds: str, within: float = 600.0) -> None:
    await gateway.until(lambda: sorted(opened(gateway)) == sorted(kinds), within, every=5.0)


async def until_told_to_be_over(gateway: RunningGateway, within: float = CLOSES_WITHIN) -> None:
    await gateway.until(lambda: not opened(gateway), within, every=5.0)


def log_of_notices(world: ScriptedWorld) -> list[dict[str, Any]]:
    rows = world.query("SELECT body FROM event WHERE tenant_id = ? ORDER BY sequence", OPERATIONS_TENANT)
    return [msgspec.json.decode(body)["data"]["notice"] for (body,) in rows]


def notices(world: ScriptedWorld) -> list[tuple[str, str, str]]:
    """What was told: which kind, what of it, and how bad it is."""
    return [(each["kind"], each["what"], each["severity"]) for each in log_of_notices(world)]


def be_known(world: ScriptedWorld, **health: Any) -> None:
    """Have every lane remember this of its endpoint, when it is taken up."""
    world.query("UPDATE lane SET health = ?", msgspec.json.encode(EndpointHealth(**health)))


def test_a_key_that_ends_soon_is_told_until_it_is_revoked(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        ends = gateway.clock.wall() + 10 * DAY
        key = world.uuid("key")
        await gateway.submit(
            CreateKey(
                tenant_id=TENANT, key_id=key, tenant="default", name="CI", role=Role.APP, key="k" * 43, expires_at=ends
            )
        )
        await until_open(gateway, "keyExpiring")
        await asyncio.sleep(120)
        await gateway.submit(RevokeKey(tenant_id=TENANT, key_id=key))
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert notices(world) == [("keyExpiring", "opened", "warning"), ("keyExpiring", "closed", "warning")]


def test_a_notice_writes_moments_as_people_do(world: ScriptedWorld) -> None:
    """A chat or a mail shows the sentence as it is."""

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")

    async def second(gateway: RunningGateway) -> None:
        await until_open(gateway, "certificateExpiring")
        await asyncio.sleep(120)

    world.run(first)
    be_known(world, certificate_ends=parse_timestamp("2025-10-20T09:12:44.120000+00:00"))
    world.run(second)
    [told] = log_of_notices(world)
    assert told["sentence"].endswith(" ends soon. It ends at 2025-10-20 09:12 UTC.")


def test_a_rotation_that_ends_soon_is_told_until_it_is_over(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        rotate = RotateSecret(tenant_id=TENANT, subscription_id=world.ids["a"], secret="another", overlap_hours=5)
        await gateway.submit(rotate)
        await asyncio.sleep(0.9 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "secretOverlapEnding")
        await asyncio.sleep(120)
        await gateway.submit(PromoteSecret(tenant_id=TENANT, subscription_id=world.ids["a"]))
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [what for _, what, _ in notices(world)] == ["opened", "closed"]


def test_an_endpoint_whose_certificate_ends_soon_is_told_again_three_days_before_and_until_it_has_another(
    world: ScriptedWorld,
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")

    async def second(gateway: RunningGateway) -> None:
        await until_open(gateway, "certificateExpiring")
        await asyncio.sleep(4 * HOUR)  # now it is less than three days
        assert [each.severity for each in gateway.engine.watch.open] == [Severity.CRITICAL]

    async def third(gateway: RunningGateway) -> None:
        await until_open(gateway, "certificateExpiring")
        await until_told_to_be_over(gateway)

    world.run(first)
    now = world.wall.at(world.time.now)
    be_known(world, certificate_ends=now + 3 * DAY + 3 * round(HOUR) * SECOND)
    world.run(second)
    be_known(world, certificate_ends=now + 90 * DAY)
    world.run(third)
    assert notices(world) == [
        ("certificateExpiring", "opened", "warning"),
        ("certificateExpiring", "still", "critical"),
        ("certificateExpiring", "closed", "critical"),
    ]


def test_a_client_certificate_that_ends_soon_is_told_until_it_is_offered_no_more(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        ends = datetime.fromtimestamp((gateway.clock.wall() + 10 * DAY) // SECOND, UTC)
        issued = trustme.CA().issue_cert("us.example", not_before=ends - timedelta(days=30), not_after=ends)
        pem, key = issued.cert_chain_pems[0].bytes().decode(), issued.private_key_pem.bytes().decode()
        await gateway.subscribe("a", clientCertificate={"certificate": pem, "privateKey": key})
        await until_open(gateway, "clientCertificateExpiring")
        await asyncio.sleep(120)
        none = subscription_patch(clientCertificate=None)
        await gateway.submit(PatchSubscription(tenant_id=TENANT, subscription_id=world.ids["a"], patch=none))
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [what for _, what, _ in notices(world)] == ["opened", "closed"]


def test_a_subscription_that_is_late_for_minutes_is_told_until_it_caught_up(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a", rateLimit=1)
        await gateway.create(*(f"d{number}" for number in range(600)))
        await until_open(gateway, "backlogOld")
        assert gateway.health("a")["lag"] > 0
        await gateway.until(lambda: gateway.health("a")["lag"] == 0, within=600, every=5.0)
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [what for _, what, _ in notices(world)] == ["opened", "closed"]


def test_events_that_wait_for_most_of_the_retention_are_told_also_if_a_person_paused_them(
    world: ScriptedWorld,
) -> None:
    world.look_every = 300.0

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        await gateway.change("a", status="paused")
        await gateway.create("a")
        await asyncio.sleep(11.5 * HOUR)
        assert not opened(gateway)
        await asyncio.sleep(8.0 * HOUR)
        assert [(each.kind, each.severity) for each in gateway.engine.watch.open] == [
            ("retentionNear", Severity.CRITICAL)
        ]
        await gateway.change("a", status="active")
        await until_told_to_be_over(gateway)

    world.run(scenario, retention_days=1)
    assert notices(world) == [
        ("retentionNear", "opened", "warning"),
        ("retentionNear", "still", "critical"),
        ("retentionNear", "closed", "critical"),
    ]


def test_what_was_given_up_is_told_until_it_is_sent_again(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.endpoint("a").answers(BROKEN)
        await gateway.subscribe("a", delays=())
        await gateway.create("a")
        await gateway.until(lambda: "deliveriesGivenUp" in opened(gateway), within=120, every=5.0)
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(400)  # it waits for others that are given up
        await gateway.replay("a", "failed")
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [(kind, what) for kind, what, _ in notices(world) if kind == "deliveriesGivenUp"] == [
        ("deliveriesGivenUp", "opened"),
        ("deliveriesGivenUp", "closed"),
    ]


def test_what_the_retention_removed_is_told_for_a_day(world: ScriptedWorld) -> None:
    world.look_every = 600.0

    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")

    async def second(gateway: RunningGateway) -> None:
        await until_open(gateway, "eventsLost", within=1_300)
        await until_told_to_be_over(gateway, within=26 * HOUR)

    world.run(first)
    be_known(world, lost=3, lost_at=world.wall.at(world.time.now))
    world.run(second)
    assert notices(world) == [("eventsLost", "opened", "critical"), ("eventsLost", "closed", "critical")]


def test_an_endpoint_that_fails_for_days_is_told_before_it_is_disabled_then_and_once_it_is_resumed(
    world: ScriptedWorld,
) -> None:
    async def first(gateway: RunningGateway) -> None:
        await gateway.subscribe("a")
        world.endpoint("a").answers(BROKEN)
        await gateway.create(*(f"d{number}" for number in range(30)))

    async def second(gateway: RunningGateway) -> None:
        await until_open(gateway, "subscriptionFailing", "subscriptionDisablingSoon")
        await gateway.until(lambda: gateway.of("a").status == "disabled", within=2 * HOUR)
        await gateway.until(lambda: "subscriptionDisabled" in opened(gateway), within=120)
        world.endpoint("a").answers(Reply())
        await asyncio.sleep(300)
        await gateway.change("a", status="active")
        await until_told_to_be_over(gateway, within=2 * CLOSES_WITHIN)

    world.run(first)
    since = world.wall.at(world.time.now) - 5 * DAY + round(HOUR) * SECOND
    be_known(world, breaker=Breaker(failures=500, failing_since=since, probe_at=since + 5 * DAY, wait=300 * SECOND))
    world.run(second)
    told = notices(world)
    for kind in ("subscriptionFailing", "subscriptionDisablingSoon", "subscriptionDisabled"):
        assert [what for each, what, _ in told if each == kind] == ["opened", "closed"], kind


def test_a_full_disk_is_told_though_documents_are_refused(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.disk_free = DISK_RESERVE_MB * MB // 2
        await gateway.until(lambda: not gateway.engine.disk.is_kept, within=900)
        await until_open(gateway, "diskLow", "refusesDocuments", within=60)
        await gateway.until(lambda: len(notices(world)) == 2, within=120, every=5.0)
        world.disk_free = 2 * DISK_RESERVE_MB * MB
        await until_told_to_be_over(gateway, within=2 * CLOSES_WITHIN)

    world.run(scenario)
    assert {*notices(world)[:2]} == {("diskLow", "opened", "warning"), ("refusesDocuments", "opened", "critical")}
    assert [what for _, what, _ in notices(world)] == ["opened", "opened", "closed", "closed"]


def test_a_backup_of_the_day_before_yesterday_is_told_until_there_is_another(world: ScriptedWorld) -> None:
    world.look_every = 300.0

    async def scenario(gateway: RunningGateway) -> None:
        backup_mark.leave(world.path, LastBackup(gateway.clock.wall(), Path("/backup/a.db")))
        await asyncio.sleep(25.5 * HOUR)
        assert not opened(gateway)
        await until_open(gateway, "backupOld", within=HOUR)
        await asyncio.sleep(600)
        backup_mark.leave(world.path, LastBackup(gateway.clock.wall(), Path("/backup/a.db")))
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [what for _, what, _ in notices(world)] == ["opened", "closed"]


def test_while_the_database_does_not_answer_nothing_is_told_and_afterwards_it_is(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        world.disk_free = DISK_RESERVE_MB * MB // 2
        world.faults.publish = Unavailable("The database cannot be reached.")
        await asyncio.sleep(900)
        assert not opened(gateway)
        assert not notices(world)
        world.faults.publish = None
        await until_open(gateway, "diskLow", "refusesDocuments", within=120)
        await gateway.until(lambda: len(notices(world)) == 2, within=120, every=5.0)

    world.run(scenario)


def test_the_gateways_own_certificate_is_told_until_there_is_another(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        ends = [gateway.clock.wall() / SECOND + 10 * 86_400]
        gateway.engine.watch.add(CertificateFacts(lambda: ends[0], "gateway-1", VirtualExecutor()))
        await until_open(gateway, "gatewayCertificateExpiring")
        await asyncio.sleep(120)
        ends[0] = gateway.clock.wall() / SECOND + 2 * 86_400  # it is a worse one
        await asyncio.sleep(120)
        ends[0] = gateway.clock.wall() / SECOND + 90 * 86_400
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert [(what, severity) for _, what, severity in notices(world)] == [
        ("opened", "warning"),
        ("still", "critical"),
        ("closed", "critical"),
    ]


@pytest.mark.parametrize(("ran_for", "kinds"), [(0.9 * HOUR, ["nodeLost"]), (1.1 * HOUR, [])])
def test_a_gateway_that_was_killed_tells_of_it_unless_it_had_run_for_an_hour(
    world: ScriptedWorld, ran_for: float, kinds: list[str]
) -> None:
    """One that ends again and again needs an operator; one that was started again at once does not."""

    async def runs(_gateway: RunningGateway) -> None:
        await asyncio.sleep(ran_for)

    async def is_started_again(gateway: RunningGateway) -> None:
        await asyncio.sleep(300)
        assert opened(gateway) == kinds
        await until_told_to_be_over(gateway, within=1.2 * HOUR)

    world.crash(runs)
    world.run(is_started_again)
    told = [(kind, what, "warning") for kind in kinds for what in ("opened", "closed")]
    assert notices(world) == told


@pytest.mark.parametrize("kind", ["auditBroken", "partitionsMissing"])
def test_what_a_node_found_missing_is_told_until_it_is_there_again(world: ScriptedWorld, kind: str) -> None:
    """Both are found by other parts, which have their own tests."""
    end, preparation = SimpleNamespace(is_missed=True), SimpleNamespace(lacks_since=1)

    async def scenario(gateway: RunningGateway) -> None:
        sources: dict[str, FactSource] = {
            "auditBroken": AuditFacts(cast("Any", end), "gateway-1"),
            "partitionsMissing": PartitionFacts(cast("Any", preparation)),
        }
        watch = gateway.engine.watch
        watch._sources[:] = [sources[kind]]
        await until_open(gateway, kind)
        await asyncio.sleep(120)
        end.is_missed, preparation.lacks_since = False, 0
        await until_told_to_be_over(gateway)

    world.run(scenario)
    assert notices(world) == [(kind, "opened", "critical"), (kind, "closed", "critical")]


def said(world: ScriptedWorld, oldest_seconds: int = 0, dead: int = 0) -> ReportSource:
    return ReportSource(
        tenant_id=TENANT, source_id=world.uuid("source"), name="outbox", oldest_seconds=oldest_seconds, dead=dead
    )


async def keep_saying(gateway: RunningGateway, report: ReportSource, seconds: int) -> None:
    for _ in range(seconds // 30):
        await gateway.submit(report)
        await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("trouble", "detail"),
    [({"oldest_seconds": 300}, "A change has waited there since "), ({"dead": 2}, "It gave up 2 changes, ")],
)
def test_a_source_in_trouble_is_told_until_it_keeps_up(
    world: ScriptedWorld, trouble: dict[str, int], detail: str
) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await keep_saying(gateway, said(world), 300)
        assert not opened(gateway)
        await keep_saying(gateway, said(world, **trouble), 120)
        assert opened(gateway) == ["sourceBehind"]
        await keep_saying(gateway, said(world), 900)
        assert not opened(gateway)

    world.run(scenario)
    assert notices(world) == [("sourceBehind", "opened", "warning"), ("sourceBehind", "closed", "warning")]
    [told, _] = log_of_notices(world)
    assert told["sentence"].startswith(f"The source outbox does not keep up. {detail}")
    assert (told["subjects"][0]["type"], told["subjects"][0]["name"]) == ("source", "outbox")


@pytest.mark.parametrize("ends", ["heard again", "removed"])
def test_a_silent_source_is_told_until_it_is_heard_again_or_removed(world: ScriptedWorld, ends: str) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await keep_saying(gateway, said(world), 300)
        await until_open(gateway, "sourceBehind", within=240)
        await asyncio.sleep(120)
        if ends == "removed":
            await gateway.submit(RemoveSource(tenant_id=TENANT, name="outbox"))
            await asyncio.sleep(900)
        else:
            await keep_saying(gateway, said(world), 900)
        assert not opened(gateway)

    world.run(scenario)
    assert [what for _, what, _ in notices(world)] == ["opened", "closed"]


def test_nothing_is_told_of_a_silence_in_which_the_gateway_could_not_listen(world: ScriptedWorld) -> None:
    """The gateway was stopped for an hour, and then could write nothing for another one."""

    async def first(gateway: RunningGateway) -> None:
        await keep_saying(gateway, said(world), 300)

    async def second(gateway: RunningGateway) -> None:
        await asyncio.sleep(60)
        await keep_saying(gateway, said(world), 300)
        world.faults.publish = Unavailable("The database cannot be written.")
        await asyncio.sleep(HOUR)
        world.faults.publish = None
        await asyncio.sleep(30)
        await keep_saying(gateway, said(world), 1_200)
        assert not opened(gateway)

    world.run(first)
    world.time.now += HOUR
    world.run(second)
    assert notices(world) == []


@pytest.mark.parametrize("minutes", [3, 4, 7, 60])
def test_no_source_seems_silent_once_the_gateway_can_write_again(world: ScriptedWorld, minutes: int) -> None:
    """Reads work all the while, and the first look comes before the next word of the source."""
    world.look_every = 10.0

    async def scenario(gateway: RunningGateway) -> None:
        await keep_saying(gateway, said(world), 300)
        world.faults.publish = Unavailable("The database cannot be written.")
        for _ in range(2 * minutes):
            with pytest.raises(Unavailable):
                await gateway.submit(said(world))
            await asyncio.sleep(30)
        world.faults.publish = None
        await asyncio.sleep(29)
        assert not opened(gateway)
        await keep_saying(gateway, said(world), 180)
        assert not opened(gateway)
        await until_open(gateway, "sourceBehind", within=200)  # now it says nothing

    world.run(scenario)


def test_nothing_is_told_of_the_sources_of_a_paused_tenant(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> None:
        await keep_saying(gateway, said(world), 60)
        await gateway.submit(ChangeTenant(tenant_id=TENANT, name="default", status="paused"))
        await keep_saying(gateway, said(world, oldest_seconds=900), 300)
        assert not opened(gateway)

    world.run(scenario)


def test_each_kind_is_known_to_one_source_and_those_of_lanes_that_are_read_to_another(world: ScriptedWorld) -> None:
    async def scenario(gateway: RunningGateway) -> list[str]:
        watch = gateway.engine.watch
        watch.add(gateway.engine.postman(UnsubscribeLinks((), ContactIds(b""), "")))
        return [kind for source in watch._sources for kind in source.kinds]

    of_two = ReadingFacts.kinds & LaneFacts.kinds
    assert sorted([*world.run(scenario), *AuditFacts.kinds, *CertificateFacts.kinds]) == sorted([*KINDS, *of_two])
