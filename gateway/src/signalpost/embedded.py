"""Documents for a program that has the gateway inside: the API's calls without HTTP.

It is a way in like the API, and no other one: the same checks of every field, the same commands, the same events. What
the API answers with a problem is raised here as that problem's exception; its `errors` name the fields as the API does.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypedDict, Unpack

import msgspec

from signalpost.api.resources.uploads import add_version, received_file, within_limit
from signalpost.api.routing.context import Choice
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes import Document
from signalpost.commands.documents import CreateDocument, DeleteDocument, ImportDocument, PatchDocument, document_answer
from signalpost.commands.overlay import Answer, Command
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.commands.workflow import ActOnDocument
from signalpost.domain import fields
from signalpost.domain.documents import document, workflow
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.version import parse_number
from signalpost.domain.errors import FieldError, Invalid
from signalpost.domain.event import event_id
from signalpost.domain.fields import Bad

Fact = str | int | float | bool
_decode = msgspec.json.Decoder(Document).decode


class Optional(TypedDict, total=False):
    """What a document may have. Dates are texts, as everywhere in the contract (C4)."""

    start_date: str | None
    expiry_date: str | None
    reference_id: str | None
    contract_value: float | None
    counterparty_name: str | None


class NewDocument(Optional, total=False):
    source_app: str
    additional_facts: dict[str, Fact]


class DocumentChanges(Optional, total=False):
    """A merge patch: None removes what may be missing, and a fact."""

    type: str
    title: str
    owner_email: str
    author_email: str
    additional_facts: dict[str, Fact | None] | None


class ActionFields(TypedDict, total=False):
    """What an action of the workflow takes; each takes some of it."""

    reviewers: list[str]
    approvers: list[str]
    signers: list[str]
    expires_at: str
    by: str
    reason: str


class Documents:
    """A tenant's documents. Every method raises CallerError where it is refused (Invalid names every bad field) and
    Unavailable where it cannot be done now; what it returned is durable."""

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
        **more: Unpack[NewDocument],
    ) -> Document:
        given = {"type": type, "title": title, "owner_email": owner_email, "author_email": author_email, **more}
        return await self._submit(
            CreateDocument(
                tenant_id=self._tenant_id,
                document_id=event_id(self._services.clock.wall(), self._services.random_bits(62)),
                checked=fields.check_object(_on_the_wire(given), document.NEW, document.NEW_REQUIRED),
                source_app=self._name,
            )
        )

    async def read(self, external_id: str) -> Document:
        row = await self._row(_uuid(external_id))
        now = self._services.clock.wall()
        return _decode(document_answer(row, self._services.links, self._tenant_id, now).body)

    async def patch(self, external_id: str, **changes: Unpack[DocumentChanges]) -> Document:
        checked = fields.check_object(_on_the_wire(changes), document.PATCH)
        return await self._submit(
            PatchDocument(tenant_id=self._tenant_id, document_id=_uuid(external_id), checked=checked)
        )

    async def delete(self, external_id: str) -> None:
        command = DeleteDocument(tenant_id=self._tenant_id, document_id=_uuid(external_id))
        await self._services.engine.submit(command)

    async def import_snapshot(
        self, external_id: str, snapshot: dict[str, Any], source_version: int | None = None
    ) -> Document:
        """`snapshot` is as another system's, with the names of the contract (C7): `ownerEmail`, not `owner_email`."""
        checked = fields.check_object(
            {**snapshot, "externalId": external_id}, document.SNAPSHOT, document.SNAPSHOT_REQUIRED
        )
        command = ImportDocument(
            tenant_id=self._tenant_id,
            document_id=checked["externalId"],
            checked=checked,
            source_version=source_version,
        )
        return await self._submit(command)

    async def act(self, external_id: str, action: str, **given: Unpack[ActionFields]) -> Document:
        """Move a document through its workflow: `act(id, "requestReview", reviewers=["lawyer@example.com"])`."""
        checked = _ACTION.check({"action": action, **_on_the_wire(given)}, {})
        command = ActOnDocument(
            tenant_id=self._tenant_id,
            document_id=_uuid(external_id),
            action=workflow.Action(checked["action"]),
            given=workflow.given(checked),
        )
        return await self._submit(command)

    async def upload(self, external_id: str, content: bytes | AsyncIterator[bytes], *, publish: bool = False) -> str:
        """The number of the version that it became."""
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
            )
            return _number(await add_version(self._services, incoming, title, command))

    async def publish(self, external_id: str, number: str) -> str:
        """The number that the draft was published as."""
        command = PublishVersion(
            tenant_id=self._tenant_id,
            document_id=_uuid(external_id),
            version_number=parse_number(number),
            by=self._name,
        )
        return _number(await self._services.engine.submit(command))

    async def _row(self, document_id: str) -> DocumentRow:
        return document.require_live(await self._services.store.documents.get(self._tenant_id, document_id))

    async def _submit(self, command: Command) -> Document:
        return _decode((await self._services.engine.submit(command)).body)


_ACTION = Choice("action", workflow.TAKES)
_NAMES = {attribute: name for name, attribute in document.ATTRIBUTES.items()} | {"expires_at": "expiresAt"}


def _on_the_wire(given: Any) -> dict[str, Any]:
    """With the names of the contract; an unknown one stays, and is named by the check."""
    return {_NAMES.get(name, name): value for name, value in given.items()}


def _uuid(external_id: str) -> str:
    try:
        return str(fields.uuid(external_id))
    except Bad as bad:
        raise Invalid([FieldError("externalId", bad.code, bad.detail)]) from None


def _number(answer: Answer) -> str:
    return str(msgspec.json.decode(answer.body)["number"])


async def _parts(content: bytes | AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(content, bytes):
        yield content
        return
    async for part in content:
        yield part
