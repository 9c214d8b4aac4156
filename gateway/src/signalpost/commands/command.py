"""Commands: changes that someone asks for, and their results.

A command is a frozen value. Its `decide` is pure: it looks at rows through a `View` and returns a `Decision`, which
holds the rows that change and a result in domain values, such as `DocumentCreated(row)`. Once the change is durable, a
program that embeds the gateway gets the result, and a client of the API gets the response that `api/rendering.py` makes
of it. Nothing here knows of HTTP.

A kind of row is known by its class. A command names the rows that it reads by class and id, looks them up in the view
by class and id, and decides rows. How they are read and written follows from the table of their class in the store
(`store/tables/`). Documents and what belongs to them, tenants, retries and erasures have members of their own: they
are found in other ways, or are only added.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from signalpost.domain.access.tenant import Tenant
from signalpost.domain.audit import GATEWAY, Actor
from signalpost.domain.connection import Connection
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.history import UNKNOWN, Origin, Step
from signalpost.domain.documents.links import Links
from signalpost.domain.documents.version import Number, VersionRow
from signalpost.domain.erasure import Erasure
from signalpost.domain.event import EventType
from signalpost.domain.subscription import Subscription
from signalpost.domain.trace_context import NOT_TRACED
from signalpost.sharing.command_queues import Queue

Result = TypeVar("Result", covariant=True)
"""The result of a command that is not refused."""
Key = TypeVar("Key", contravariant=True)
Row = TypeVar("Row", covariant=True)
Versioned = TypeVar("Versioned", Connection, Subscription)

DocumentKey = tuple[int, str]
"""Tenant and `externalId`."""
VersionKey = tuple[int, str, Number]
"""Tenant, document and number."""
AnswerKey = tuple[int, int, str]
"""Tenant, API key and `Idempotency-Key`."""


class IdempotencyKey(NamedTuple):
    """A client's `Idempotency-Key`. Each API key has its own."""

    api_key_id: int
    key: str
    request_hash: bytes


class RequestedRetry(Struct, frozen=True):
    """A request to send a delivery again that a lane has settled, given up, or keeps until its retry."""

    number: int
    subscription_number: int
    sequence: int
    document_id: str
    of_version: int
    """The version of the subscription when it was asked for."""


class Stamp(Struct, frozen=True, gc=False):
    """The sequence and the time that a command's event gets, if it makes one, and the time that it is."""

    sequence: int
    at: int
    """`createdAt` in µs. It rises with the sequence, so after a clock that was ahead it can lie in the future (C5)."""
    now: int
    """What the clock says, in µs. Deadlines count from here."""


def moved_on(changed: Versioned, at: int) -> Versioned:
    """The next version of a row that changed."""
    return replace(changed, version=changed.version + 1, updated_at=at)


class NumberedRow(Protocol):
    """A row of a tenant with an id, and a number that is given once."""

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def tenant_id(self) -> int: ...


Numbered = TypeVar("Numbered", bound=NumberedRow)


class RowKey(NamedTuple):
    """The rows of a kind that are found by a value. Their table says what they can be found by."""

    kind: type[NumberedRow]
    value: str
    by: str = "id"


class OrderedLines:
    """The lines of one import. Once one must be sent again, those after it are not taken: a later state of a document
    would be taken before an earlier one."""

    __slots__ = ("must_be_repeated",)

    def __init__(self) -> None:
        self.must_be_repeated = False


class BaseCommand(Struct, frozen=True, gc=False, kw_only=True):
    """What every command has. Unless one says otherwise, it waits among operators' changes, and the gateway itself asks
    for it."""

    queue: ClassVar[Queue] = Queue.CONTROL
    adds: ClassVar[type[Any] | None] = None
    tenant_id: int
    idempotency: IdempotencyKey | None = None
    actor: Actor = GATEWAY
    trace: bytes = NOT_TRACED
    lines: OrderedLines | None = None
    """The lines of the import that it is a line of."""

    def asked_by(self, actor: Actor) -> Self:
        return replace(self, actor=actor)

    def traced(self, context: bytes) -> Self:
        return replace(self, trace=context)


