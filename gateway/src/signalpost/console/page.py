"""What a page of the console is: a row of a table, as a call of the API is a row of the route table."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.api.guards.principals import Principal
from signalpost.api.http.response import CONTENT_TYPE, Response
from signalpost.api.routing.shapes.service import BadField, Problem
from signalpost.console.calls import Calls, refused
from signalpost.console.notation import is_untouched
from signalpost.console.replies import MOUNT
from signalpost.domain.access.api_key import Role
from signalpost.domain.access.portal_link import Capability
from signalpost.domain.access.tenant import OPERATIONS
from signalpost.domain.event import OF_DOCUMENTS, OF_OPERATIONS
from signalpost.files.filenames import disposition

MAX_DIGITS = 15
T = TypeVar("T")


def whole(typed: str) -> int | str:
    """The whole number that was typed. A text that is no whole number stays as it is, so that the API says what is
    wrong."""
    return int(typed) if typed.isdecimal() and len(typed) <= MAX_DIGITS else typed


class ProofNeeded(Exception):
    """What was asked for is done only for a person who types their password, or key, again."""


class Visit(Struct, frozen=True, kw_only=True):
    """A request for a page, or a form that a page sends."""

    calls: Calls
    principal: Principal
    tenant: str
    root: str
    """The path below which its pages are."""
    now: int
    """µs since the epoch."""
    request_id: str
    """The number of the request, by which the log is searched."""
    params: Mapping[str, str]
    """The parameters in the path."""
    query: Mapping[str, str]
    is_proved: bool = True
    """Whether the visitor has recently typed a key or a password."""
    form: Mapping[str, list[str]] = {}
    problem: Problem | None = None
    """Why the form that was sent with this page was refused."""

    @property
    def may_change(self) -> bool:
        """Whether the visitor may change subscriptions and send deliveries again. A page leaves out what they may not
        do."""
        return self.principal.role in (Role.OPERATOR, Role.SUBSCRIBER)

    @property
    def may_make_documents(self) -> bool:
        return self.principal.role in (Role.OPERATOR, Role.APP) and self.tenant != OPERATIONS

    @property
    def is_operator(self) -> bool:
        return self.principal.role is Role.OPERATOR

    @property
    def cursor(self) -> str | None:
        """The cursor of the requested page of a list; None for the first page."""
        return self.query.get("cursor") or None

    @property
    def event_types(self) -> Sequence[str]:
        """The types of events that the tenant has."""
        return tuple(OF_OPERATIONS if self.tenant == OPERATIONS else OF_DOCUMENTS)

    def may(self, capability: Capability) -> bool:
        """Whether the portal link by which a customer came allows it."""
        link = self.principal.portal
        return link is not None and capability in link.can

    def need(self, capability: Capability) -> None:
        """For a page that only offers what the link may not allow. Raises CallFailed."""
        if not self.may(capability):
            raise refused(403, "Not allowed here", "Your link does not allow this.", "forbidden")

    def need_proof(self) -> None:
        """Refuse something risky to a visitor who has not recently typed a key or a password. Raises ProofNeeded."""
        if not self.is_proved:
            raise ProofNeeded

    def need_name(self, name: str) -> None:
        """For what cannot be undone. Raises CallFailed unless the name of what it is about was typed."""
        if self.given("confirm") != name.strip():
            detail = "Type the name exactly as it is shown."
            wrong = BadField(pointer="?confirm", code="not_confirmed", detail=detail)
            raise refused(422, "Not confirmed", "Nothing was deleted.", "not_confirmed", [wrong])

    def given(self, name: str) -> str:
        """What was typed into a field of the form; empty if nothing was."""
        return self.form.get(name, [""])[0].strip()

    def typed(self, name: str, kept: str) -> str:
        """What stands in a field: what was typed into it, even if that is nothing, or else what is kept."""
        return self.form[name][0] if name in self.form else kept

    def chosen(self, name: str, kept: Sequence[str]) -> Sequence[str]:
        """Which boxes are ticked. The form has a hidden field of their name, so it also says that none is."""
        return [each for each in self.form[name] if each] if name in self.form else kept

    def is_edited(self, name: str, kept: str) -> bool:
        """Whether something else was typed into a field of one line than what it showed."""
        return name in self.form and not is_untouched(self.form[name][0], kept, lines=False)

    def path(self, below: str) -> str:
        """Where a page is, by its path in the table of pages."""
        return MOUNT.get() + self.root + below


def only_reads(view: Callable[[Visit], Coroutine[Any, Any, T]]) -> Callable[[Visit], Coroutine[Any, Any, T]]:
    """All calls of the view, or of a part of one, are read together on the thread that reads: the event loop hands over
    one piece of work, however many there are. None of them waits for anything but the store."""

    @wraps(view)
    async def on_thread(visit: Visit) -> T:
        return await visit.calls.reading(lambda calls: view(replace(visit, calls=calls)))

    return on_thread


def reads_in_turn(view: Callable[[Visit], Coroutine[Any, Any, T]]) -> Callable[[Visit], Coroutine[Any, Any, T]]:
    """The same for a view that may read megabytes of its tenant."""

    @wraps(view)
    async def on_thread(visit: Visit) -> T:
        return await visit.calls.reading(lambda calls: view(replace(visit, calls=calls)), in_turn=True)

    return on_thread


class SeeOther(Struct, frozen=True):
    """A form was carried out; the browser goes on to another page."""

    path: str
    done: str | None = None
    """Names the sentence, of the page that follows, that says what was done."""


class GoOn(Exception):
    """Raised by a view: what was asked for is another page."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Download(Exception):
    """Raised by a view: what was asked for is a file, which the browser saves."""

    def __init__(self, name: str, media_type: str, content: bytes) -> None:
        super().__init__(name)
        self.response = Response(200, content, ((CONTENT_TYPE, media_type), ("content-disposition", disposition(name))))


class ShownOnce(Struct, frozen=True):
    """A form was carried out, and its answer shows what is shown only once."""

    template: str
    view: Any


Form = Callable[[Visit], Awaitable[SeeOther | ShownOnce]]


class Page(Struct, frozen=True, kw_only=True):
    path: str
    """Below the tenant's own, such as `/deliveries`."""
    section: str
    """The entry of the navigation that the page belongs to."""
    title: str
    template: str
    view: Callable[[Visit], Awaitable[Any]]
    """What the template shows. Raises CallFailed if a call that it needs is refused."""
    forms: Mapping[str, Form] = {}
    """What may be sent from it, by the value of the button that was pressed."""
    is_shared: bool = True
    """Whether all who look at it with the same role see the same, so that one rendering serves them."""
    done: Mapping[str, str] = {}
    """Sentences for what was done just before the page was opened."""
