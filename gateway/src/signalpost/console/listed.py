"""Lists of which a page shows a part, with links to what is newer and older."""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar
from urllib.parse import urlencode

from msgspec import Struct

from signalpost.console.page import Visit

Row = TypeVar("Row")


class ListPart(Struct, Generic[Row], frozen=True):
    data: Sequence[Row]
    next: str | None
    """Where the following page begins; None on the last one."""
    is_first: bool
    same: str
    """The query that shows the same list from its beginning."""


class AnsweredPage(Protocol[Row]):
    """A page of a list as a call answers it."""

    @property
    def data(self) -> list[Row]: ...
    @property
    def next(self) -> str | None: ...


def listed(visit: Visit, page: AnsweredPage[Row], given: Mapping[str, str] | None = None) -> ListPart[Row]:
    """What a call answered; `given` is what was typed into the form above the list."""
    return ListPart(page.data, page.next, not visit.cursor, query_of(given or {}))


def query_of(given: Mapping[str, str]) -> str:
    """The query that fills a form with what was typed into it."""
    return urlencode({name: value for name, value in given.items() if value})
