"""One row of the table of what is shared, and the words that rows have in common."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    resource: str
    unit: str
    shared_by: str
    rule: str
    bound: str
    beyond: str
    made: tuple[str, ...] = ()
    """The constant that bounds it, or what shares it, as often as it is made: `module/path.py Name`."""


Rows = Sequence[Row]
OF_TENANTS = "tenants"
OF_ALL = "all"
KEPT_FREE = "in parts"
IN_TURNS = "in turns"
FIRST_COME = "first come"
WAITS = "waits"
PART = {2: "half", 4: "a quarter", 10: "a tenth"}
LIMITS = "api/guards/request_limits.py"
