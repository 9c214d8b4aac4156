"""The table of statistics. A row is found by when it begins, so that all that is written at one time is in one place,
and what is old goes from the beginning of the table."""

from typing import Final

from signalpost.domain.stats import COUNTS
from signalpost.store.tables.table import Columns, Kind

KEY: Final = "span, start, tenant_id, subscription_number"
_COUNTS: Final = [f"count_{position}" for position in range(COUNTS)]
COUNTED: Final = ", ".join(_COUNTS)
STAT: Final = Columns("stat", dict.fromkeys((*KEY.split(", "), *_COUNTS), Kind.NUMBER), key=KEY)
ADDING_UP: Final = f"ON CONFLICT ({KEY}) DO UPDATE SET " + ", ".join(f"{c} = stat.{c} + excluded.{c}" for c in _COUNTS)
"""Have an `INSERT` add to the counts of a row that is there already."""
