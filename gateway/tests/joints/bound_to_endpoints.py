"""What owners bind to the endpoints of webhooks and shadows, and take from them again: client certificates, and clients
that ask for tokens.

What is drawn for each has randomness of its own, so that the world of a seed without them is what it was."""

from abc import ABC, abstractmethod
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from gateway.tests.joints.history import ClientCall
from gateway.tests.joints.node import JointNode
from gateway.tests.world.model.sayings import Saying
from gateway.tests.world.model.wishes import Wish
from gateway.tests.world.timeline import Change, Timeline

if TYPE_CHECKING:
    from gateway.tests.joints.clients import Clients

CHANGED = (0.0, 0.0, 0.15)
"""How likely one changes whenever a client does something: as each world draws it."""


class BoundToEndpoints(ABC):
    """One such thing. It goes to the origin alone that it was given for."""

    member: ClassVar[str]
    """What it is called in a subscription."""
    without: ClassVar[str]
    """What a webhook does that has none."""
    rule: ClassVar[Saying]

    def __init__(self, clients: "Clients", name: str, often: float | None) -> None:
        """`often` is how likely one changes; None: as it is drawn."""
        self._clients = clients
        self._world = clients.world
        self._random = Random(f"{name} {clients.world.seed}")
        drawn = self._random.choice(CHANGED)
        self._often = drawn if often is None else often

    @abstractmethod
    def _of(self, wish: Wish) -> Timeline[str | None]:
        """Which one a webhook has."""

    @abstractmethod
    def _new(self, wish: Wish) -> tuple[str, str, Any]:
        """Another one: its name, with that of the move that it may come with, and what is given of it."""

    @abstractmethod
    def _note_given(self, wish: Wish, name: str, host: str) -> None:
        """Take note that one is about to be given for this origin."""

    async def act(self, node: JointNode) -> None:
        """Give one webhook or shadow another one, or none, if it is time for that."""
        wish = self._clients.draw_webhook(self._random, self._often)
        if wish is None:
            return
        if self._of(wish).last is not None and self._random.random() < 0.3:
            await self._change(node, wish, f"{wish} {self.without}", None, {self.member: None}, [])
        else:
            await self._give(node, wish)

    async def _give(self, node: JointNode, wish: Wish) -> None:
        name, move, given = self._new(wish)
        host, moved, changes = self._moved(wish, move)
        self._note_given(wish, name, host)
        await self._change(node, wish, f"{wish} has {name} for {host}", name, {self.member: given, **moved}, changes)

    def _moved(self, wish: Wish, name: str) -> tuple[str, dict[str, Any], list[Change[Any]]]:
        """Where a webhook is once it has that: elsewhere now and then, unless something else is bound to its present
        origin. Returns its host, what else is asked for, and what that changes."""
        random, owners, now = self._random, self._clients.owners, self._world.time.now
        others = [each for each in (wish.oauth, wish.certificate) if each is not self._of(wish)]
        is_bound = any(each.last is not None for each in others)
        if wish.name not in owners.wishes or is_bound or random.random() >= 0.4:
            return urlsplit(wish.url.last).netloc, {}, []
        host = random.choice((f"{wish}.example", f"{wish}.elsewhere.example"))
        url, headers = f"https://{host}/{name}", {"x-of": f"{wish} {name}"}
        owners.origins.setdefault(headers["x-of"], set()).add(host)
        changes: list[Change[Any]] = [wish.url.begin(url, now), wish.headers.begin(headers, now)]
        return host, {"url": url, "headers": headers}, [*changes, *self._clients.shadows.begin_headers(wish)]

    async def _change(
        self, node: JointNode, wish: Wish, what: str, name: str | None, body: Any, moves: list[Change[Any]]
    ) -> None:
        changes = [self._of(wish).begin(name, self._world.time.now), *moves]

        def settle(asked: ClientCall) -> None:
            if not asked.is_done and not wish.deleted.last:
                assert asked.answer is not None
                self._world.fail(self.rule.rule, f"{asked}: {asked.answer.body.decode()}")
            for change in changes:
                if asked.is_done:
                    change.done = asked.done_at
                else:
                    wish.forget(change)
                    self._clients.shadows.forget(wish, change)

        path = f"/v1/subscriptions/{wish.id}"
        await self._clients.ask(node, ClientCall(what, "PATCH", path, body, about=wish, on_done=settle))
