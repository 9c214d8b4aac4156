"""Versions of documents: upload, list, publish and download them."""

from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from signalpost.api.http.multipart import MEDIA_TYPE, read_form
from signalpost.api.http.request import Request
from signalpost.api.http.response import Response, StreamedResponse
from signalpost.api.rendering import respond
from signalpost.api.resources.documents import document_id_of, find_document
from signalpost.api.resources.uploads import MAX_FILE_BYTES, add_version, received_file, too_large, within_limit
from signalpost.api.routing.context import RequestBody, RequestContext
from signalpost.api.routing.only_reads import only_reads
from signalpost.api.routing.queries import FromText, ListQuery, cursor_to, write_cursor
from signalpost.api.routing.route import CHANGES_DOCUMENTS, READS, Binary, Example, OneChange, OpenRoute, Reply, Route
from signalpost.api.routing.services import Services
from signalpost.api.routing.shapes.documents import KeptVersion, Number, VersionPage
from signalpost.commands.documents import check_precondition
from signalpost.commands.versions import AddVersion, PublishVersion
from signalpost.domain.body import Body, check_of_text, read_by
from signalpost.domain.documents import document
from signalpost.domain.documents.document import DocumentRow
from signalpost.domain.documents.links import LIFETIME, PATH, LinkTarget
from signalpost.domain.documents.version import MAX_PART, VersionRow, parse_number, require_live
from signalpost.domain.documents.version import Number as VersionNumber
from signalpost.domain.errors import Conflict, LinkRefused, NoSuchRange, NotFound
from signalpost.domain.timestamps import SECOND, format_timestamp

_MAX_FORM_BYTES: Final = MAX_FILE_BYTES + 64 * 1024
"""A form has a little more than its file."""
REDIRECT_SECONDS: Final = 10
"""How long the URL works to which a download link redirects. A link that expires sooner serves the file itself."""


class VersionQuery(ListQuery, frozen=True):
    cursor: Annotated[FromText, cursor_to(VersionNumber, largest=MAX_PART)] = None


async def upload(context: RequestContext) -> Response:
    context.query()
    context.check_media_type(_BODY)
    title = await _check_document(context)
    await context.idempotency(b"")  # a bad key is refused before a large file is read
    async with context.services.files.upload() as incoming:
        form = await read_form(
            context.content_type, _bounded(context), "file", _TEXTS, within_limit(context.services, incoming)
        )
        file = await received_file(context.services, incoming)
        await context.check_still_allowed()
        publish = form.get("publish", False)
        command = AddVersion(
            tenant_id=context.tenant_id,
            document_id=document_id_of(context),
            file=file,
            publish=publish,
            by=context.principal.name,
            caller=context.principal.key_id,
            if_match=context.if_match,
            idempotency=await context.idempotency(file.sha256 + bytes([publish])),
            trace=context.trace,
        )
        outcome = await add_version(context.services, incoming, title, command)
        return respond(outcome, context.services.links)


@only_reads
async def list_all(context: RequestContext) -> VersionPage:
    query: VersionQuery = context.query()
    row = await find_document(context)
    found = await context.services.store.versions.page(context.tenant_id, row.external_id, query.cursor, query.limit)
    return VersionPage(
        data=[_shown(context, version) for version in found],
        next=write_cursor(found[-1].number) if len(found) == query.limit else None,
    )


def publish(context: RequestContext) -> PublishVersion:
    document_id = document_id_of(context)
    number = _number(context)
    change = context.change()
    return PublishVersion(
        tenant_id=context.tenant_id,
        document_id=document_id,
        version_number=number,
        by=context.principal.name,
        caller=context.principal.key_id,
        if_match=context.if_match,
        idempotency=change.idempotency,
    )


async def download(context: RequestContext) -> StreamedResponse:
    context.query()
    row, number = await find_document(context), _number(context)
    version = require_live(await context.services.store.versions.get(context.tenant_id, row.external_id, number))
    return await context.services.downloads.response(context.request, version, _title(row))


async def follow_link(services: Services, request: Request) -> Response | StreamedResponse:
    """Serves the file of a link. No matter what is wrong with the link, the answer is the same and comes before any
    lookup."""
    linked = services.links.read(request.path_params["token"])
    now = services.clock.wall()
    if linked is None or now >= linked.expires_at:
        raise LinkRefused
    version = await services.store.versions.get(linked.tenant_id, linked.document_id, linked.number)
    if version is None:
        raise LinkRefused
    if request.method == "GET" and now + REDIRECT_SECONDS * SECOND <= linked.expires_at:
        redirect = await services.downloads.redirect(version, REDIRECT_SECONDS)
        if redirect is not None:
            return redirect
    row = await services.store.documents.get(linked.tenant_id, linked.document_id)
    title = None if row is None or row.deleted_at is not None else _title(row)
    return await services.downloads.response(request, version, title)


