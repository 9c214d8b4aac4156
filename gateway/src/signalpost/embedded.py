"""Documents for a program that embeds the gateway: the API's calls without HTTP.

Fields are checked as the API checks them; commands and events are the same. Where the API answers with a problem, a
method here raises the error behind it. The `errors` of an Invalid name fields as the API does.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypedDict, Unpack

from msgspec import structs

from signalpost.api.resources.uploads import add_version, received_file, within_limit
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.documents import Document
from signalpost.api.shown import document_shown
from signalpost.commands.command import Command, CommandOutcome, CompletedCommand, Result
from signalpost.commands.documents import (
    CreateDocument,
    DeleteDocument,
    DocumentCreated,
    DocumentImported,
    DocumentPatched,
    ImportDocument,
    PatchDocument,
)
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.commands.workflow import ActionTaken, ActOnDocument
from signalpost.domain import body
from signalpost.domain.audit import Actor
from signalpost.domain.checks import Bad
from signalpost.domain.documents import bodies, document
from signalpost.domain.documents.actions import RequestedAction, action_of, given_with
from signalpost.domain.documents.bodies import DocumentPatch, Snapshot
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.version import parse_number
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import event_id
from signalpost.domain.fields import Uuid
from signalpost.domain.trace_context import parse

Fact = str | int | float | bool


class OptionalAttributes(TypedDict, total=False):
    """Attributes that a document may lack. Dates and times are texts, as everywhere in the contract (C4)."""

    start_date: str | None
    expiry_date: str | None
    reference_id: str | None
    contract_value: float | None
    counterparty_name: str | None


class CreationFields(OptionalAttributes, total=False):
    """What `create` takes in addition to the attributes that every document needs."""

    source_app: str
    additional_facts: dict[str, Fact]


class DocumentChanges(OptionalAttributes, total=False):
    """A merge patch. None removes an attribute that a document may lack, and a fact."""

    type: str
    title: str
    owner_email: str
    author_email: str
    additional_facts: dict[str, Fact | None] | None


class ActionFields(TypedDict, total=False):
    """What the actions of the workflow take. Each action takes some of these."""

    reviewers: list[str]
    approvers: list[str]
    signers: list[str]
    expires_at: str
    by: str
    reason: str


class Documents:
    """The documents of a tenant. What a method returns is durable. Every method raises CallerError if it is refused
    (Invalid names every bad field), and Unavailable if it cannot be done now. `trace` is the `traceparent` of the
    work that a change belongs to; a malformed one is ignored."""

    def __init__(self, services: Services, tenant_id: int, name: str) -> None:
        self._services = services
        self._tenant_id = tenant_id
        self._name = name

    async def create(
        self,
        *,
        type: str,  # noqa: A002 - as the contract calls it
        title: str,
        owner_email: str,
        author_email: str,
        trace: str | None = None,
        **more: Unpack[CreationFields],
    ) -> Document:
        """Creates a document. Its `source_app` is this program's name, unless it is given."""
        given = {"type": type, "title": title, "owner_email": owner_email, "author_email": author_email, **more}
        return await self._changed(
            CreateDocument(
                tenant_id=self._tenant_id,
                document_id=event_id(self._services.clock.wall(), self._services.random_bits(62)),
                new=body.read(bodies.NewDocument, _on_the_wire(given)),
                source_app=self._name,
                trace=parse(trace),
            )
        )

    async def read(self, external_id: str) -> Document:
        """Raises NotFound."""
        row = await self._row(_uuid(external_id))
        return document_shown(row, self._services.links, self._tenant_id, self._services.clock.wall())

    async def patch(
        self, external_id: str, *, trace: str | None = None, **changes: Unpack[DocumentChanges]
    ) -> Document:
        """Changes attributes of a document, and returns it as it is now. Raises NotFound."""
        patch = body.read(DocumentPatch, _on_the_wire(changes))
        return await self._changed(
            PatchDocument(tenant_id=self._tenant_id, document_id=_uuid(external_id), patch=patch, trace=parse(trace))
        )

    async def delete(self, external_id: str, source_version: int | None = None, *, trace: str | None = None) -> None:
        """Deletes a document. Raises NotFound, but not with a `source_version`: then a deletion that is older than the
        document, or known already, changes nothing, and one of a document that was never there keeps out older
        snapshots of it."""
        actor = Actor(kind="program", id=f"program:{self._name}", name=self._name)
        command = DeleteDocument(
            tenant_id=self._tenant_id,
            document_id=_uuid(external_id),
            source_version=source_version,
            actor=actor,
            trace=parse(trace),
        )
        await self._submit(command)

    async def import_snapshot(
        self,
        external_id: str,
        snapshot: dict[str, Any],
        source_version: int | None = None,
        *,
        trace: str | None = None,
    ) -> Document:
        """Takes over a document as another system has it, and returns it as it is now. `snapshot` has the names of the
        contract (C7): `ownerEmail`, not `owner_email`. A lower `source_version` than the last changes nothing."""
        said = body.read(Snapshot, {**snapshot, "externalId": external_id})
        command = ImportDocument(
            tenant_id=self._tenant_id,
            document_id=said.external_id,
            snapshot=said,
            source_version=source_version,
            trace=parse(trace),
        )
        return await self._changed(command)

    async def act(
        self, external_id: str, action: str, *, trace: str | None = None, **given: Unpack[ActionFields]
    ) -> Document:
        """Moves a document through its workflow: `act(id, "requestReview", reviewers=["lawyer@example.com"])`."""
        requested = body.read(RequestedAction, {"action": action, **_on_the_wire(given)})
        command = ActOnDocument(
            tenant_id=self._tenant_id,
            document_id=_uuid(external_id),
            action=action_of(requested),
            given=given_with(requested),
            trace=parse(trace),
        )
        return await self._changed(command)

    async def upload(
        self,
        external_id: str,
        content: bytes | AsyncIterator[bytes],
        *,
        publish: bool = False,
        trace: str | None = None,
    ) -> str:
        """Stores a file as the next draft, or with `publish` as the next publication. Returns the version's number."""
        await self._services.engine.check_changeable(self._tenant_id)
        document_id = _uuid(external_id)
        title = document.decode((await self._row(document_id)).body).title
        async with self._services.files.upload() as incoming:
            write = within_limit(self._services, incoming)
            async with aclosing(_parts(content)) as parts:
                async for part in parts:
                    await write(part)
            command = AddVersion(
                tenant_id=self._tenant_id,
                document_id=document_id,
                file=await received_file(self._services, incoming),
                publish=publish,
                by=self._name,
                trace=parse(trace),
            )
            added = _completed(await add_version(self._services, incoming, title, command))
            return str(added.result.version.number)

    async def publish(self, external_id: str, number: str, *, trace: str | None = None) -> str:
        """Publishes a draft. Returns the number that it was published as."""
        command = PublishVersion(
            tenant_id=self._tenant_id,
            document_id=_uuid(external_id),
            version_number=parse_number(number),
            by=self._name,
            trace=parse(trace),
        )
        published = await self._submit(command)
        return str(published.result.version.number)

    async def _row(self, document_id: str) -> DocumentRow:
        return document.require_live(await self._services.store.documents.get(self._tenant_id, document_id))

    async def _changed(
        self, command: Command[DocumentCreated | DocumentPatched | DocumentImported | ActionTaken]
    ) -> Document:
        completed = await self._submit(command)
        return document_shown(completed.result.row, self._services.links, self._tenant_id, completed.at)

    async def _submit(self, command: Command[Result]) -> CompletedCommand[Result]:
        await self._services.engine.check_changeable(self._tenant_id)
        return _completed(await self._services.engine.submit(command))


_check_uuid = body.check_of(Uuid)
_NAMES = {each.name: each.encode_name for each in structs.fields(document.Document)} | {"expires_at": "expiresAt"}


def _on_the_wire(given: Any) -> dict[str, Any]:
    """The fields under the names of the contract. Unknown names stay, so that the check names them."""
    return {_NAMES.get(name, name): value for name, value in given.items()}


def _uuid(external_id: str) -> str:
    try:
        return str(_check_uuid(external_id))
    except Bad as bad:
        raise Invalid([FieldError("externalId", bad.code, bad.detail)]) from None


def _completed(outcome: CommandOutcome[Result]) -> CompletedCommand[Result]:
    assert isinstance(outcome, CompletedCommand)  # no command here has an Idempotency-Key
    return outcome


async def _parts(content: bytes | AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(content, bytes):
        yield content
        return
    async for part in content:
        yield part