class Decision(Struct, Generic[Result], frozen=True, gc=False, kw_only=True):
    """The decision of a command: its result, and the rows that change."""

    result: Result
    document: DocumentRow | None = None
    """With a document only its versions change; no row of another kind does."""
    event: EventType | None = None
    event_document: bytes = b""
    """The document's JSON in that event, without links; for a notice, that of the notice."""
    about: str = ""
    """For a notice: what stands for the document of its event."""
    before: bytes = b""
    """The former values of what that event changed; see `Event.before`."""
    origin: Origin = UNKNOWN
    """How the change of the document came about."""
    step: Step | None = None
    """An entry of the document's history that its events do not show."""
    versions: tuple[VersionRow, ...] = ()
    file_bytes: int = 0
    """How large the file is that came with a version."""
    rows: tuple[NumberedRow, ...] = ()
    """Rows of all other kinds."""
    retry: RequestedRetry | None = None
    tenant: Tenant | None = None
    erasure: Erasure | None = None


class CompletedCommand(Struct, Generic[Result], frozen=True, gc=False, kw_only=True):
    """A command that was not refused. It is durable once it leaves the store."""

    result: Result
    tenant_id: int
    at: int
    """When it was decided. Links that are shown with the result are valid from then on."""
    event_id: str | None
    """The event that it made, if it made one."""
    answer: bytes | None
    """The response that is kept under the command's `Idempotency-Key`; None if it has no key."""


class RepeatedCommand(Struct, frozen=True, gc=False):
    """A command that was not decided, because the same call came earlier with the same `Idempotency-Key`."""

    answer: bytes
    """The response to the first call."""


CommandOutcome = CompletedCommand[Result] | RepeatedCommand


class Reads(Struct, frozen=True, gc=False, kw_only=True):
    """The keys of the rows that a command looks at. There need not be a row under each."""

    document: DocumentKey | None = None
    version: VersionKey | None = None
    rows: tuple[RowKey, ...] = ()
    tenant: str | None = None
    """The name of a tenant."""


class Lookup(Protocol[Key, Row]):
    """Rows by their keys."""

    def get(self, key: Key, /) -> Row | None: ...


class BatchView(Protocol):
    """The rows that a command named in `reads`, as the commands before it in the batch left them."""

    @property
    def links(self) -> Links: ...
    @property
    def documents(self) -> Lookup[DocumentKey, DocumentRow]: ...
    @property
    def versions(self) -> Lookup[VersionKey, VersionRow]: ...

    def row(self, kind: type[Numbered], row_id: str, within: int | None) -> Numbered | None:
        """The row of a kind with this id, if it is of the tenant `within`; None stands for any."""
        ...

    def rows_of(self, kind: type[Numbered]) -> Iterable[Numbered]: ...

    def next_number(self, kind: type[Any]) -> int:
        """The number that the next new row of a kind gets."""
        ...

    def tenant_named(self, name: str) -> Tenant | None:
        """The tenant with this name; None if there is none or it was deleted."""
        ...


class Command(Protocol[Result]):
    """A change that someone asks for."""

    @property
    def tenant_id(self) -> int: ...
    @property
    def idempotency(self) -> IdempotencyKey | None: ...
    @property
    def queue(self) -> Queue:
        """The queue in which it waits for its commit."""
        ...

    @property
    def audited_as(self) -> str | None:
        """The change's name in the audit: a noun and a verb. None for a change without an entry."""
        ...

    @property
    def adds(self) -> type[Any] | None:
        """The kind of the new row that it may make, if that has a number."""
        ...

    @property
    def actor(self) -> Actor:
        """Who asks for it."""
        ...

    def asked_by(self, actor: Actor) -> Self:
        """The same command, asked for by someone else than the gateway itself."""
        ...

    @property
    def trace(self) -> bytes:
        """The trace context in which it was asked for, sampled or not (`domain/trace_context.py`)."""
        ...

    def traced(self, context: bytes) -> Self:
        """The same command, asked for in a trace context."""
        ...

    @property
    def lines(self) -> OrderedLines | None:
        """The lines of an import that it is one of."""
        ...

    @property
    def reads(self) -> Reads: ...

    def decide(self, view: BatchView, stamp: Stamp) -> Decision[Result]:
        """Pure. Raises CallerError to refuse."""


def repeat_lines(commands: Iterable[Command[Any]]) -> None:
    """Have no line taken any more of the imports that have one of these commands, which could not be committed."""
    for command in commands:
        if command.lines is not None:
            command.lines.must_be_repeated = True
