"""Clients that change documents, and what they know of them."""

import json
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.world.model.documents import VersionedDocument

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

FACTS: tuple[Any, ...] = (1, True, 0, False, 2, "1", "a", "", None)
"""What a fact may become. Some are alike to Python, and differ in JSON."""
ALIKE: tuple[Any, ...] = (1, True, 1, True, None)
VALUES = (None, 5.0, 10.0, 10.5, 99.0)
STATUSES = ("created", "approved", "executed", "paused", "cancelled")
MARK = "documentword"
"""The beginning of each document's word, which is in each of its texts and nowhere else. It is long, because a short
one comes up by chance in what is encrypted: four letters did, in one of some two thousand databases."""


class Subject:
    """A document, as those who change it know it."""

    def __init__(self, number: int, identity: str) -> None:
        self.id = identity
        self.word = f"{MARK}{number}q"
        """Is in every text of it."""
        self.is_there = False
        self.may_be_there = True
        """Whether no client has asked yet for its deletion."""
        self.is_erased = False
        self.is_imported = False
        self.versioned = VersionedDocument()
        """What a queue with versions says of it."""
        self.sent: list[tuple[int, str | None]] = []
        """The messages of that queue."""


class Documents:
    def __init__(self, clients: "Clients") -> None:
        self._clients = clients
        self._world = clients.world
        self._random = clients.random
        self.all: list[Subject] = []
        self._texts = 0
        self._facts = ALIKE if clients.world.plan.is_alike else FACTS

    async def act(self, node: JointNode) -> None:
        """Change some document."""
        random, plan = self._random, self._world.plan
        idle = [each for each in self.all if not self._clients.is_busy(each) and not each.is_erased]
        alive = sum(not each.is_erased for each in self.all)
        if not idle or (alive < plan.documents and random.random() < 0.3):
            await self._clients.ask(node, self._create())
            return
        subject = random.choice(idle)
        if subject.is_imported:
            await self._clients.ask(node, self._message(subject))
        elif not subject.is_there:
            await self._clients.ask(node, self._erase(subject))
        elif random.random() < plan.erasing:
            await self._clients.ask(node, self._delete(subject))
        else:
            await self._clients.ask(node, self._patch(subject))

    def _text(self, subject: Subject) -> str:
        self._texts += 1
        return f"{subject.word} {self._texts}"

    def _create(self) -> ClientCall:
        subject = Subject(len(self.all) + 1, self._clients.uuid())
        self.all.append(subject)
        fact = self._random.choice(self._facts)
        if self._random.random() < self._world.plan.imported:
            subject.is_imported = True
            return self._message(subject)
        body = {
            "type": self._random.choice(("letter", "NDA")), "title": self._text(subject),
            "ownerEmail": f"{subject.word}@example.com", "authorEmail": "a@example.com",
            "contractValue": self._random.choice(VALUES), "additionalFacts": {} if fact is None else {"x": fact},
        }  # fmt: skip

        def learn(asked: ClientCall) -> None:
            assert asked.answer is not None
            subject.id = asked.answer.json["externalId"]
            subject.is_there = True

        return ClientCall(f"create {subject.word}", "POST", "/v1/documents", body, about=subject, on_done=learn)

    def _patch(self, subject: Subject) -> ClientCall:
        random = self._random
        patch = random.choice(
            (
                {"title": self._text(subject)},
                {"additionalFacts": {"x": random.choice(self._facts)}},
                {"additionalFacts": {"x": random.choice(self._facts)}, "title": self._text(subject)},
                {"contractValue": random.choice(VALUES)},
                {"type": random.choice(("letter", "NDA"))},
            )
        )
        what = f"patch {subject.word} {json.dumps(patch)}"
        return ClientCall(what, "PATCH", f"/v1/documents/{subject.id}", patch, about=subject)

    def _delete(self, subject: Subject) -> ClientCall:
        subject.may_be_there = False

        def learn(_asked: ClientCall) -> None:
            subject.is_there = False

        return ClientCall(
            f"delete {subject.word}", "DELETE", f"/v1/documents/{subject.id}", about=subject, on_done=learn
        )

    def _erase(self, subject: Subject) -> ClientCall:
        def learn(asked: ClientCall) -> None:
            if asked.is_done:
                self._world.note_erasure(subject, asked)

        subject.is_erased = True
        path = f"/v1/documents/{subject.id}/erase"
        return ClientCall(f"erase {subject.word}", "POST", path, about=subject, on_done=learn)

    # --- A system that keeps documents, and tells of them through a queue ---------------------------------------------

    def _message(self, subject: Subject) -> ClientCall:
        """The next message of the queue, or one that comes again: a state or a deletion, with its version."""
        random = self._random
        if not subject.sent or random.random() < 0.6:
            version = len(subject.sent) + 1
            title = None if random.random() < 0.25 else self._text(subject)
            subject.sent.append((version, title))
            if random.random() < 0.3:
                subject.sent.append((version + 1, None if random.random() < 0.4 else self._text(subject)))
        version, title = random.choice(subject.sent[-4:])
        if random.random() < 0.3:
            return self._line(subject, version, title)
        path = f"/v1/documents/{subject.id}?sourceVersion={version}"
        learn = self._hear(subject, version, title)
        if title is None:
            return ClientCall(f"delete {subject.word} v{version}", "DELETE", path, about=subject, on_done=learn)
        body = self._snapshot(subject, version, title)
        return ClientCall(f"import {subject.word} v{version}", "PUT", path, body, about=subject, on_done=learn)

    def _line(self, subject: Subject, version: int, title: str | None) -> ClientCall:
        state = {"deleted": True} if title is None else self._snapshot(subject, version, title)
        line = {"externalId": subject.id, "sourceVersion": version, **state}
        return ClientCall(
            f"import line of {subject.word} v{version}" + (" deleted" if title is None else ""),
            "POST",
            "/v1/documents/import",
            as_it_is=json.dumps(line).encode() + b"\n",
            about=subject,
            on_done=self._hear(subject, version, title),
        )

    def _snapshot(self, subject: Subject, version: int, title: str) -> dict[str, Any]:
        return {
            "type": "letter", "title": title, "status": STATUSES[version % len(STATUSES)],
            "createdAt": "2026-01-01T00:00:00.000000+00:00", "sourceApp": "CRM",
            "ownerEmail": f"{subject.word}@example.com", "authorEmail": "a@example.com",
        }  # fmt: skip

    def _hear(self, subject: Subject, version: int, title: str | None) -> Any:
        known = len(self._world.log.of(subject.id))

        def learn(asked: ClientCall) -> None:
            problem = self._problem(asked)
            is_late = problem is not None and "document_deleted" in problem and version <= subject.versioned.version
            if problem is not None and not is_late:
                self._world.fail("versions", f"{asked}: {problem}")
            made, changes = len(self._world.log.of(subject.id)) - known, subject.versioned.hear(version, title)
            if made != changes:
                self._world.fail("versions", f"{asked} made {made} events, and changes {'' if changes else 'nothing'}")

        return learn

    def _problem(self, asked: ClientCall) -> str | None:
        """Why a message was refused; older and repeated ones change nothing, and are answered with a success."""
        assert asked.answer is not None
        if asked.answer.status >= 300:
            return asked.answer.body.decode()
        if asked.as_it_is is not None:
            line = json.loads(asked.answer.body)
            return str(line["problem"]) if line.get("problem") else None
        return None
