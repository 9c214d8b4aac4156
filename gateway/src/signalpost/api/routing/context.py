"""One request, as a handler sees it: who calls, for which tenant, with what. Everything in it was checked."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from time import thread_time
from typing import Any, Final, TypeVar

from msgspec import UNSET, Struct

from signalpost.api.guards.principals import Principal
from signalpost.api.http.body import (
    LARGE_BODY_BYTES,
    MAX_BODY_BYTES,
    SMALL_BODY_BYTES,
    DecoderRefused,
    read_quickly,
    read_slowly,
    read_typed,
)
from signalpost.api.http.body_reader import COMMIT_FROM
from signalpost.api.http.request import TRACEPARENT, Request
from signalpost.api.routing.queries import Query, read_query
from signalpost.api.routing.services import Services
from signalpost.commands.command import IdempotencyKey
from signalpost.domain import fields, trace_context
from signalpost.domain.access.portal_link import PortalLink
from signalpost.domain.access.tenant import Tenant
from signalpost.domain.audit import Actor
from signalpost.domain.body import read
from signalpost.domain.checks import Bad, Check
from signalpost.domain.errors import CallerError, FieldError, Invalid, NotFound, TooLarge, Unparseable, UnsupportedMedia
from signalpost.domain.event import event_id
from signalpost.domain.subscription import Subscription

T = TypeVar("T")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
TENANT: Final = b"signalpost-tenant"
"""The header that names the tenant of a call."""
MERGE_PATCH: Final = "application/merge-patch+json"
JSON_TYPES: Final = ("application/json", MERGE_PATCH)


class Variant(Struct, frozen=True):
    """Another kind that a body may be of."""

    name: str
    """What generated clients call it."""
    kind: Any
    is_meant: Callable[[Mapping[str, Any]], bool]
    """Whether a body that was decoded is meant to be of this kind."""


class RequestBody(Struct, frozen=True):
    """What a call takes as its body: JSON of one type, or (NDJSON) one such JSON object per line."""

    kind: Any
    """A struct, or a union of tagged ones."""
    optional: bool = False
    """The body may be left out, as if it were an empty object."""
    variants: Sequence[Variant] = ()
    """Other types that a body may be of."""
    media_types: Sequence[str] = JSON_TYPES


class ChangeRequest(Struct, frozen=True):
    """What a call that changes something was given."""

    body: Any
    """The checked body, an instance of the route's `RequestBody`; None if the route takes no body."""
    query: Any
    """The checked parameters, an instance of the route's `Query`."""
    idempotency: IdempotencyKey | None


