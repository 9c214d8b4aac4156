"""Notices through other kinds of destinations: they have no document, and what they make is kept by their kind."""

from gateway.tests.engine.scripted_world import RunningGateway, ScriptedWorld
from gateway.tests.world.vendors import HOST, KINDS, FakeVendor

from signalpost.commands.connections import CreateConnection
from signalpost.commands.notices import OpenCondition
from signalpost.commands.subscriptions import CreateConnectorSubscription
from signalpost.domain.access.tenant import OPERATIONS, OPERATIONS_TENANT
from signalpost.domain.delivery import retry
from signalpost.domain.operations.conditions import Fact

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]


def test_a_notice_is_sent_once_and_what_it_made_is_there_for_the_next_of_its_kind(world: ScriptedWorld) -> None:
    world.destinations = KINDS
    vendor = world.vendors[HOST] = FakeVendor()
    connection_id, name = world.uuid("c"), "s"
    world.ids[name] = world.uuid(name)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.submit(
            CreateConnection(
                tenant_id=OPERATIONS_TENANT,
                connection_id=connection_id,
                kind="fake",
                name="c",
                config={},
                needs_consent=False,
            )
        )
        await gateway.submit(
            CreateConnectorSubscription(
                tenant_id=OPERATIONS_TENANT,
                subscription_id=world.ids[name],
                kind="fake",
                connection_id=connection_id,
                url="https://vendor.example",
                name=name,
                event_types=("notice",),
                retry_delays=retry.DELAYS,
                config={"text": "{{ notice.sentence }}", "does": "remember"},
            )
        )
        for number, subject in enumerate(("Acme", "Globex"), 1):
            wrong = Fact(kind="auditBroken", tenant_id=OPERATIONS_TENANT, subject=subject, name=subject, since=1)
            await (
                await gateway.engine.enqueue(OpenCondition(tenant_id=OPERATIONS_TENANT, tenant=OPERATIONS, fact=wrong))
            )
            await gateway.until(lambda: len(vendor.messages) >= number, within=900)  # noqa: B023

    world.run(scenario)
    assert [message["made"] for message in vendor.messages] == [{}, {"id": "m1"}]
    assert "Acme" in vendor.messages[0]["text"]
