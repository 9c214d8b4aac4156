"""SIGKILL, again and again, of the broker, of the gateway, and of the connector between them.

`make connect-kafka` kills more often.
"""

import json
import os
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence

from connect.tests.conftest import FedGateway
from connect.tests.connector_process import CommandProcess
from connect.tests.feeding import kill_one, seeded, told_of, until_fed_more
from connect.tests.kafka_broker import TopicMessage, Writer
from connect.tests.kafka_rig import Topics, broker, needs_broker, topics
from gateway.tests.acceptance.client import until

from signalpost_connect.testing import Change

__all__ = ["broker", "topics"]
pytestmark = needs_broker
KILLS = int(os.environ.get("KILLS", "6"))
DOCUMENTS = 200


def test_kills_lose_no_message_make_none_twice_and_keep_the_order(topics: Topics, gateway: FedGateway) -> None:
    chance = seeded()
    documents = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(DOCUMENTS)]

    def next_message() -> tuple[str, object]:
        document = chance.choice(documents)
        if chance.random() < 0.1:
            return document, None
        return document, {**(Change("", 1, str(uuid.uuid4())).snapshot or {}), "externalId": document}

    connector = topics.connector(gateway)
    connector.start()
    writer = Writer(topics.broker, topics.topic, next_message)
    try:
        kill_at_random(topics, gateway, connector)
    finally:
        writer.stop()
    try:
        until(lambda: topics.left() == 0, connector.log)
        assert connector.stop() == 0
    finally:
        connector.end()
    messages, told = topics.broker.read(topics.topic), told_of(gateway)
    print(f"{len(messages)} messages of {len(documents)} documents, {KILLS} kills")
    assert topics.dead() == []
    wanted = states_of(messages)
    assert {document for document in documents if wanted[document] != told.get(document, [])} == set()


def kill_at_random(topics: Topics, gateway: FedGateway, program: CommandProcess) -> None:
    """Kill one of the three, once there is work under way, and again."""
    chance = seeded()
    for number in range(KILLS):
        until_fed_more(gateway)
        time.sleep(chance.uniform(0, 0.6))
        kill_one(number, program, gateway, topics.broker)
    until_fed_more(gateway)


def states_of(messages: Sequence[TopicMessage]) -> Mapping[str, Sequence[str]]:
    """The states of each document that messages make, titles and `deleted`; to delete what is not there makes none."""
    found = defaultdict[str, list[str]](list)
    for each in messages:
        assert each.key is not None
        states = found[each.key]
        if each.value is not None:
            states.append(title_of(each.value))
        elif states and states[-1] != "deleted":
            states.append("deleted")
    return found


def title_of(value: bytes) -> str:
    title: str = json.loads(value)["title"]
    return title