class NotYet(Exception):
    """Something that was asked for has not arrived, or must be read by another thread. Wait for it, and ask again."""

    def __init__(self, waits_for: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.waits_for = waits_for


class NeedsLoop(Exception):
    """What was asked for on the thread that reads needs the event loop. Ask for it there."""


class RequestContext:
    def __init__(
        self,
        request: Request,
        services: Services,
        principal: Principal,
        tenant: Tenant,
        query: type[Query],
        body: RequestBody | None,
        *,
        changes_tenant: bool,
        is_on_loop: bool = True,
    ) -> None:
        """`query` and `body` are what its route takes, and `changes_tenant` is whether the call is refused while the
        tenant is paused. The call is made on the event loop, or on the thread that reads."""
        self.services = services
        self.principal = principal
        self.tenant_id = tenant.id
        self.tenant_name = tenant.name
        self.request_id = request.id
        self.request = request
        self.may_be_traced = TRACEPARENT in request.head.named or services.traces is not None
        """Whether `trace` can name one."""
        self._query = query
        self._takes = body
        self._changes_tenant = changes_tenant
        self.is_on_loop = is_on_loop
        self._content: bytes | None = None
        self._value: Any = UNSET
        """The JSON value of the body, once it is decoded."""

    def need_loop(self) -> None:
        """For what waits for more than the store. Raises NeedsLoop."""
        if not self.is_on_loop:
            raise NeedsLoop

    # --- What the caller may see --------------------------------------------------------------------------------------

    @property
    def portal(self) -> PortalLink | None:
        """The link by which a customer came; None for every other caller."""
        return self.principal.portal

    def subscriptions(self) -> Sequence[Subscription]:
        """The tenant's subscriptions that the caller may know of, oldest first."""
        directory, link = self.services.directory, self.portal
        if link is None:
            return directory.subscriptions(self.tenant_id)
        if link.subscriptions == "all":
            return directory.originals(self.tenant_id)
        named = map(self.subscription, {*link.subscriptions})
        return sorted((each for each in named if each is not None), key=attrgetter("number"))

    def originals(self) -> Sequence[Subscription]:
        """The same without shadows. How those do is shown of each alone: in no list of many, and in no count."""
        return self.services.directory.originals(self.tenant_id) if self.portal is None else self.subscriptions()

    def subscription(self, subscription_id: str) -> Subscription | None:
        """The tenant's subscription with this id; None if there is none, or the caller may not know of it."""
        found, link = self.services.directory.subscription(self.tenant_id, subscription_id), self.portal
        if found is None or link is None or (link.reaches(found.id) and found.shadow_of is None):
            return found
        return None

    # --- Path and query -----------------------------------------------------------------------------------------------

    def path_uuid(self, name: str, what: str) -> str:
        """An id in the path; what is no UUID cannot be there. Raises NotFound."""
        try:
            identity: str = fields.uuid(self.request.path_params[name])
        except Bad:
            raise NotFound(f"{what}_not_found", f"There is no {what} with this {name}.") from None
        return identity

    def path_text(self, name: str) -> str:
        return self.request.path_params[name]

    def query(self) -> Any:
        """The query's parameters, each given at most once and checked: an instance of the route's `Query`. Raises
        Invalid naming every bad one."""
        given = self.request.query()
        return read_query(self._query, given) if given else self._query()

    # --- Headers ------------------------------------------------------------------------------------------------------

    @property
    def within(self) -> int | None:
        """The tenant whose keys or members are meant; None for those of all, if the call names no tenant."""
        return None if self.request.header(TENANT) is None else self.tenant_id

    async def check_still_allowed(self) -> None:
        """For a call that lasts. Raises Unauthenticated if its API key was revoked or expired meanwhile, Conflict
        if the tenant was paused and the call would change it, NotFound if it was deleted, and Unavailable if
        none of that can be known."""
        await self.services.principals.check(self.principal)
        if self._changes_tenant:
            self.services.directory.check_changeable(self.tenant_id)

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit."""
        caller, source = self.principal, self.request.source(self.services.installation.trusted_proxies)
        return Actor(
            kind=caller.kind,
            id=caller.id,
            name=caller.name,
            role=caller.role,
            source=source,
            request=self.request_id,
        )

    @property
    def trace(self) -> bytes:
        """The trace context in which a change is asked for: that of the client, or the request's own span within it."""
        given = trace_context.parse(self.request.header(TRACEPARENT))
        return given if self.services.traces is None else trace_context.asked_within(given, self.request.span)

    @property
    def if_match(self) -> frozenset[str] | None:
        header = self.request.header(b"if-match")
        return None if header is None else frozenset(tag.strip() for tag in header.split(","))

    async def idempotency(self, content: bytes | None = None) -> IdempotencyKey | None:
        """The `Idempotency-Key`, with the hash of the request that it came with; `content` stands for its body if
        that is read as it comes. Raises Invalid."""
        return await self._once_here(partial(self._idempotency, content))

    def _idempotency(self, content: bytes | None = None) -> IdempotencyKey | None:
        key = self.request.header(b"idempotency-key")
        if key is None:
            return None
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            detail = "This must be 1 to 255 printable ASCII characters without spaces."
            raise Invalid([FieldError("Idempotency-Key", "bad_key", detail)])
        request = self.request
        digest = hashlib.sha256(f"{request.method} {request.path}?".encode() + request.head.query + b"\n")
        digest.update((self.request.header(b"if-match") or "").encode("latin-1") + b"\n")
        digest.update(self._whole_body() if content is None else content)
        return IdempotencyKey(self.principal.key_id, key, digest.digest())

    @property
    def content_type(self) -> str:
        return self.request.header(b"content-type") or ""

    @property
    def content_length(self) -> int:
        """How many bytes of body the client announced; 0 if it announced none."""
        return self.request.head.length or 0

    # --- Body ---------------------------------------------------------------------------------------------------------

    async def body(self) -> bytes:
        """The whole body. Raises TooLarge before more than the limit is read, Unparseable if it takes too long, and
        what `check_still_allowed` raises, since a client may take its time with the last byte."""
        return await self._once_here(self._whole_body)

    async def _once_here(self, ask: Callable[[], T]) -> T:
        """What `ask` returns once all that it needs of the request is here."""
        while True:
            try:
                return ask()
            except NotYet as not_yet:
                await not_yet.waits_for()

    def _whole_body(self) -> bytes:
        """The whole body. Raises NotYet, and as `body` does."""
        if self._content is None:
            content = self.request.body.whole()
            if content is None:
                raise NotYet(self._read_in_time)
            if len(content) > MAX_BODY_BYTES:
                raise _too_large()
            self._content = content
        return self._content

    async def _read_in_time(self) -> None:
        if self.content_length > MAX_BODY_BYTES:
            raise _too_large()
        seconds = self.services.installation.idle_seconds
        try:
            async with asyncio.timeout(seconds):
                self._content = await self._read()
        except TimeoutError:
            raise Unparseable("incomplete_body", f"The body was not complete within {seconds:g} s.") from None
        await self.check_still_allowed()

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            part, more = await self.request.part()
            size += len(part)
            if size > MAX_BODY_BYTES:
                raise _too_large()
            parts.append(part)
        return b"".join(parts)

    async def arriving(self) -> AsyncIterator[bytes]:
        """The body in parts, as they arrive. It may take any time as long as parts keep arriving. Raises Unparseable if
        it breaks off."""
        idle, more = self.services.installation.idle_seconds, True
        while more:
            try:
                async with asyncio.timeout(idle):
                    part, more = await self.request.part()
            except TimeoutError:
                raise Unparseable("incomplete_body", f"No more of the body arrived for {idle:g} s.") from None
            yield part

    def check_media_type(self, takes: RequestBody) -> None:
        """Raises UnsupportedMedia."""
        allowed = takes.media_types
        given = self.request.header(b"content-type")
        if given is None or given in allowed:
            return
        media_type = given.partition(";")[0].strip().lower()
        if media_type not in allowed:
            raise UnsupportedMedia("wrong_media_type", f"Send `content-type: {allowed[0]}`, not `{media_type[:100]}`.")

    async def read_body(self, **also: Check) -> Any:
        """The body, checked. `also` are checks that need to know the call, by the members' names on the wire. Raises
        UnsupportedMedia, Unparseable, Invalid, TooLarge."""
        return await self._once_here(partial(self._checked_body, also))

    def _checked_body(self, also: Mapping[str, Check]) -> Any:
        """Raises NotYet, and as `read_body` does."""
        if self._takes is None:
            return None
        begun = thread_time()
        try:
            return self._body_of(self._takes, also)
        except (CallerError, NotYet):
            self.request.refused_body_seconds += thread_time() - begun
            raise

    def _body_of(self, takes: RequestBody, also: Mapping[str, Check]) -> Any:
        content = self._whole_body()
        if takes.optional and not content:
            return read(takes.kind, {})
        self.check_media_type(takes)
        if not takes.variants and (body := read_typed(takes.kind, content, also)) is not None:
            return body
        value = self._value_of_body()  # read once more, to say all that is wrong
        if len(content) >= COMMIT_FROM:
            self.request.large_body = len(content), asyncio.get_running_loop().time()
        meant = (each.kind for each in takes.variants if isinstance(value, dict) and each.is_meant(value))
        return read(next(meant, takes.kind), value, also)

    async def body_as_sent(self) -> Mapping[str, Any]:
        """The members of the body before they are checked, for checks that need several of them; empty if there are
        none. Raises as `body` does."""
        try:
            value = await self._once_here(self._value_of_body)
        except Unparseable:
            return {}
        return value if isinstance(value, dict) else {}

    def _value_of_body(self) -> Any:
        """The JSON value of the body. Raises NotYet, and Unparseable."""
        if self._value is UNSET:
            content = self._whole_body()
            if (value := _decoded_at_once(content)) is UNSET:
                raise NotYet(self._decode_elsewhere)
            self._value = value
        return self._value

    async def _decode_elsewhere(self) -> None:
        self._value = await self.decoded(self._whole_body())

    async def decoded(self, content: bytes) -> Any:
        """The JSON value of a body, or of a line of one. Raises Unparseable.

        What may take long is done on another thread, one body after the other in turns between tenants: a large body,
        which may take 0.2 s, and the search for what is wrong with a bad one."""
        if (value := _decoded_at_once(content)) is not UNSET:
            return value
        services = self.services
        return await services.body_reader.read(self.tenant_id, content, is_shared=services.limits.loop.is_shared)

    def change(self, **also: Check) -> ChangeRequest:
        """All that a change was asked for with. Raises as `read_body` does, one Invalid for everything that is wrong in
        the query, the body and the headers, and NotYet while the body is on its way."""
        wrong: list[FieldError] = []
        query: Any = None
        body: Any = None
        idempotency: IdempotencyKey | None = None
        try:
            query = self.query()
        except Invalid as invalid:
            wrong += invalid.errors
        try:
            body = self._checked_body(also)
        except Invalid as invalid:
            wrong += invalid.errors
        try:
            idempotency = self._idempotency()
        except Invalid as invalid:
            wrong += invalid.errors
        if wrong:
            raise Invalid(wrong)
        return ChangeRequest(body, query, idempotency)

    async def read_change(self, **also: Check) -> ChangeRequest:
        """The same, for a handler that may wait for it."""
        return await self._once_here(partial(self.change, **also))

    async def turn(self) -> None:
        """Wait until the next slice of long work on the event loop may be done."""
        await self.services.engine.turns.turn(self.tenant_id)

    async def pay(self, seconds: float) -> None:
        """Wait until what took so much of the event loop's time, and changed nothing, may go on."""
        if self.request.caller is not None:
            await self.services.limits.loop.pay(self.request.caller, seconds)

    def new_id(self) -> str:
        """A fresh UUIDv7."""
        return event_id(self.services.clock.wall(), self.services.random_bits(62))


def _decoded_at_once(content: bytes) -> Any:
    """The JSON value of a body; UNSET if another thread has to read it. Raises Unparseable."""
    if len(content) <= LARGE_BODY_BYTES:
        try:
            return read_quickly(content)
        except DecoderRefused:
            if len(content) <= SMALL_BODY_BYTES:
                return read_slowly(content)
    return UNSET


def _too_large() -> TooLarge:
    return TooLarge("body_too_large", f"A body can have at most {MAX_BODY_BYTES} bytes.")
