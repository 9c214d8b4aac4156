"""What a node knows of erasures when it begins: those that are not finished, and no others."""

import asyncio

from gateway.tests.engine.scripted_world import TENANT, RunningGateway, ScriptedWorld
from gateway.tests.world.network import Reply

from signalpost.commands.erasures import EraseDocument

pytest_plugins = ["gateway.tests.engine.engine_fixtures"]

CREATED, OF_ANOTHER = 1, 3


async def ask_for_an_erasure(gateway: RunningGateway) -> None:
    """Have a deleted document, of which an endpoint has received nothing yet, about to be erased."""
    world = gateway.world
    world.endpoint("slow").answers(Reply(503))
    await gateway.subscribe("slow", delays=(10, 10, 10))
    await gateway.create("gone")
    await gateway.submit(world.delete("gone"))
    await gateway.submit(
        EraseDocument(
            tenant_id=TENANT, tenant="default", document_id=world.uuid("gone"), erasure_id=world.uuid("erasure")
        )
    )
    await gateway.until_recorded()


def test_a_node_that_starts_before_an_erasure_is_finished_sends_nothing_of_the_document(world: ScriptedWorld) -> None:
    world.crash(ask_for_an_erasure)
    slow = world.endpoint("slow")
    slow.answers(Reply())
    before = len(slow.calls)

    async def scenario(gateway: RunningGateway) -> None:
        await gateway.create("another")
        await gateway.until(lambda: OF_ANOTHER in slow.sequences)
        await asyncio.sleep(60)

    world.run(scenario)
    assert [call.sequence for call in slow.calls[before:]] == [OF_ANOTHER]


def test_a_node_whose_database_went_back_to_before_an_erasure_delivers_what_has_the_numbers_now(
    world: ScriptedWorld,
) -> None:
    slow = world.endpoint("slow")

    async def scenario(gateway: RunningGateway) -> None:
        await ask_for_an_erasure(gateway)
        world.query("DELETE FROM erasure")
        await gateway.engine._begin_anew()
        slow.answers(Reply())
        await gateway.until(lambda: CREATED in slow.sequences, within=60)

    world.run(scenario)
