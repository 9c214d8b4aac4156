"""The API of a node in a world of joints, as its clients call it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from gateway.tests.answer import Answer

OPERATOR_KEY = "sp_" + "o" * 43


class ApiOfNode(ABC):
    """An API that is called with JSON; how a request gets to the node is another matter."""

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        key: str = OPERATOR_KEY,
        as_it_is: bytes | None = None,
    ) -> Answer:
        """Call the API as a client does. `as_it_is` is a body that is no JSON."""
        content = as_it_is if as_it_is is not None else b"" if body is None else json.dumps(body).encode()
        media_type = "application/x-ndjson" if as_it_is is not None else "application/json"
        sent = {"authorization": f"Bearer {key}", "content-type": media_type, **(headers or {})}
        return await self._requested(method, path, content, sent)

    @abstractmethod
    async def _requested(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> Answer:
        """Make a request. Content that is empty is none."""
