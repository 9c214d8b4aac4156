"""What an open page refreshes itself with: its main part, made once for all who look at the same page together.

    told of a change ──▶ who asks, in which session ──▶ one rendering for each page, tenant and role ──▶ all of them

The frame of a page shows who is signed in. Its main part is made knowing only their role and tenant, of answers of the
API that depend on nothing else about them either; so those who have both in common are given the same. Who asks is
found out for each request before, so a session that has ended gets nothing here.

No visitor is given less than they were told of: a rendering serves those who were told of nothing that changed after it
began. It is forgotten a second after it was made.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from signalpost.api.http.response import Response
from signalpost.console.calls import CallFailed
from signalpost.domain.access.api_key import Role
from signalpost.engine.revisions import Revisions

TOLD: Final = b"signalpost-told"
"""The header in which an open page says up to which position it knows of changes. A request with it asks only for the
main part."""
KEPT_SECONDS: Final = 1.0


class Sight(NamedTuple):
    """All that a rendering depends on."""

    role: Role | None
    own_tenant_id: int | None
    """The only tenant that the viewer sees; None for an operator."""
    tenant_id: int | None
    """The tenant that is looked at; None if there is no such tenant."""
    path: str
    query: bytes
    encodings: str | None
    """What the browser takes an answer to be compressed with."""


class _Rendering(NamedTuple):
    position: str
    """The position at which it began."""
    task: asyncio.Task[Response]


class SharedRegions:
    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions
        self._renderings: dict[Sight, _Rendering] = {}

    async def get(self, sight: Sight, told: str, render: Callable[[], Awaitable[Response]]) -> Response:
        """What a visitor sees who was told of changes up to a position: another one's rendering, or their own. A
        refusal is not shared. Raises CallFailed."""
        found = self._renderings.get(sight)
        if found is None or not self._revisions.has_all_until(found.position, told):
            return await asyncio.shield(self._begin(sight, render).task)
        try:
            return await asyncio.shield(found.task)
        except CallFailed:
            return await render()

    def _begin(self, sight: Sight, render: Callable[[], Awaitable[Response]]) -> _Rendering:
        loop = asyncio.get_running_loop()
        begun = _Rendering(self._revisions.position, asyncio.ensure_future(render()))
        self._renderings[sight] = begun
        begun.task.add_done_callback(lambda _: loop.call_later(KEPT_SECONDS, self._forget, sight, begun))
        return begun

    def _forget(self, sight: Sight, rendering: _Rendering) -> None:
        if self._renderings.get(sight) is rendering:
            del self._renderings[sight]