def _title(row: DocumentRow) -> str:
    return document.decode(row.body).title


# --- An upload, step by step ------------------------------------------------------------------------------------------


async def _check_document(context: RequestContext) -> str:
    """The title of the document. Refuses, before the file is read, what would be refused after it."""
    context.services.engine.disk.check()
    row = await find_document(context)
    check_precondition(context.if_match, row.etag)
    if context.content_length > _MAX_FORM_BYTES:
        raise too_large()
    return _title(row)


async def _bounded(context: RequestContext) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in context.arriving():
        size += len(chunk)
        if size > _MAX_FORM_BYTES:
            raise too_large()
        yield chunk


# --- Numbers and answers ----------------------------------------------------------------------------------------------


def _number(context: RequestContext) -> VersionNumber:
    return parse_number(context.path_text("number"))


def _shown(context: RequestContext, version: VersionRow) -> KeptVersion:
    expires_at = context.services.clock.wall() + LIFETIME
    linked = LinkTarget(context.tenant_id, version.document_id, version.number, expires_at)
    return KeptVersion(
        number=str(version.number),
        published_as=None if version.published_as is None else str(version.published_as),
        content_type=version.file.content_type,
        size=version.file.size,
        sha256=version.file.sha256.hex(),
        created_at=format_timestamp(version.created_at),
        created_by=version.created_by,
        download_url=context.services.links.link(linked),
    )


class VersionForm(Body, frozen=True, kw_only=True):
    file: Annotated[
        str,
        Meta(
            min_length=1,
            description="At most 100 MiB.",
            extra_json_schema={"format": "binary"},
            extra=read_by(str),
        ),
    ]
    """The file. Its bytes are streamed to the file storage and are not part of this value."""
    publish: Annotated[Literal["true", "false"], Meta(description="Publish it at once.")] = "false"


_TEXTS: Final = {"publish": check_of_text(bool)}
_BODY: Final = RequestBody(VersionForm, media_types=(MEDIA_TYPE,))
_VERSIONS = "/v1/documents/{externalId}/versions"
_FILE_HEADERS: Final = (
    "etag", "last-modified", "accept-ranges", "content-disposition", "content-security-policy",
    "x-content-type-options",
)  # fmt: skip
_FILE_REPLIES: Final = {
    200: Reply("The file.", Binary, _FILE_HEADERS),
    206: Reply("The requested byte range of the file.", Binary, (*_FILE_HEADERS, "content-range")),
}
_MADE: Final = ("etag", "location", "signalpost-event")

ROUTES = (
    Route(
        name="upload_version",
        method="POST",
        path=_VERSIONS,
        summary="Upload a version of a document",
        roles=CHANGES_DOCUMENTS,
        handler=upload,
        changes=True,
        body=_BODY,
        conditional=True,
        idempotent=True,
        replies={201: Reply("The version. A `documentUpdated` event will be delivered.", Number, _MADE)},
        errors=(NotFound,),
        example=Example({"file": "@contract.pdf", "publish": "true"}),
    ),
    Route(
        name="list_versions",
        method="GET",
        path=_VERSIONS,
        summary="List the versions that the gateway keeps of a document",
        roles=READS,
        handler=list_all,
        query=VersionQuery,
        replies={200: Reply("A page, highest number first. Download links are valid for 15 minutes.", VersionPage)},
        errors=(NotFound,),
        example=Example(query={"limit": "10"}),
    ),
    Route(
        name="publish_version",
        method="POST",
        path=_VERSIONS + "/{number}/publish",
        summary="Publish a draft",
        roles=CHANGES_DOCUMENTS,
        handler=OneChange(publish),
        conditional=True,
        idempotent=True,
        replies={201: Reply("The published version. A `documentUpdated` event will be delivered.", Number, _MADE)},
        errors=(NotFound, Conflict),
        example=Example(),
    ),
    Route(
        name="download_version",
        method="GET",
        path=_VERSIONS + "/{number}/file",
        summary="Download a version's file",
        roles=READS,
        handler=download,
        replies=_FILE_REPLIES,
        errors=(NotFound, NoSuchRange),
        example=Example(),
    ),
)
LINK_ROUTES = (
    OpenRoute(
        name="follow_link",
        path=PATH + "{token}",
        summary="Download a file by its link, which is valid for 15 minutes",
        handler=follow_link,
        replies={
            **_FILE_REPLIES,
            302: Reply(
                "Redirect to the storage service. The address in `location` is valid for some seconds.",
                headers=("location",),
            ),
        },
        errors=(LinkRefused, NoSuchRange),
    ),
)
