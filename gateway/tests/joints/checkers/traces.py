"""Nothing of an erased document is found anywhere afterwards, and nothing of any document in the log or the audit."""

import json
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from gateway.tests.joints.checkers import Checker
from gateway.tests.joints.documents import MARK, Subject
from gateway.tests.world.model import sayings

if TYPE_CHECKING:
    from gateway.tests.joints.node import JointNode

WORD = re.compile(rf"{MARK}\d+q")
PAGES = ("/v1/events?limit=250", "/v1/deliveries?limit=250", "/v1/overview", "/v1/replays", "/v1/connections")


class Traces(Checker):
    def line(self, line: str) -> None:
        if found := WORD.search(line):
            self.world.fail(sayings.NOT_IN_LOG.rule, f"{found[0]} is in the log: {line[:300]}: {sayings.NOT_IN_LOG}")

    def unsettled(self) -> str | None:
        erasing = self.world.erasing
        return f"not erased yet: {next(iter(erasing.values())).word}" if erasing else None

    async def finished(self, node: "JointNode") -> None:
        await self._check_audit(node)
        erased = [each for each in self.world.clients.documents.all if each.id in self.world.model.erased]
        if not erased:
            return
        raw = self.world.raw()
        for subject in erased:
            if subject.word.encode() in raw:
                where = self.world.tables_with(subject.word)
                self.world.fail(
                    sayings.ERASED_FILES.rule, f"{subject.word} is in the database ({where}): {sayings.ERASED_FILES}"
                )
        async for path, said in self._answers(node, erased):
            for subject in erased:
                if subject.word in said:
                    at = said.index(subject.word)
                    self.world.fail(sayings.ERASED_FILES.rule, f"GET {path} says {said[max(0, at - 200) : at + 50]}")

    async def _check_audit(self, node: "JointNode") -> None:
        cursor = ""
        while cursor is not None:
            page = await self.world.clients.read(node, f"/v1/audit?limit=250{cursor}")
            cursor = page["next"] and f"&cursor={page['next']}"
            if found := WORD.search(json.dumps(page["data"])):
                said = next(each for each in page["data"] if found[0] in json.dumps(each))
                self.world.fail(sayings.NOT_IN_AUDIT.rule, f"the audit says {said}: {sayings.NOT_IN_AUDIT}")

    async def _answers(self, node: "JointNode", erased: list[Subject]) -> AsyncIterator[tuple[str, str]]:
        """What the API says of everything that may tell of these documents."""
        read: Any = self.world.clients.read
        paths = [*PAGES, *(f"/v1/documents/{each.id}/history" for each in erased)]
        for wish in (*self.world.wishes.values(), *self.world.clients.reads.wishes):
            if not wish.deleted.last:
                of = f"/v1/subscriptions/{wish.id}"
                paths += [of, f"{of}/deliveries?limit=250", f"{of}/replays"]
                for each in erased:
                    paths += [f"{of}/deliveries/{event.id}" for event in self.world.log.of(each.id)]
        for path in paths:
            yield path, json.dumps(await read(node, path))
