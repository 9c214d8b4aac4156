"""What a gateway is fed with, and what it has made of it."""

import random
import uuid
from collections.abc import Sequence

from connect.tests.conftest import FedGateway
from gateway.tests.acceptance.client import until

from signalpost_client import Client
from signalpost_connect.testing import Change
from signalpost_connect.testing.conformance import Killable, states_told


def changes(*titles: str) -> list[Change]:
    """The states of a new document."""
    document = str(uuid.uuid4())
    return [Change(document, version, title) for version, title in enumerate(titles, 1)]


def names(number: int) -> list[str]:
    """New documents."""
    return [str(uuid.uuid4()) for _ in range(number)]


def states(documents: Sequence[str], first: int, last: int) -> list[Change]:
    """Some states of each document, one document after the other."""
    return [Change(each, version, f"v{version}") for version in range(first, last + 1) for each in documents]


def titles(first: int, last: int) -> list[str]:
    """What is told of a document that has these states."""
    return [f"v{version}" for version in range(first, last + 1)]


def seeded() -> random.Random:
    """Chance, whose seed is told: `pytest -s` shows it."""
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    return random.Random(seed)


def newest_of(gateway: FedGateway) -> int:
    """The sequence of the gateway's newest event; 0 if it has none."""
    with Client(gateway.url, gateway.operator_key) as client:
        page = client.events.list(before="latest", limit=1).data
        return page[0].sequence if page else 0


def until_fed_more(gateway: FedGateway, than: int | None = None) -> None:
    """Until the gateway has made an event since now, or after the one with this sequence: each kill interrupts work."""
    before = newest_of(gateway) if than is None else than
    until(lambda: newest_of(gateway) > before)


def kill_one(number: int, *programs: Killable) -> None:
    """Kill one of the programs, which take turns, and start it again."""
    program = programs[number % len(programs)]
    program.kill()
    program.start()


def told_of(gateway: FedGateway) -> dict[str, list[str]]:
    """The states of each document, titles and `deleted`, in the order of the gateway's events."""
    with Client(gateway.url, gateway.operator_key) as client:
        return states_told(client, 0)
