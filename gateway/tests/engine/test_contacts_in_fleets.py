"""Contacts in a fleet: one node writes to them, and another goes on where that one is lost."""

from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from gateway.tests.bodies import new_document, subscription_request
from gateway.tests.engine.idle_fleet import IdleFleet
from gateway.tests.engine.test_engine_contacts import ADA, CLOSES, HOST, HOUR, LINKS, MINUTE, SOON
from gateway.tests.world.network import Reply, SentRequest
from gateway.tests.world.vendors import FakeVendor

from signalpost.commands.connections import CreateConnection
from signalpost.commands.documents import CreateDocument
from signalpost.commands.subscriptions import CreateSubscription
from signalpost.destinations.mail import Smtp
from signalpost.destinations.registry import Destinations
from signalpost.domain.access.tenant import OPERATIONS_TENANT
from signalpost.store.nouns.fleet import SHARED

ID = "00000000-0000-4000-a000-00000000000{}"


class Fleet(IdleFleet):
    """Nodes with postmen, a mail server, and an endpoint that fails or works."""

    terms = SHARED._replace(look_every=10.0, poll_every=10.0, poll_hearing_every=10.0)
    """Slower than real ones: it lasts for two hours."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.destinations = Destinations([Smtp()])
        self.server = FakeVendor()
        self.fails = True
        for _ in range(2):
            self.start()

    def start(self) -> None:
        node = self.start_node()
        self.drive(3.0)
        node.loop.create_task(node.engine.postman(LINKS).run())

    def vendor(self, host: str) -> FakeVendor | None:
        return self.server if host == HOST else None

    def answer(self, sent: SentRequest) -> Reply:
        return Reply(500 if self.fails else 200)

    def ask(self, command: Any) -> None:
        node = self.running[-1]
        task = node.loop.create_task(node.engine.submit(command))
        self.drive(1.0)
        task.result()

    def create(self, number: int) -> None:
        new = new_document(type="letter", title="a", ownerEmail="o@example.com", authorEmail="a@example.com")
        self.ask(CreateDocument(tenant_id=1, document_id=ID.format(number), new=new, source_app="test"))

    @property
    def told(self) -> list[str]:
        return [message_from_bytes(call.body, policy=policy.default)["subject"] for call in self.server.calls]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with closing(Fleet(tmp_path)) as fleet:
        yield fleet


@pytest.mark.slow
def test_a_fleet_tells_once_and_goes_on_after_the_node_that_tells_is_lost(fleet: Fleet) -> None:
    config = {"server": f"smtps://{HOST}:465", "signIn": {"with": "nothing"}, "sender": "us@gateway.example"}
    fleet.ask(
        CreateConnection(
            tenant_id=OPERATIONS_TENANT, connection_id=ID.format(1), kind="mail", name="m", config=config,
            needs_consent=False,
        )
    )  # fmt: skip
    new = subscription_request(url="https://a.example/hook", contacts=[ADA])
    fleet.ask(
        CreateSubscription(tenant_id=1, subscription_id=ID.format(2), new=new, secret="not a secret", retry_delays=())
    )
    fleet.subscribed["a.example"] = (1, ID.format(2))
    fleet.create(3)
    fleet.drive(HOUR + SOON + MINUTE)
    assert fleet.told == ["Nothing arrives at a.example"]
    fleet.kill(fleet.running[0])
    fleet.start()
    fleet.drive(20 * MINUTE)
    assert len(fleet.told) == 1
    fleet.kill(fleet.running[0])
    fleet.fails = False
    fleet.drive(MINUTE)
    fleet.create(4)
    fleet.drive(CLOSES + 15 * MINUTE)
    assert fleet.told == ["Nothing arrives at a.example", "a.example no longer fails"]
