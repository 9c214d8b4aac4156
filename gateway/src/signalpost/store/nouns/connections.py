"""What deliveries made at vendors. Connections themselves are listed by `lists.py`."""

from collections.abc import Sequence
from typing import Protocol


class ConnectionStore(Protocol):
    """What was made through connections."""

    async def made(self, subscription_number: int, document_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """What the last deliveries of a subscription for some documents said they made, by document. A document for
        which nothing is kept is missing."""
        ...
