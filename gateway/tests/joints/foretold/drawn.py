"""What a seed stands for: a history, a subscription, a change of it, and how the gateway lives."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from gateway.tests.joints.owners import CHANGES, CONDITIONS, TYPES
from gateway.tests.world.world import START

KINDS = ("webhook", "webhook", "fake", "setting")
FACTS: tuple[Any, ...] = (1, True, 0, "1", "a", "", None, "2026-01-31")
STATUSES = ("created", "approved", "executed", "paused")
TEXTS = (
    "{{ document.title }}",
    "{{ before.title }} {{ document.title }}",
    "{{ document.additionalFacts.x | date }}",
    "{{ document.additionalFacts.x | money }}",
    '{{ document.contractValue | money: "EUR" }}',
)
DOES = (*("send",) * 6, "skip", "elsewhere")
GAPS = ((1.0,), (1.0, 20.0), (20.0, 120.0), (1.0, 600.0))
DELAYS = (2, 20, 120, 1_200)
LENGTHS = (15, 30, 60)
SHORT = 2
"""How many of these, the shortest, worlds with several nodes have: their beats make long ones slow."""
SETTLED = 20.0
"""Seconds after which a new subscription has its lane, and whatever was due is done."""
APART = 0.015
"""Each change is made so many seconds later after a full one than the change before. So no delay ends as another change
is made, which might be either side of it."""


class Subscriber(NamedTuple):
    """A subscription: what it asks for, and what it makes of that."""

    kind: str
    types: tuple[str, ...]
    when: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    text: str
    does: str

    def body(self, name: str) -> dict[str, Any]:
        """What a new subscription of this name says of it. The name leads what a connector sends."""
        return {each: self.member(each, name) for each in self.members}

    @property
    def members(self) -> tuple[str, ...]:
        return ("eventTypes", "when", "after", *(() if self.kind == "webhook" else ("config",)))

    def member(self, member: str, name: str) -> Any:
        match member:
            case "eventTypes":
                return [*self.types]
            case "config":
                return {"text": f"{name}|{self.text}", "does": self.does}
        return self.when if member == "when" else self.after

    def with_members_of(self, other: "Subscriber", members: Sequence[str]) -> "Subscriber":
        """The same with some members of the body of another one."""
        fields = {"eventTypes": ("types",), "config": ("text", "does"), "when": ("when",), "after": ("after",)}
        return self._replace(**{field: getattr(other, field) for each in members for field in fields[each]})

    @property
    def asks_newest(self) -> bool:
        """Whether what it sends depends on when that is."""
        return self.after is not None and "if" in self.after


class Step(NamedTuple):
    """Something that is asked of the API at a moment."""

    at: float
    method: str
    path: str
    body: Any = None


class Draw(NamedTuple):
    nodes: int
    now: Subscriber
    then: Subscriber
    changed: tuple[str, ...]
    """The members that the change has."""
    begins: int
    """Before which step the subscription is made."""
    retypes: tuple[int, tuple[str, ...]] | None
    """Before which step it gets other types, and which."""
    steps: tuple[Step, ...]
    prunes: bool
    """Whether the retention has removed a part by the end."""
    restarts: bool
    """Whether the gateway is restarted before it is asked."""

    @property
    def longest(self) -> float:
        """The seconds after which no delay of an event goes on."""
        return SETTLED + max(float(each.after["seconds"]) if each.after else 0.0 for each in (self.now, self.then))


def drawn_from(seed: int) -> Draw:
    """What a seed stands for."""
    random = Random(f"foretold {seed}")
    nodes = random.choice((1, 1, 1, 1, 1, 2))
    most = SHORT if nodes > 1 else len(DELAYS)
    kind = random.choice(KINDS)
    now, other = _wanted(random, kind, most), _wanted(random, kind, most)
    changed = tuple(random.sample(now.members, random.randint(0, len(now.members))))
    steps = [*_steps(random, most)]
    begins = random.choice((0, 0, random.randrange(len(steps))))
    steps[begins:] = [each._replace(at=each.at + SETTLED) for each in steps[begins:]]
    return Draw(
        nodes=nodes, now=now, then=now.with_members_of(other, changed), changed=changed, begins=begins,
        retypes=(random.randrange(begins, len(steps)), _types(random)) if random.random() < 0.3 else None,
        steps=tuple(steps), prunes=nodes == 1 and random.random() < 0.1, restarts=random.random() < 0.3,
    )  # fmt: skip


def _types(random: Random) -> tuple[str, ...]:
    return tuple(random.sample(TYPES, random.choice((1, 2, 3))))


def _wanted(random: Random, kind: str, most: int) -> Subscriber:
    one, other = (random.choice(random.choice((CONDITIONS, CHANGES))) for _ in range(2))
    when = random.choice((None, one, {"not": one}, {"all": [one, other]}, {"any": [one, {"not": other}]}))
    wait, still = {"seconds": random.choice(DELAYS[:most])}, random.choice(CONDITIONS)
    after = random.choice((None, wait, {**wait, "if": still}, {**wait, "if": {"not": still}}))
    return Subscriber(kind, _types(random), when, after, random.choice(TEXTS), random.choice(DOES))


def _steps(random: Random, most: int) -> Iterator[Step]:
    gaps, erasing = random.choice(GAPS[:most]), random.choice((0.0, 0.0, 0.1))
    documents = [
        f"{random.getrandbits(32):08x}-0000-4000-8000-{number:012d}" for number in range(random.choice((1, 3, 8)))
    ]
    versions, deleted = Counter[str](), set[str]()
    at = START + 4 * SETTLED
    for number in range(random.choice(LENGTHS[:1] if most == SHORT else LENGTHS)):
        at += random.choice(gaps)
        document, moment = random.choice(documents), at + number * APART
        path = f"/v1/documents/{document}"
        if document in deleted and random.random() < 5 * erasing:
            yield Step(moment, "POST", f"{path}/erase")
            continue
        versions[document] += 1
        path = f"{path}?sourceVersion={versions[document]}"
        if versions[document] > 1 and random.random() < 0.1 + erasing:
            deleted.add(document)
            yield Step(moment, "DELETE", path)
        else:
            deleted.discard(document)
            yield Step(moment, "PUT", path, _snapshot(random, number))


def _snapshot(random: Random, number: int) -> dict[str, Any]:
    fact = random.choice(FACTS)
    return {
        "type": random.choice(("letter", "NDA")), "title": f"Title {random.choice((number, 1, 2))}",
        "status": random.choice(STATUSES), "createdAt": "2026-01-01T00:00:00.000000+00:00", "sourceApp": "CRM",
        "ownerEmail": "owner@example.com", "authorEmail": "a@example.com",
        "contractValue": random.choice((None, 5.0, 10.0, 10.5, 99.0)),
        "additionalFacts": {} if fact is None else {"x": fact},
    }  # fmt: skip
