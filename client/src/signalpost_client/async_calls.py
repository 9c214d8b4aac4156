"""Every call of the API but those by hand, asynchronous.

Generated from the gateway's route table by `python -m client.generator`; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import UNSET, UnsetType

from signalpost_client import shapes
from signalpost_client.core import Call, path
from signalpost_client.pages import AsyncNoun, AsyncPages, AsyncSender
from signalpost_client.shapes import (
    Capability,
    DeliveryStatus,
    DocumentStatus,
    EventType,
    HealthState,
    Ordering,
    ReplayStatus,
    Role,
)


class AsyncDocuments(AsyncNoun):
    """Calls of `/v1/documents`."""

    async def create(
        self,
        *,
        type: str,
        title: str,
        owner_email: str,
        author_email: str,
        start_date: date | datetime | str | None | UnsetType = UNSET,
        expiry_date: date | datetime | str | None | UnsetType = UNSET,
        reference_id: str | None | UnsetType = UNSET,
        contract_value: float | None | UnsetType = UNSET,
        counterparty_name: str | None | UnsetType = UNSET,
        additional_facts: Mapping[str, str | float | bool] | UnsetType = UNSET,
        source_app: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.Document:
        """Create a document. `POST /v1/documents`.

        `start_date`: A date, or a timestamp with its zone and at most six decimals.
        `expiry_date`: A date, or a timestamp with its zone and at most six decimals.
        `owner_email`: An e-mail address.
        `author_email`: An e-mail address.
        `contract_value`: At most two decimals.
        """
        return await self._sender.send(
            Call[shapes.Document](
                "POST",
                path("documents"),
                {201: shapes.Document},
                body={
                    "type": type,
                    "title": title,
                    "startDate": start_date,
                    "expiryDate": expiry_date,
                    "ownerEmail": owner_email,
                    "authorEmail": author_email,
                    "referenceId": reference_id,
                    "contractValue": contract_value,
                    "counterpartyName": counterparty_name,
                    "additionalFacts": additional_facts,
                    "sourceApp": source_app,
                },
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(
        self,
        *,
        status: DocumentStatus | None = None,
        type: str | None = None,
        reference_id: str | None = None,
        owner_email: str | None = None,
        updated_after: datetime | str | None = None,
        page_size: int = 250,
    ) -> AsyncPages[shapes.Document]:
        """List documents. `GET /v1/documents`.

        `owner_email`: An e-mail address.
        `updated_after`: Only documents that changed after this moment, most recently changed first.
        """
        return AsyncPages[shapes.Document](
            self._sender,
            Call[shapes.DocumentPage](
                "GET",
                path("documents"),
                {200: shapes.DocumentPage},
                query={
                    "status": status,
                    "type": type,
                    "referenceId": reference_id,
                    "ownerEmail": owner_email,
                    "updatedAfter": updated_after,
                    "limit": page_size,
                },
            ),
        )

    async def read(self, external_id: str) -> shapes.Document:
        """Read a document. `GET /v1/documents/{externalId}`."""
        return await self._sender.send(
            Call[shapes.Document]("GET", path("documents", external_id), {200: shapes.Document})
        )

    async def patch(
        self,
        external_id: str,
        *,
        type: str | UnsetType = UNSET,
        title: str | UnsetType = UNSET,
        start_date: date | datetime | str | None | UnsetType = UNSET,
        expiry_date: date | datetime | str | None | UnsetType = UNSET,
        owner_email: str | UnsetType = UNSET,
        author_email: str | UnsetType = UNSET,
        reference_id: str | None | UnsetType = UNSET,
        contract_value: float | None | UnsetType = UNSET,
        counterparty_name: str | None | UnsetType = UNSET,
        additional_facts: Mapping[str, str | float | bool | None] | None | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Document:
        """Change a document (JSON merge patch). `PATCH /v1/documents/{externalId}`.

        `start_date`: A date, or a timestamp with its zone and at most six decimals.
        `expiry_date`: A date, or a timestamp with its zone and at most six decimals.
        `owner_email`: An e-mail address.
        `author_email`: An e-mail address.
        `contract_value`: At most two decimals.
        `additional_facts`: A merge patch: null removes a fact, or all of them.
        """
        return await self._sender.send(
            Call[shapes.Document](
                "PATCH",
                path("documents", external_id),
                {200: shapes.Document},
                body={
                    "type": type,
                    "title": title,
                    "startDate": start_date,
                    "expiryDate": expiry_date,
                    "ownerEmail": owner_email,
                    "authorEmail": author_email,
                    "referenceId": reference_id,
                    "contractValue": contract_value,
                    "counterpartyName": counterparty_name,
                    "additionalFacts": additional_facts,
                },
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def import_document(
        self,
        external_id: str,
        *,
        type: str,
        title: str,
        owner_email: str,
        author_email: str,
        status: DocumentStatus,
        created_at: datetime | str,
        source_app: str,
        start_date: date | datetime | str | None | UnsetType = UNSET,
        expiry_date: date | datetime | str | None | UnsetType = UNSET,
        reference_id: str | None | UnsetType = UNSET,
        contract_value: float | None | UnsetType = UNSET,
        counterparty_name: str | None | UnsetType = UNSET,
        additional_facts: Mapping[str, str | float | bool] | UnsetType = UNSET,
        executed_at: datetime | str | None | UnsetType = UNSET,
        latest_version: Mapping[str, Any] | None | UnsetType = UNSET,
        published_version: Mapping[str, Any] | None | UnsetType = UNSET,
        source_version: int | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Document:
        """Import a snapshot of a document that another system keeps. `PUT /v1/documents/{externalId}`.

        `source_version`: The source system's version number. An older one changes nothing.
        `start_date`: A date, or a timestamp with its zone and at most six decimals.
        `expiry_date`: A date, or a timestamp with its zone and at most six decimals.
        `owner_email`: An e-mail address.
        `author_email`: An e-mail address.
        `contract_value`: At most two decimals.
        `created_at`: A timestamp with its zone and at most six decimals.
        `executed_at`: A timestamp with its zone and at most six decimals.
        `latest_version`: A version that another system keeps. Its link is passed on as it is.
        `published_version`: A version that another system keeps. Its link is passed on as it is.
        """
        return await self._sender.send(
            Call[shapes.Document](
                "PUT",
                path("documents", external_id),
                {200: shapes.Document, 201: shapes.Document},
                query={"sourceVersion": source_version},
                body={
                    "type": type,
                    "title": title,
                    "startDate": start_date,
                    "expiryDate": expiry_date,
                    "ownerEmail": owner_email,
                    "authorEmail": author_email,
                    "referenceId": reference_id,
                    "contractValue": contract_value,
                    "counterpartyName": counterparty_name,
                    "additionalFacts": additional_facts,
                    "status": status,
                    "createdAt": created_at,
                    "sourceApp": source_app,
                    "executedAt": executed_at,
                    "latestVersion": latest_version,
                    "publishedVersion": published_version,
                },
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self,
        external_id: str,
        *,
        source_version: int | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.KnownState | None:
        """Delete a document. `DELETE /v1/documents/{externalId}`.

        `source_version`: The source system's version number. An older one changes nothing.
        """
        return await self._sender.send(
            Call[shapes.KnownState | None](
                "DELETE",
                path("documents", external_id),
                {200: shapes.KnownState, 204: None},
                query={"sourceVersion": source_version},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list_versions(self, external_id: str, *, page_size: int = 250) -> AsyncPages[shapes.KeptVersion]:
        """List the versions that the gateway keeps of a document. `GET /v1/documents/{externalId}/versions`."""
        return AsyncPages[shapes.KeptVersion](
            self._sender,
            Call[shapes.VersionPage](
                "GET", path("documents", external_id, "versions"), {200: shapes.VersionPage}, query={"limit": page_size}
            ),
        )

    async def publish_version(
        self, external_id: str, number: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> shapes.Number:
        """Publish a draft. `POST /v1/documents/{externalId}/versions/{number}/publish`."""
        return await self._sender.send(
            Call[shapes.Number](
                "POST",
                path("documents", external_id, "versions", number, "publish"),
                {201: shapes.Number},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def download_version(self, external_id: str, number: str) -> bytes:
        """Download a version's file. `GET /v1/documents/{externalId}/versions/{number}/file`."""
        return await self._sender.send(
            Call[bytes]("GET", path("documents", external_id, "versions", number, "file"), {200: bytes, 206: bytes})
        )

    async def act_on(
        self,
        external_id: str,
        *,
        action: str,
        reviewers: Sequence[str] | UnsetType = UNSET,
        by: str | UnsetType = UNSET,
        reason: str | UnsetType = UNSET,
        approvers: Sequence[str] | UnsetType = UNSET,
        signers: Sequence[str] | UnsetType = UNSET,
        expires_at: datetime | str | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Document:
        """Act on a document: request a decision, decide, pause, resume or cancel. `POST
        /v1/documents/{externalId}/actions`.

        `reviewers`: E-mail addresses.
        `by`: The e-mail address of the person who decides.
        `reason`: The reason, for people to read.
        `approvers`: E-mail addresses.
        `signers`: E-mail addresses.
        `expires_at`: When the signature request expires.
        """
        return await self._sender.send(
            Call[shapes.Document](
                "POST",
                path("documents", external_id, "actions"),
                {200: shapes.Document},
                body={
                    "action": action,
                    "reviewers": reviewers,
                    "by": by,
                    "reason": reason,
                    "approvers": approvers,
                    "signers": signers,
                    "expiresAt": expires_at,
                },
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def read_workflow(self, external_id: str) -> shapes.Workflow:
        """Read which actions are allowed now, and who has not decided yet. `GET /v1/documents/{externalId}/actions`."""
        return await self._sender.send(
            Call[shapes.Workflow]("GET", path("documents", external_id, "actions"), {200: shapes.Workflow})
        )

    def list_history(
        self, external_id: str, *, deleted: bool | None = None, page_size: int = 250
    ) -> AsyncPages[shapes.HistoryEntry]:
        """List who did what to a document, and when. `GET /v1/documents/{externalId}/history`.

        `deleted`: Include a deleted document.
        """
        return AsyncPages[shapes.HistoryEntry](
            self._sender,
            Call[shapes.HistoryPage](
                "GET",
                path("documents", external_id, "history"),
                {200: shapes.HistoryPage},
                query={"deleted": deleted, "limit": page_size},
            ),
        )

    async def erase(self, external_id: str, *, idempotency_key: str | None = None) -> shapes.ErasureShown:
        """Erase what remains of a deleted document. `POST /v1/documents/{externalId}/erase`."""
        return await self._sender.send(
            Call[shapes.ErasureShown](
                "POST",
                path("documents", external_id, "erase"),
                {202: shapes.ErasureShown},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncSubscriptions(AsyncNoun):
    """Calls of `/v1/subscriptions`."""

    async def create(
        self,
        *,
        url: str | UnsetType = UNSET,
        event_types: Sequence[EventType] | UnsetType = UNSET,
        kind: str | UnsetType = UNSET,
        name: str | UnsetType = UNSET,
        headers: Mapping[str, str] | UnsetType = UNSET,
        sign_also: Sequence[Mapping[str, Any]] | UnsetType = UNSET,
        sign_with_key_pair: bool | UnsetType = UNSET,
        client_certificate: Mapping[str, Any] | None | UnsetType = UNSET,
        authorities: str | None | UnsetType = UNSET,
        oauth: Mapping[str, Any] | None | UnsetType = UNSET,
        ordering: Ordering | UnsetType = UNSET,
        rate_limit: int | None | UnsetType = UNSET,
        retry_delays: Sequence[int] | UnsetType = UNSET,
        secret: str | UnsetType = UNSET,
        trace: bool | UnsetType = UNSET,
        status: str | UnsetType = UNSET,
        when: Mapping[str, Any] | None | UnsetType = UNSET,
        after: Mapping[str, Any] | None | UnsetType = UNSET,
        objective: Mapping[str, Any] | None | UnsetType = UNSET,
        contacts: Sequence[str] | UnsetType = UNSET,
        starts_after: int | UnsetType = UNSET,
        starts_at: datetime | str | UnsetType = UNSET,
        shadow_of: str | UnsetType = UNSET,
        connection: str | UnsetType = UNSET,
        config: Mapping[str, Any] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.NewSubscription:
        """Create a subscription. `POST /v1/subscriptions`.

        `url`: An https URL without user name and fragment. International host names and IPv6 addresses are accepted,
        although the pattern excludes them. Plain http and private addresses need the operator's permission. The
        values of the query are write-only.
        `headers`: Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or
        port of the URL changes, give them again.
        `sign_also`: Signatures of other systems, sent beside the gateway's own.
        `sign_with_key_pair`: Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks,
        in `webhook-signature`. Its public keys are at `/.well-known/signalpost-keys/{id}`.
        `client_certificate`: A certificate with its private key.
        `authorities`: PEM: the authorities that the endpoint's certificate may be from, in place of those that the
        gateway trusts else.
        `oauth`: Where tokens are asked for, and as which client.
        `rate_limit`: Maximum attempts that start in any one second; after a pause, up to this many at once.
        `retry_delays`: Seconds before each retry.
        `trace`: Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says
        which requests belong together, so switch it on for endpoints of your own.
        `after`: How long after its event a delivery waits before it is sent.
        `objective`: The share of events that are to arrive within some seconds.
        `contacts`: E-mail addresses of people who are told when it fails, is about to be disabled or was, and when
        that is over.
        `starts_after`: Begin in the past: the subscription gets exactly the events with a higher sequence than this.
        Without it, or `startsAt`, it begins at the end of the log.
        `starts_at`: A timestamp with its zone and at most six decimals.
        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        """
        return await self._sender.send(
            Call[shapes.NewSubscription](
                "POST",
                path("subscriptions"),
                {201: shapes.NewSubscription},
                body={
                    "url": url,
                    "eventTypes": event_types,
                    "kind": kind,
                    "name": name,
                    "headers": headers,
                    "signAlso": sign_also,
                    "signWithKeyPair": sign_with_key_pair,
                    "clientCertificate": client_certificate,
                    "authorities": authorities,
                    "oauth": oauth,
                    "ordering": ordering,
                    "rateLimit": rate_limit,
                    "retryDelays": retry_delays,
                    "secret": secret,
                    "trace": trace,
                    "status": status,
                    "when": when,
                    "after": after,
                    "objective": objective,
                    "contacts": contacts,
                    "startsAfter": starts_after,
                    "startsAt": starts_at,
                    "shadowOf": shadow_of,
                    "connection": connection,
                    "config": config,
                },
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def check(
        self,
        *,
        url: str | UnsetType = UNSET,
        event_types: Sequence[EventType] | UnsetType = UNSET,
        kind: str | UnsetType = UNSET,
        name: str | UnsetType = UNSET,
        headers: Mapping[str, str] | UnsetType = UNSET,
        sign_also: Sequence[Mapping[str, Any]] | UnsetType = UNSET,
        sign_with_key_pair: bool | UnsetType = UNSET,
        client_certificate: Mapping[str, Any] | None | UnsetType = UNSET,
        authorities: str | None | UnsetType = UNSET,
        oauth: Mapping[str, Any] | None | UnsetType = UNSET,
        ordering: Ordering | UnsetType = UNSET,
        rate_limit: int | None | UnsetType = UNSET,
        retry_delays: Sequence[int] | UnsetType = UNSET,
        secret: str | UnsetType = UNSET,
        trace: bool | UnsetType = UNSET,
        status: str | UnsetType = UNSET,
        when: Mapping[str, Any] | None | UnsetType = UNSET,
        after: Mapping[str, Any] | None | UnsetType = UNSET,
        objective: Mapping[str, Any] | None | UnsetType = UNSET,
        contacts: Sequence[str] | UnsetType = UNSET,
        starts_after: int | UnsetType = UNSET,
        starts_at: datetime | str | UnsetType = UNSET,
        shadow_of: str | UnsetType = UNSET,
        connection: str | UnsetType = UNSET,
        config: Mapping[str, Any] | UnsetType = UNSET,
    ) -> None:
        """Check what a new subscription would be made of; nothing is stored or sent. `POST /v1/subscriptions/check`.

        `url`: An https URL without user name and fragment. International host names and IPv6 addresses are accepted,
        although the pattern excludes them. Plain http and private addresses need the operator's permission. The
        values of the query are write-only.
        `headers`: Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or
        port of the URL changes, give them again.
        `sign_also`: Signatures of other systems, sent beside the gateway's own.
        `sign_with_key_pair`: Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks,
        in `webhook-signature`. Its public keys are at `/.well-known/signalpost-keys/{id}`.
        `client_certificate`: A certificate with its private key.
        `authorities`: PEM: the authorities that the endpoint's certificate may be from, in place of those that the
        gateway trusts else.
        `oauth`: Where tokens are asked for, and as which client.
        `rate_limit`: Maximum attempts that start in any one second; after a pause, up to this many at once.
        `retry_delays`: Seconds before each retry.
        `trace`: Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says
        which requests belong together, so switch it on for endpoints of your own.
        `after`: How long after its event a delivery waits before it is sent.
        `objective`: The share of events that are to arrive within some seconds.
        `contacts`: E-mail addresses of people who are told when it fails, is about to be disabled or was, and when
        that is over.
        `starts_after`: Begin in the past: the subscription gets exactly the events with a higher sequence than this.
        Without it, or `startsAt`, it begins at the end of the log.
        `starts_at`: A timestamp with its zone and at most six decimals.
        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        """
        await self._sender.send(
            Call[None](
                "POST",
                path("subscriptions", "check"),
                {204: None},
                body={
                    "url": url,
                    "eventTypes": event_types,
                    "kind": kind,
                    "name": name,
                    "headers": headers,
                    "signAlso": sign_also,
                    "signWithKeyPair": sign_with_key_pair,
                    "clientCertificate": client_certificate,
                    "authorities": authorities,
                    "oauth": oauth,
                    "ordering": ordering,
                    "rateLimit": rate_limit,
                    "retryDelays": retry_delays,
                    "secret": secret,
                    "trace": trace,
                    "status": status,
                    "when": when,
                    "after": after,
                    "objective": objective,
                    "contacts": contacts,
                    "startsAfter": starts_after,
                    "startsAt": starts_at,
                    "shadowOf": shadow_of,
                    "connection": connection,
                    "config": config,
                },
            )
        )

    def list(
        self,
        *,
        name: str | None = None,
        host: str | None = None,
        state: HealthState | None = None,
        page_size: int = 250,
    ) -> AsyncPages[shapes.Subscription]:
        """List subscriptions. `GET /v1/subscriptions`.

        `name`: Only those whose name contains this, ignoring case.
        `host`: Only those whose URL's host contains this.
        `state`: Only those in this state, without shadows.
        """
        return AsyncPages[shapes.Subscription](
            self._sender,
            Call[shapes.SubscriptionPage](
                "GET",
                path("subscriptions"),
                {200: shapes.SubscriptionPage},
                query={"name": name, "host": host, "state": state, "limit": page_size},
            ),
        )

    def list_names(
        self, *, name: str | None = None, ids: str | None = None, page_size: int = 250
    ) -> AsyncPages[shapes.NamedSubscription]:
        """List the names of subscriptions, to choose one. `GET /v1/subscriptions/names`.

        `name`: Only those whose name contains this, ignoring case.
        `ids`: Only those with these ids, up to 250, separated by commas.
        """
        return AsyncPages[shapes.NamedSubscription](
            self._sender,
            Call[shapes.SubscriptionNames](
                "GET",
                path("subscriptions", "names"),
                {200: shapes.SubscriptionNames},
                query={"name": name, "ids": ids, "limit": page_size},
            ),
        )

    async def read(self, subscription_id: str) -> shapes.Subscription:
        """Read a subscription and its health. `GET /v1/subscriptions/{id}`."""
        return await self._sender.send(
            Call[shapes.Subscription]("GET", path("subscriptions", subscription_id), {200: shapes.Subscription})
        )

    async def patch(
        self,
        subscription_id: str,
        *,
        name: str | UnsetType = UNSET,
        url: str | UnsetType = UNSET,
        event_types: Sequence[EventType] | UnsetType = UNSET,
        headers: Mapping[str, str] | UnsetType = UNSET,
        sign_also: Sequence[Mapping[str, Any]] | UnsetType = UNSET,
        sign_with_key_pair: bool | UnsetType = UNSET,
        client_certificate: Mapping[str, Any] | None | UnsetType = UNSET,
        authorities: str | None | UnsetType = UNSET,
        oauth: Mapping[str, Any] | None | UnsetType = UNSET,
        ordering: Ordering | UnsetType = UNSET,
        rate_limit: int | None | UnsetType = UNSET,
        retry_delays: Sequence[int] | UnsetType = UNSET,
        status: str | UnsetType = UNSET,
        connection: str | UnsetType = UNSET,
        config: Mapping[str, Any] | UnsetType = UNSET,
        when: Mapping[str, Any] | None | UnsetType = UNSET,
        after: Mapping[str, Any] | None | UnsetType = UNSET,
        objective: Mapping[str, Any] | None | UnsetType = UNSET,
        trace: bool | UnsetType = UNSET,
        contacts: Sequence[str] | UnsetType = UNSET,
        skip_backlog: bool | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Subscription:
        """Change, pause or resume a subscription. `PATCH /v1/subscriptions/{id}`.

        `url`: An https URL without user name and fragment. International host names and IPv6 addresses are accepted,
        although the pattern excludes them. Plain http and private addresses need the operator's permission. The
        values of the query are write-only.
        `headers`: Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or
        port of the URL changes, give them again.
        `sign_also`: Signatures of other systems, sent beside the gateway's own.
        `sign_with_key_pair`: Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks,
        in `webhook-signature`. Its public keys are at `/.well-known/signalpost-keys/{id}`.
        `client_certificate`: A certificate with its private key.
        `authorities`: PEM: the authorities that the endpoint's certificate may be from, in place of those that the
        gateway trusts else.
        `oauth`: Where tokens are asked for, and as which client.
        `rate_limit`: Maximum attempts that start in any one second; after a pause, up to this many at once.
        `retry_delays`: Seconds before each retry.
        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        `after`: How long after its event a delivery waits before it is sent.
        `objective`: The share of events that are to arrive within some seconds.
        `trace`: Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says
        which requests belong together, so switch it on for endpoints of your own.
        `contacts`: E-mail addresses of people who are told when it fails, is about to be disabled or was, and when
        that is over.
        `skip_backlog`: When you resume a subscription: skip all waiting events, drop retries by hand that have not
        begun, and cancel replays that run.
        """
        return await self._sender.send(
            Call[shapes.Subscription](
                "PATCH",
                path("subscriptions", subscription_id),
                {200: shapes.Subscription},
                body={
                    "name": name,
                    "url": url,
                    "eventTypes": event_types,
                    "headers": headers,
                    "signAlso": sign_also,
                    "signWithKeyPair": sign_with_key_pair,
                    "clientCertificate": client_certificate,
                    "authorities": authorities,
                    "oauth": oauth,
                    "ordering": ordering,
                    "rateLimit": rate_limit,
                    "retryDelays": retry_delays,
                    "status": status,
                    "connection": connection,
                    "config": config,
                    "when": when,
                    "after": after,
                    "objective": objective,
                    "trace": trace,
                    "contacts": contacts,
                    "skipBacklog": skip_backlog,
                },
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, subscription_id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> None:
        """Delete a subscription. `DELETE /v1/subscriptions/{id}`."""
        await self._sender.send(
            Call[None](
                "DELETE",
                path("subscriptions", subscription_id),
                {204: None},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def poll_events(
        self,
        subscription_id: str,
        *,
        limit: int | UnsetType = UNSET,
        wait: int | UnsetType = UNSET,
        lease: int | UnsetType = UNSET,
    ) -> shapes.HandedEvents:
        """Read the next events of a subscription that is read, with the key of its reader. `POST
        /v1/subscriptions/{id}/poll`.

        `limit`: How many events at most.
        `wait`: For how many seconds to wait if there is nothing yet.
        `lease`: For how many seconds they are handed to nobody else: long enough to handle all of them.
        """
        return await self._sender.send(
            Call[shapes.HandedEvents](
                "POST",
                path("subscriptions", subscription_id, "poll"),
                {200: shapes.HandedEvents},
                body={"limit": limit, "wait": wait, "lease": lease},
            )
        )

    async def acknowledge_events(
        self, subscription_id: str, *, receipt: str, through: int | UnsetType = UNSET
    ) -> shapes.Acknowledged:
        """Acknowledge events that were read: they were handled, and are not handed out again. `POST
        /v1/subscriptions/{id}/acknowledge`.

        `receipt`: The `receipt` of what was handed out.
        `through`: The sequence of the last event that was handled; all of them if left out. Those after it are
        handed out again.
        """
        return await self._sender.send(
            Call[shapes.Acknowledged](
                "POST",
                path("subscriptions", subscription_id, "acknowledge"),
                {200: shapes.Acknowledged},
                body={"receipt": receipt, "through": through},
            )
        )

    async def test_draft(
        self,
        *,
        url: str,
        event_types: Sequence[EventType],
        kind: str | UnsetType = UNSET,
        name: str | UnsetType = UNSET,
        headers: Mapping[str, str] | UnsetType = UNSET,
        sign_also: Sequence[Mapping[str, Any]] | UnsetType = UNSET,
        sign_with_key_pair: bool | UnsetType = UNSET,
        client_certificate: Mapping[str, Any] | None | UnsetType = UNSET,
        authorities: str | None | UnsetType = UNSET,
        oauth: Mapping[str, Any] | None | UnsetType = UNSET,
        ordering: Ordering | UnsetType = UNSET,
        rate_limit: int | None | UnsetType = UNSET,
        retry_delays: Sequence[int] | UnsetType = UNSET,
        secret: str | UnsetType = UNSET,
        trace: bool | UnsetType = UNSET,
        status: str | UnsetType = UNSET,
        when: Mapping[str, Any] | None | UnsetType = UNSET,
        after: Mapping[str, Any] | None | UnsetType = UNSET,
        objective: Mapping[str, Any] | None | UnsetType = UNSET,
        contacts: Sequence[str] | UnsetType = UNSET,
        starts_after: int | UnsetType = UNSET,
        starts_at: datetime | str | UnsetType = UNSET,
    ) -> shapes.TestResult:
        """Send a sample event to an endpoint before you create a subscription; nothing is stored. `POST
        /v1/subscriptions/test`.

        `url`: An https URL without user name and fragment. International host names and IPv6 addresses are accepted,
        although the pattern excludes them. Plain http and private addresses need the operator's permission. The
        values of the query are write-only.
        `headers`: Sent with every request, besides the gateway's own. Values are write-only; if the scheme, host or
        port of the URL changes, give them again.
        `sign_also`: Signatures of other systems, sent beside the gateway's own.
        `sign_with_key_pair`: Sign with a private key of the subscription, too: `v1a` (Ed25519) of Standard Webhooks,
        in `webhook-signature`. Its public keys are at `/.well-known/signalpost-keys/{id}`.
        `client_certificate`: A certificate with its private key.
        `authorities`: PEM: the authorities that the endpoint's certificate may be from, in place of those that the
        gateway trusts else.
        `oauth`: Where tokens are asked for, and as which client.
        `rate_limit`: Maximum attempts that start in any one second; after a pause, up to this many at once.
        `retry_delays`: Seconds before each retry.
        `trace`: Send `traceparent` with events that are traced, so that the endpoint's spans join the trace. It says
        which requests belong together, so switch it on for endpoints of your own.
        `after`: How long after its event a delivery waits before it is sent.
        `objective`: The share of events that are to arrive within some seconds.
        `contacts`: E-mail addresses of people who are told when it fails, is about to be disabled or was, and when
        that is over.
        `starts_after`: Begin in the past: the subscription gets exactly the events with a higher sequence than this.
        Without it, or `startsAt`, it begins at the end of the log.
        `starts_at`: A timestamp with its zone and at most six decimals.
        """
        return await self._sender.send(
            Call[shapes.TestResult](
                "POST",
                path("subscriptions", "test"),
                {200: shapes.TestResult},
                body={
                    "url": url,
                    "eventTypes": event_types,
                    "kind": kind,
                    "name": name,
                    "headers": headers,
                    "signAlso": sign_also,
                    "signWithKeyPair": sign_with_key_pair,
                    "clientCertificate": client_certificate,
                    "authorities": authorities,
                    "oauth": oauth,
                    "ordering": ordering,
                    "rateLimit": rate_limit,
                    "retryDelays": retry_delays,
                    "secret": secret,
                    "trace": trace,
                    "status": status,
                    "when": when,
                    "after": after,
                    "objective": objective,
                    "contacts": contacts,
                    "startsAfter": starts_after,
                    "startsAt": starts_at,
                },
            )
        )

    async def test(
        self, subscription_id: str, *, event_type: EventType | UnsetType = UNSET, secret: str | UnsetType = UNSET
    ) -> shapes.TestResult:
        """Send a sample event now, outside the log. `POST /v1/subscriptions/{id}/test`.

        `secret`: During a rotation, `next` signs the sample with the new secret alone: whether the endpoint accepts
        it shows whether the old one can end. If left out, the sample is signed as events are.
        """
        return await self._sender.send(
            Call[shapes.TestResult](
                "POST",
                path("subscriptions", subscription_id, "test"),
                {200: shapes.TestResult},
                body={"eventType": event_type, "secret": secret},
            )
        )

    async def run_test_cases(self, subscription_id: str) -> shapes.TestRun:
        """Send the ten cases that a receiver must stand, outside the log, with a verdict on each. `POST
        /v1/subscriptions/{id}/test-run`.
        """
        return await self._sender.send(
            Call[shapes.TestRun]("POST", path("subscriptions", subscription_id, "test-run"), {200: shapes.TestRun})
        )

    async def read_secret_status(self, subscription_id: str) -> shapes.SecretStatus:
        """Read about a secret: since when it signs, and whether the endpoint accepts it. `GET
        /v1/subscriptions/{id}/secret`.
        """
        return await self._sender.send(
            Call[shapes.SecretStatus](
                "GET", path("subscriptions", subscription_id, "secret"), {200: shapes.SecretStatus}
            )
        )

    async def check_signature(
        self, subscription_id: str, *, signature: str, body: str, timestamp: str | UnsetType = UNSET
    ) -> shapes.SignatureVerdict:
        """Check a signature with a subscription's secret, and learn why it does not fit. `POST
        /v1/subscriptions/{id}/secret/check`.

        `signature`: The value of `plexus-webhook-signature` or, with its `timestamp`, of `webhook-signature`, as it
        arrived or as you computed it.
        `body`: The body that was signed, exactly as it arrived.
        `timestamp`: The value of `webhook-timestamp`, if it is a `webhook-signature` that is checked.
        `id`: The value of `webhook-id`; if left out, the id of the event in the body.
        """
        return await self._sender.send(
            Call[shapes.SignatureVerdict](
                "POST",
                path("subscriptions", subscription_id, "secret", "check"),
                {200: shapes.SignatureVerdict},
                body={"signature": signature, "body": body, "timestamp": timestamp},
            )
        )

    async def rotate_secret(
        self,
        subscription_id: str,
        *,
        secret: str | UnsetType = UNSET,
        overlap_hours: int | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.NewSubscription:
        """Rotate the secret: the old and the new one both sign until the overlap ends. `POST
        /v1/subscriptions/{id}/secret/rotate`.

        `overlap_hours`: How long both secrets sign; 0 switches to the new one at once.
        """
        return await self._sender.send(
            Call[shapes.NewSubscription](
                "POST",
                path("subscriptions", subscription_id, "secret", "rotate"),
                {200: shapes.NewSubscription},
                body={"secret": secret, "overlapHours": overlap_hours},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def promote_secret(
        self, subscription_id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> shapes.Subscription:
        """Promote the new secret: end the overlap now. `POST /v1/subscriptions/{id}/secret/promote`."""
        return await self._sender.send(
            Call[shapes.Subscription](
                "POST",
                path("subscriptions", subscription_id, "secret", "promote"),
                {200: shapes.Subscription},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def read_objective(self, subscription_id: str) -> shapes.ObjectiveStatus:
        """Read how many events arrived in time, and what is left of the error budget. `GET
        /v1/subscriptions/{id}/objective`.
        """
        return await self._sender.send(
            Call[shapes.ObjectiveStatus](
                "GET", path("subscriptions", subscription_id, "objective"), {200: shapes.ObjectiveStatus}
            )
        )

    async def preview(self, subscription_id: str, *, event_id: str) -> shapes.Preview:
        """Show what a subscription would send for a past event; nothing is sent. `POST
        /v1/subscriptions/{id}/preview`.
        """
        return await self._sender.send(
            Call[shapes.Preview](
                "POST",
                path("subscriptions", subscription_id, "preview"),
                {200: shapes.Preview},
                body={"eventId": event_id},
            )
        )

    async def rehearse(
        self,
        subscription_id: str,
        *,
        change: Mapping[str, Any],
        from_: datetime | str | UnsetType = UNSET,
        to: datetime | str | UnsetType = UNSET,
    ) -> shapes.Rehearsal:
        """Show what a changed subscription would have sent of past events; nothing is stored or sent. `POST
        /v1/subscriptions/{id}/rehearsals`.

        `from_`: A timestamp with its zone and at most six decimals.
        `to`: A timestamp with its zone and at most six decimals.
        """
        return await self._sender.send(
            Call[shapes.Rehearsal](
                "POST",
                path("subscriptions", subscription_id, "rehearsals"),
                {200: shapes.Rehearsal},
                body={"from": from_, "to": to, "change": change},
            )
        )

    async def rehearse_new(
        self,
        *,
        subscription: Mapping[str, Any],
        from_: datetime | str | UnsetType = UNSET,
        to: datetime | str | UnsetType = UNSET,
    ) -> shapes.Rehearsal:
        """Show what a new subscription would have sent of past events; nothing is stored or sent. `POST
        /v1/subscriptions/rehearsals`.

        `from_`: A timestamp with its zone and at most six decimals.
        `to`: A timestamp with its zone and at most six decimals.
        """
        return await self._sender.send(
            Call[shapes.Rehearsal](
                "POST",
                path("subscriptions", "rehearsals"),
                {200: shapes.Rehearsal},
                body={"from": from_, "to": to, "subscription": subscription},
            )
        )

    def compare_shadow(self, subscription_id: str, *, page_size: int = 250) -> AsyncPages[shapes.ComparedEvent]:
        """Compare what a shadow and its original answered to the same events. `GET
        /v1/subscriptions/{id}/comparison`.
        """
        return AsyncPages[shapes.ComparedEvent](
            self._sender,
            Call[shapes.Comparison](
                "GET",
                path("subscriptions", subscription_id, "comparison"),
                {200: shapes.Comparison},
                query={"limit": page_size},
            ),
        )

    async def promote_shadow(
        self,
        subscription_id: str,
        *,
        anyway: bool | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Subscription:
        """Promote a shadow: it and its original swap endpoints, with their secrets and headers. `POST
        /v1/subscriptions/{id}/promote`.

        `anyway`: Promote it even if its endpoint fails, or has not taken an event yet.
        """
        return await self._sender.send(
            Call[shapes.Subscription](
                "POST",
                path("subscriptions", subscription_id, "promote"),
                {200: shapes.Subscription},
                body={"anyway": anyway},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list_deliveries(
        self,
        subscription_id: str,
        *,
        status: DeliveryStatus | None = None,
        event_type: EventType | None = None,
        event_id: str | None = None,
        external_id: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        page_size: int = 250,
    ) -> AsyncPages[shapes.Delivery]:
        """List a subscription's deliveries. `GET /v1/subscriptions/{id}/deliveries`.

        `event_id`: Only this event. Subscriptions that have no delivery of it are listed too, with the cause.
        `from_`: Only events created at this moment or later.
        `to`: Only events created before this moment.
        """
        return AsyncPages[shapes.Delivery](
            self._sender,
            Call[shapes.DeliveryPage](
                "GET",
                path("subscriptions", subscription_id, "deliveries"),
                {200: shapes.DeliveryPage},
                query={
                    "status": status,
                    "eventType": event_type,
                    "eventId": event_id,
                    "externalId": external_id,
                    "from": from_,
                    "to": to,
                    "limit": page_size,
                },
            ),
        )

    async def read_delivery(self, subscription_id: str, event_id: str) -> shapes.DeliveryWithAttempts:
        """Read a delivery with its attempts. `GET /v1/subscriptions/{id}/deliveries/{eventId}`."""
        return await self._sender.send(
            Call[shapes.DeliveryWithAttempts](
                "GET",
                path("subscriptions", subscription_id, "deliveries", event_id),
                {200: shapes.DeliveryWithAttempts},
            )
        )

    async def read_delivered_event(self, subscription_id: str, event_id: str) -> shapes.Event:
        """Read the event of a delivery, as it is sent. `GET /v1/subscriptions/{id}/deliveries/{eventId}/event`."""
        return await self._sender.send(
            Call[shapes.Event](
                "GET", path("subscriptions", subscription_id, "deliveries", event_id, "event"), {200: shapes.Event}
            )
        )

    async def retry_delivery(self, subscription_id: str, event_id: str, *, idempotency_key: str | None = None) -> None:
        """Retry a delivery now. `POST /v1/subscriptions/{id}/deliveries/{eventId}/retry`."""
        await self._sender.send(
            Call[None](
                "POST",
                path("subscriptions", subscription_id, "deliveries", event_id, "retry"),
                {202: None},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def read_evidence(self, subscription_id: str, event_id: str) -> shapes.Evidence:
        """Read a signed statement of what was sent and answered, for `signalpost verify`. `GET
        /v1/subscriptions/{id}/deliveries/{eventId}/evidence`.
        """
        return await self._sender.send(
            Call[shapes.Evidence](
                "GET",
                path("subscriptions", subscription_id, "deliveries", event_id, "evidence"),
                {200: shapes.Evidence},
            )
        )

    async def start_replay(
        self,
        subscription_id: str,
        *,
        from_: datetime | str | UnsetType = UNSET,
        from_sequence: int | UnsetType = UNSET,
        to: datetime | str | UnsetType = UNSET,
        status: ReplayStatus | UnsetType = UNSET,
        event_types: Sequence[EventType] | UnsetType = UNSET,
        external_id: str | UnsetType = UNSET,
        dry_run: bool | UnsetType = UNSET,
        rehearsal: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.ReplayCount | shapes.StartedReplay:
        """Resend the failed events of a time range, or all of them. `POST /v1/subscriptions/{id}/replays`.

        `from_`: A timestamp with its zone and at most six decimals.
        `from_sequence`: Only events with this sequence or a higher one.
        `to`: A timestamp with its zone and at most six decimals.
        `event_types`: Only events of these types. Without it, all types.
        `external_id`: Only events of this document. Without it, all documents.
        `dry_run`: Count the deliveries, and start nothing.
        `rehearsal`: The `id` of a rehearsal whose change was saved: sends the events of its period that the
        subscription wants now and for which nothing was ever sent.
        """
        return await self._sender.send(
            Call[shapes.ReplayCount | shapes.StartedReplay](
                "POST",
                path("subscriptions", subscription_id, "replays"),
                {200: shapes.ReplayCount, 202: shapes.StartedReplay},
                body={
                    "from": from_,
                    "fromSequence": from_sequence,
                    "to": to,
                    "status": status,
                    "eventTypes": event_types,
                    "externalId": external_id,
                    "dryRun": dry_run,
                    "rehearsal": rehearsal,
                },
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list_replays(self, subscription_id: str, *, page_size: int = 250) -> AsyncPages[shapes.ShownReplay]:
        """List a subscription's replays. `GET /v1/subscriptions/{id}/replays`."""
        return AsyncPages[shapes.ShownReplay](
            self._sender,
            Call[shapes.ReplayPage](
                "GET",
                path("subscriptions", subscription_id, "replays"),
                {200: shapes.ReplayPage},
                query={"limit": page_size},
            ),
        )

    async def read_replay(self, subscription_id: str, replay_id: str) -> shapes.ShownReplay:
        """Read a replay and its progress. `GET /v1/subscriptions/{id}/replays/{replayId}`."""
        return await self._sender.send(
            Call[shapes.ShownReplay](
                "GET", path("subscriptions", subscription_id, "replays", replay_id), {200: shapes.ShownReplay}
            )
        )

    async def cancel_replay(
        self, subscription_id: str, replay_id: str, *, idempotency_key: str | None = None
    ) -> shapes.ShownReplay:
        """Cancel a replay; deliveries that are queued already are still sent. `DELETE
        /v1/subscriptions/{id}/replays/{replayId}`.
        """
        return await self._sender.send(
            Call[shapes.ShownReplay](
                "DELETE",
                path("subscriptions", subscription_id, "replays", replay_id),
                {200: shapes.ShownReplay},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncDestinations(AsyncNoun):
    """Calls of `/v1/destinations`."""

    async def list(self) -> shapes.DestinationList:
        """List the kinds of destinations besides the webhook, with the JSON Schema of what each asks for. `GET
        /v1/destinations`.
        """
        return await self._sender.send(
            Call[shapes.DestinationList]("GET", path("destinations"), {200: shapes.DestinationList})
        )

    async def preview(
        self,
        kind: str,
        *,
        connection: str,
        config: Mapping[str, Any],
        event_id: str | UnsetType = UNSET,
        when: Mapping[str, Any] | None | UnsetType = UNSET,
        after: Mapping[str, Any] | None | UnsetType = UNSET,
        sample: Sequence[EventType] | UnsetType = UNSET,
    ) -> shapes.Preview:
        """Show what a new subscription would send for a past event, or a sample; nothing is created or sent. `POST
        /v1/destinations/{kind}/preview`.

        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        `after`: How long after its event a delivery waits before it is sent.
        `sample`: The types that the sample may have.
        """
        return await self._sender.send(
            Call[shapes.Preview](
                "POST",
                path("destinations", kind, "preview"),
                {200: shapes.Preview},
                body={
                    "eventId": event_id,
                    "connection": connection,
                    "config": config,
                    "when": when,
                    "after": after,
                    "sample": sample,
                },
            )
        )


class AsyncConnections(AsyncNoun):
    """Calls of `/v1/connections`."""

    async def create(
        self, *, kind: str, config: Mapping[str, Any], name: str | UnsetType = UNSET, idempotency_key: str | None = None
    ) -> shapes.Connection:
        """Create a connection to a vendor. `POST /v1/connections`.

        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        """
        return await self._sender.send(
            Call[shapes.Connection](
                "POST",
                path("connections"),
                {201: shapes.Connection},
                body={"kind": kind, "name": name, "config": config},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.Connection]:
        """List connections. `GET /v1/connections`."""
        return AsyncPages[shapes.Connection](
            self._sender,
            Call[shapes.ConnectionPage](
                "GET", path("connections"), {200: shapes.ConnectionPage}, query={"limit": page_size}
            ),
        )

    async def read(self, connection_id: str) -> shapes.Connection:
        """Read a connection, without its secrets. `GET /v1/connections/{id}`."""
        return await self._sender.send(
            Call[shapes.Connection]("GET", path("connections", connection_id), {200: shapes.Connection})
        )

    async def patch(
        self,
        connection_id: str,
        *,
        name: str | UnsetType = UNSET,
        config: Mapping[str, Any] | UnsetType = UNSET,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.Connection:
        """Change a connection: members of its config that are left out, and secrets that are null, stay. `PATCH
        /v1/connections/{id}`.

        `config`: What the kind asks for; `GET /v1/destinations` has its JSON Schema.
        """
        return await self._sender.send(
            Call[shapes.Connection](
                "PATCH",
                path("connections", connection_id),
                {200: shapes.Connection},
                body={"name": name, "config": config},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, connection_id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> None:
        """Delete a connection that no subscription uses. `DELETE /v1/connections/{id}`."""
        await self._sender.send(
            Call[None](
                "DELETE",
                path("connections", connection_id),
                {204: None},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def test(self, connection_id: str) -> shapes.ConnectionTest:
        """Check that the vendor grants access, with a call that changes nothing. `POST /v1/connections/{id}/test`."""
        return await self._sender.send(
            Call[shapes.ConnectionTest](
                "POST", path("connections", connection_id, "test"), {200: shapes.ConnectionTest}
            )
        )

    async def connect(
        self,
        connection_id: str,
        *,
        code: str | UnsetType = UNSET,
        state: str | UnsetType = UNSET,
        iss: str | UnsetType = UNSET,
    ) -> shapes.ConsentAsked:
        """Ask for a person's consent, or submit the code that it brought. `POST /v1/connections/{id}/connect`."""
        return await self._sender.send(
            Call[shapes.ConsentAsked](
                "POST",
                path("connections", connection_id, "connect"),
                {200: shapes.ConsentAsked},
                body={"code": code, "state": state, "iss": iss},
            )
        )

    async def disconnect(
        self, connection_id: str, *, if_match: str | None = None, idempotency_key: str | None = None
    ) -> shapes.DisconnectedConnection:
        """Forget the credentials, and have the vendor revoke them. `POST /v1/connections/{id}/disconnect`."""
        return await self._sender.send(
            Call[shapes.DisconnectedConnection](
                "POST",
                path("connections", connection_id, "disconnect"),
                {200: shapes.DisconnectedConnection},
                if_match=if_match,
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncDeliveries(AsyncNoun):
    """Calls of `/v1/deliveries`."""

    def list(
        self,
        *,
        status: DeliveryStatus | None = None,
        event_type: EventType | None = None,
        event_id: str | None = None,
        external_id: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
        subscription_id: str | None = None,
        page_size: int = 250,
    ) -> AsyncPages[shapes.Delivery]:
        """List deliveries of all subscriptions, or what happened to one event at each. `GET /v1/deliveries`.

        `event_id`: Only this event. Subscriptions that have no delivery of it are listed too, with the cause.
        `from_`: Only events created at this moment or later.
        `to`: Only events created before this moment.
        """
        return AsyncPages[shapes.Delivery](
            self._sender,
            Call[shapes.DeliveryPage](
                "GET",
                path("deliveries"),
                {200: shapes.DeliveryPage},
                query={
                    "status": status,
                    "eventType": event_type,
                    "eventId": event_id,
                    "externalId": external_id,
                    "from": from_,
                    "to": to,
                    "subscriptionId": subscription_id,
                    "limit": page_size,
                },
            ),
        )


class AsyncReplays(AsyncNoun):
    """Calls of `/v1/replays`."""

    async def start(
        self,
        *,
        status: ReplayStatus,
        from_: datetime | str | UnsetType = UNSET,
        from_sequence: int | UnsetType = UNSET,
        to: datetime | str | UnsetType = UNSET,
        event_types: Sequence[EventType] | UnsetType = UNSET,
        external_id: str | UnsetType = UNSET,
        dry_run: bool | UnsetType = UNSET,
        subscription_ids: Sequence[str] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.ReplaysOfMany:
        """Resend the failed events of a time range, or all of them, to many subscriptions. `POST /v1/replays`.

        `from_`: A timestamp with its zone and at most six decimals.
        `from_sequence`: Only events with this sequence or a higher one.
        `to`: A timestamp with its zone and at most six decimals.
        `event_types`: Only events of these types. Without it, all types.
        `external_id`: Only events of this document. Without it, all documents.
        `dry_run`: Count the deliveries, and start nothing.
        """
        return await self._sender.send(
            Call[shapes.ReplaysOfMany](
                "POST",
                path("replays"),
                {200: shapes.ReplaysOfMany, 202: shapes.ReplaysOfMany},
                body={
                    "from": from_,
                    "fromSequence": from_sequence,
                    "to": to,
                    "status": status,
                    "eventTypes": event_types,
                    "externalId": external_id,
                    "dryRun": dry_run,
                    "subscriptionIds": subscription_ids,
                },
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.NamedReplay]:
        """List the replays of all subscriptions. `GET /v1/replays`."""
        return AsyncPages[shapes.NamedReplay](
            self._sender,
            Call[shapes.NamedReplayPage](
                "GET", path("replays"), {200: shapes.NamedReplayPage}, query={"limit": page_size}
            ),
        )


class AsyncEvents(AsyncNoun):
    """Calls of `/v1/events`."""

    async def list(
        self,
        *,
        limit: int | None = None,
        after: int | None = None,
        before: str | None = None,
        event_type: EventType | None = None,
        external_id: str | None = None,
    ) -> shapes.Feed:
        """Read the log, oldest first or newest first. `GET /v1/events`.

        `after`: Only events with a higher sequence, oldest first.
        `before`: Only events with a lower sequence, newest first; `latest` begins with the newest event.
        """
        return await self._sender.send(
            Call[shapes.Feed](
                "GET",
                path("events"),
                {200: shapes.Feed},
                query={
                    "limit": limit,
                    "after": after,
                    "before": before,
                    "eventType": event_type,
                    "externalId": external_id,
                },
            )
        )

    async def count_arrivals(self, *, sequences: str | None = None) -> shapes.ArrivalsOfEvents:
        """Count how many subscriptions that wanted an event got it. `GET /v1/events/arrivals`.

        `sequences`: The sequences of up to 100 events, separated by commas. Without it nothing is counted.
        """
        return await self._sender.send(
            Call[shapes.ArrivalsOfEvents](
                "GET", path("events", "arrivals"), {200: shapes.ArrivalsOfEvents}, query={"sequences": sequences}
            )
        )

    async def read(self, event_id: str) -> shapes.LogEntry:
        """Read an event. `GET /v1/events/{id}`."""
        return await self._sender.send(Call[shapes.LogEntry]("GET", path("events", event_id), {200: shapes.LogEntry}))


class AsyncOverview(AsyncNoun):
    """Calls of `/v1/overview`."""

    async def read(self) -> shapes.Overview:
        """Read what needs an operator's attention now. `GET /v1/overview`."""
        return await self._sender.send(Call[shapes.Overview]("GET", path("overview"), {200: shapes.Overview}))

    async def count_attention(self) -> shapes.AttentionCount:
        """Count the subscriptions that need an operator's attention now. `GET /v1/overview/count`."""
        return await self._sender.send(
            Call[shapes.AttentionCount]("GET", path("overview", "count"), {200: shapes.AttentionCount})
        )


class AsyncSources(AsyncNoun):
    """Calls of `/v1/sources`."""

    async def report(self, source: str, *, oldest_seconds: int, dead: int, idempotency_key: str | None = None) -> None:
        """Say how a source does that feeds the tenant. `PUT /v1/sources/{source}`.

        `oldest_seconds`: Age of the oldest change that it has not handed over, in whole seconds; 0 if there is none.
        `dead`: Number of changes that it gave up and keeps, each with its reason.
        """
        await self._sender.send(
            Call[None](
                "PUT",
                path("sources", source),
                {204: None},
                body={"oldestSeconds": oldest_seconds, "dead": dead},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.SourceShown]:
        """List the sources that feed the tenant. `GET /v1/sources`."""
        return AsyncPages[shapes.SourceShown](
            self._sender,
            Call[shapes.SourcePage]("GET", path("sources"), {200: shapes.SourcePage}, query={"limit": page_size}),
        )

    async def remove(self, source: str, *, idempotency_key: str | None = None) -> None:
        """Remove a source that feeds the tenant no more. `DELETE /v1/sources/{source}`."""
        await self._sender.send(
            Call[None]("DELETE", path("sources", source), {204: None}, is_keyed=True, idempotency_key=idempotency_key)
        )


class AsyncNotices(AsyncNoun):
    """Calls of `/v1/notices`."""

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.OpenNotice]:
        """List what is wrong now. `GET /v1/notices`."""
        return AsyncPages[shapes.OpenNotice](
            self._sender,
            Call[shapes.NoticePage]("GET", path("notices"), {200: shapes.NoticePage}, query={"limit": page_size}),
        )

    async def count(self) -> shapes.NoticeCount:
        """Count what is wrong now. `GET /v1/notices/count`."""
        return await self._sender.send(
            Call[shapes.NoticeCount]("GET", path("notices", "count"), {200: shapes.NoticeCount})
        )

    async def mute(self, notice_id: str, *, hours: int, idempotency_key: str | None = None) -> None:
        """Have nobody told of something again for a while. `POST /v1/notices/{id}/mute`.

        `hours`: Hours during which nobody is told of it again; 0 ends that.
        """
        await self._sender.send(
            Call[None](
                "POST",
                path("notices", notice_id, "mute"),
                {204: None},
                body={"hours": hours},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncStats(AsyncNoun):
    """Calls of `/v1/stats`."""

    async def read(
        self,
        *,
        subscription_id: str | None = None,
        step: str | None = None,
        from_: datetime | str | None = None,
        to: datetime | str | None = None,
    ) -> shapes.Stats:
        """Read statistics of attempts by minute or hour. `GET /v1/stats`.

        `subscription_id`: Only this subscription; without it, all subscriptions of the tenant.
        `step`: Minutes are kept for 48 hours, hours for 90 days.
        `from_`: Starts with the minute or hour that contains this moment.
        `to`: Only minutes or hours that began before this moment.
        """
        return await self._sender.send(
            Call[shapes.Stats](
                "GET",
                path("stats"),
                {200: shapes.Stats},
                query={"subscriptionId": subscription_id, "step": step, "from": from_, "to": to},
            )
        )


class AsyncSearch(AsyncNoun):
    """Calls of `/v1/search`."""

    async def find_anything(self, *, q: str | None = None) -> shapes.SearchResults:
        """Find events, documents and subscriptions by id, title, e-mail address, reference, name or URL. `GET
        /v1/search`.

        `q`: An id or its beginning, from eight characters on; or a part, from three on, of a document's title,
        reference or owner's e-mail address, or of a subscription's name, URL or contacts. Without it nothing is
        found.
        """
        return await self._sender.send(
            Call[shapes.SearchResults]("GET", path("search"), {200: shapes.SearchResults}, query={"q": q})
        )


class AsyncKeys(AsyncNoun):
    """Calls of `/v1/keys`."""

    async def create(
        self,
        *,
        name: str,
        role: Role,
        expires_at: datetime | str | None | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.NewKey:
        """Create an API key. `POST /v1/keys`.

        `name`: Who uses it; shown in lists and logs.
        `expires_at`: When the key expires. Without it, the key works until it is revoked. A timestamp with its zone
        and at most six decimals.
        """
        return await self._sender.send(
            Call[shapes.NewKey](
                "POST",
                path("keys"),
                {201: shapes.NewKey},
                body={"name": name, "role": role, "expiresAt": expires_at},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.Key]:
        """List the API keys of the tenant that the call names, or of all tenants. `GET /v1/keys`."""
        return AsyncPages[shapes.Key](
            self._sender, Call[shapes.KeyPage]("GET", path("keys"), {200: shapes.KeyPage}, query={"limit": page_size})
        )

    async def revoke(self, key_id: str, *, idempotency_key: str | None = None) -> None:
        """Revoke an API key. `DELETE /v1/keys/{id}`."""
        await self._sender.send(
            Call[None]("DELETE", path("keys", key_id), {204: None}, is_keyed=True, idempotency_key=idempotency_key)
        )


class AsyncTenants(AsyncNoun):
    """Calls of `/v1/tenants`."""

    async def create(self, *, name: str, idempotency_key: str | None = None) -> shapes.TenantShown:
        """Create a tenant. `POST /v1/tenants`.

        `name`: Lower-case letters, digits and hyphens.
        """
        return await self._sender.send(
            Call[shapes.TenantShown](
                "POST",
                path("tenants"),
                {201: shapes.TenantShown},
                body={"name": name},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.TenantShown]:
        """List tenants. `GET /v1/tenants`."""
        return AsyncPages[shapes.TenantShown](
            self._sender,
            Call[shapes.TenantPage]("GET", path("tenants"), {200: shapes.TenantPage}, query={"limit": page_size}),
        )

    async def read(self, name: str) -> shapes.TenantWithUse:
        """Read a tenant, its limits, its retention and what it uses. `GET /v1/tenants/{name}`."""
        return await self._sender.send(
            Call[shapes.TenantWithUse]("GET", path("tenants", name), {200: shapes.TenantWithUse})
        )

    async def change(
        self,
        name: str,
        *,
        status: str | UnsetType = UNSET,
        limits: Mapping[str, Any] | UnsetType = UNSET,
        retention_days: int | None | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.TenantShown:
        """Pause or resume a tenant, or change its limits or its retention. `PATCH /v1/tenants/{name}`.

        `status`: While it is paused, nothing in it is changed or sent, and nothing is lost.
        `limits`: Null takes a limit back: then that of the settings counts.
        `retention_days`: Days to keep its events and their delivery attempts; null for the setting RETENTION_DAYS.
        """
        return await self._sender.send(
            Call[shapes.TenantShown](
                "PATCH",
                path("tenants", name),
                {200: shapes.TenantShown},
                body={"status": status, "limits": limits, "retentionDays": retention_days},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def delete(
        self, name: str, *, confirm: str | None = None, idempotency_key: str | None = None
    ) -> shapes.ErasureShown:
        """Delete a tenant and erase everything it has. `DELETE /v1/tenants/{name}`.

        `confirm`: The tenant's name again, to confirm.
        """
        return await self._sender.send(
            Call[shapes.ErasureShown](
                "DELETE",
                path("tenants", name),
                {202: shapes.ErasureShown},
                query={"confirm": confirm},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncMasterKey(AsyncNoun):
    """Calls of `/v1/master-key`."""

    async def read(self) -> shapes.MasterKeyShown:
        """See which master key is in use. `GET /v1/master-key`."""
        return await self._sender.send(
            Call[shapes.MasterKeyShown]("GET", path("master-key"), {200: shapes.MasterKeyShown})
        )

    async def rotate(self) -> shapes.MasterKeyShown:
        """Change the master key while the gateway runs. `POST /v1/master-key/rotate`."""
        return await self._sender.send(
            Call[shapes.MasterKeyShown]("POST", path("master-key", "rotate"), {202: shapes.MasterKeyShown})
        )


class AsyncNodes(AsyncNoun):
    """Calls of `/v1/nodes`."""

    async def list(self) -> shapes.Nodes:
        """List the nodes that share the database. `GET /v1/nodes`."""
        return await self._sender.send(Call[shapes.Nodes]("GET", path("nodes"), {200: shapes.Nodes}))


class AsyncGateway(AsyncNoun):
    """Calls of `/v1/gateway`."""

    async def read(self) -> shapes.GatewayShown:
        """Read the gateway's state, its platform and its settings. `GET /v1/gateway`."""
        return await self._sender.send(Call[shapes.GatewayShown]("GET", path("gateway"), {200: shapes.GatewayShown}))


class AsyncAudit(AsyncNoun):
    """Calls of `/v1/audit`."""

    def list(
        self,
        *,
        after: int | None = None,
        actor: str | None = None,
        object: str | None = None,
        newest: bool | None = None,
        page_size: int = 250,
    ) -> AsyncPages[shapes.AuditEntry]:
        """Read who changed what, oldest first. `GET /v1/audit`.

        `after`: Only entries with a higher number.
        `actor`: Only changes by this actor, by its id.
        `object`: Only changes of the object with this id.
        `newest`: Newest first.
        """
        return AsyncPages[shapes.AuditEntry](
            self._sender,
            Call[shapes.AuditPage](
                "GET",
                path("audit"),
                {200: shapes.AuditPage},
                query={"after": after, "actor": actor, "object": object, "newest": newest, "limit": page_size},
            ),
        )

    async def verify(self, *, end: str | None = None) -> shapes.AuditVerification:
        """Verify that no entry of any tenant was changed, added, moved or removed. `GET /v1/audit/verification`.

        `end`: An end that was kept elsewhere, as an earlier verification showed it.
        """
        return await self._sender.send(
            Call[shapes.AuditVerification](
                "GET", path("audit", "verification"), {200: shapes.AuditVerification}, query={"end": end}
            )
        )


class AsyncErasures(AsyncNoun):
    """Calls of `/v1/erasures`."""

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.ErasureShown]:
        """List erasures, of all tenants. `GET /v1/erasures`."""
        return AsyncPages[shapes.ErasureShown](
            self._sender,
            Call[shapes.ErasurePage]("GET", path("erasures"), {200: shapes.ErasurePage}, query={"limit": page_size}),
        )

    async def read(self, erasure_id: str) -> shapes.ErasureShown:
        """Read the progress of an erasure. `GET /v1/erasures/{id}`."""
        return await self._sender.send(
            Call[shapes.ErasureShown]("GET", path("erasures", erasure_id), {200: shapes.ErasureShown})
        )


class AsyncMembers(AsyncNoun):
    """Calls of `/v1/members`."""

    async def invite(
        self, *, name: str, email: str, role: Role, idempotency_key: str | None = None
    ) -> shapes.InvitedMember:
        """Invite a person to the console. `POST /v1/members`.

        `name`: Shown in the audit and in histories.
        `email`: An e-mail address.
        """
        return await self._sender.send(
            Call[shapes.InvitedMember](
                "POST",
                path("members"),
                {201: shapes.InvitedMember},
                body={"name": name, "email": email, "role": role},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.MemberShown]:
        """List the members of the tenant that the call names, or of all tenants. `GET /v1/members`."""
        return AsyncPages[shapes.MemberShown](
            self._sender,
            Call[shapes.MemberPage]("GET", path("members"), {200: shapes.MemberPage}, query={"limit": page_size}),
        )

    async def read(self, member_id: str) -> shapes.MemberShown:
        """Read a member. `GET /v1/members/{id}`."""
        return await self._sender.send(
            Call[shapes.MemberShown]("GET", path("members", member_id), {200: shapes.MemberShown})
        )

    async def change(
        self,
        member_id: str,
        *,
        name: str | UnsetType = UNSET,
        email: str | UnsetType = UNSET,
        role: Role | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.MemberShown:
        """Change a member's name, address or role. `PATCH /v1/members/{id}`.

        `name`: Shown in the audit and in histories.
        `email`: An e-mail address.
        """
        return await self._sender.send(
            Call[shapes.MemberShown](
                "PATCH",
                path("members", member_id),
                {200: shapes.MemberShown},
                body={"name": name, "email": email, "role": role},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    async def remove(self, member_id: str, *, idempotency_key: str | None = None) -> None:
        """Remove a member. `DELETE /v1/members/{id}`."""
        await self._sender.send(
            Call[None](
                "DELETE", path("members", member_id), {204: None}, is_keyed=True, idempotency_key=idempotency_key
            )
        )

    async def reset(self, member_id: str, *, idempotency_key: str | None = None) -> shapes.Invitation:
        """Invite a member again, after a forgotten password or an expired invitation. `POST
        /v1/members/{id}/invitation`.
        """
        return await self._sender.send(
            Call[shapes.Invitation](
                "POST",
                path("members", member_id, "invitation"),
                {201: shapes.Invitation},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncPortalLinks(AsyncNoun):
    """Calls of `/v1/portal-links`."""

    async def create(
        self,
        *,
        name: str,
        subscriptions: Sequence[str] | str,
        can: Sequence[Capability],
        expires_in: int | UnsetType = UNSET,
        embed: Sequence[str] | UnsetType = UNSET,
        theme: Mapping[str, Any] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> shapes.NewPortalLink:
        """Create a link that lets a customer see their own subscriptions for a while; it opens once. `POST
        /v1/portal-links`.

        `name`: Who it is for; shown in the audit.
        `subscriptions`: Ids of the subscriptions, or `all`: every subscription of the tenant, including later ones.
        `can`: What the visitor may do. `view` is always included.
        `expires_in`: Seconds from now until the link and its session end.
        `embed`: Origins of the pages that may embed the portal in a frame.
        `theme`: What the pages look like. Every value is chosen from what is safe; none is CSS or HTML.
        """
        return await self._sender.send(
            Call[shapes.NewPortalLink](
                "POST",
                path("portal-links"),
                {201: shapes.NewPortalLink},
                body={
                    "name": name,
                    "subscriptions": subscriptions,
                    "can": can,
                    "expiresIn": expires_in,
                    "embed": embed,
                    "theme": theme,
                },
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )

    def list(self, *, page_size: int = 250) -> AsyncPages[shapes.PortalLinkShown]:
        """List portal links that have not ended, and some that have ended. `GET /v1/portal-links`."""
        return AsyncPages[shapes.PortalLinkShown](
            self._sender,
            Call[shapes.PortalLinkPage](
                "GET", path("portal-links"), {200: shapes.PortalLinkPage}, query={"limit": page_size}
            ),
        )

    async def read(self, portal_link_id: str) -> shapes.PortalLinkShown:
        """Read a portal link: whom it is for, what it allows, whether it is in use. `GET /v1/portal-links/{id}`."""
        return await self._sender.send(
            Call[shapes.PortalLinkShown]("GET", path("portal-links", portal_link_id), {200: shapes.PortalLinkShown})
        )

    async def revoke(self, portal_link_id: str, *, idempotency_key: str | None = None) -> None:
        """Revoke a portal link and end its session. `DELETE /v1/portal-links/{id}`."""
        await self._sender.send(
            Call[None](
                "DELETE",
                path("portal-links", portal_link_id),
                {204: None},
                is_keyed=True,
                idempotency_key=idempotency_key,
            )
        )


class AsyncConsoleLinks(AsyncNoun):
    """Calls of `/v1/console-links`."""

    async def create(self) -> shapes.ConsoleLink:
        """Create a link that signs its first visitor in to the console as the operator who created it. `POST
        /v1/console-links`.
        """
        return await self._sender.send(
            Call[shapes.ConsoleLink]("POST", path("console-links"), {201: shapes.ConsoleLink})
        )


class AsyncNouns:
    """Everything that can be called, by noun."""

    def __init__(self, sender: AsyncSender) -> None:
        self.documents = AsyncDocuments(sender)
        self.subscriptions = AsyncSubscriptions(sender)
        self.destinations = AsyncDestinations(sender)
        self.connections = AsyncConnections(sender)
        self.deliveries = AsyncDeliveries(sender)
        self.replays = AsyncReplays(sender)
        self.events = AsyncEvents(sender)
        self.overview = AsyncOverview(sender)
        self.sources = AsyncSources(sender)
        self.notices = AsyncNotices(sender)
        self.stats = AsyncStats(sender)
        self.search = AsyncSearch(sender)
        self.keys = AsyncKeys(sender)
        self.tenants = AsyncTenants(sender)
        self.master_key = AsyncMasterKey(sender)
        self.nodes = AsyncNodes(sender)
        self.gateway = AsyncGateway(sender)
        self.audit = AsyncAudit(sender)
        self.erasures = AsyncErasures(sender)
        self.members = AsyncMembers(sender)
        self.portal_links = AsyncPortalLinks(sender)
        self.console_links = AsyncConsoleLinks(sender)
