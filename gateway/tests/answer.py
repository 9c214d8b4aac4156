"""What a client of the API is answered."""

import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """An answer of the API; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)
