"""What every database does with a batch of commands: which rows to read for it, how to run it, and what to answer.

One database reads, runs and writes in one go; another waits in between, while it holds the locks of the tenants. Both
read the rows that `wanted` names, make a `Batch` of them, `run` the commands, and write what the batch changed.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import msgspec
from msgspec import Struct

from signalpost.commands.batch import Batch
from signalpost.commands.command import (
    AnswerKey,
    Command,
    CommandOutcome,
    DocumentKey,
    NumberedRow,
    VersionKey,
    repeat_lines,
)
from signalpost.domain.audit import AuditEntry
from signalpost.domain.errors import CallerError, Forbidden, Unavailable
from signalpost.domain.subscription import Subscription
from signalpost.runtime.logger import log
from signalpost.store.nouns.fleet import TenantMark
from signalpost.store.nouns.lanes import EndpointHealth
from signalpost.store.store import CommittedMark, PublishedBatch

_NO_GAPS: Final = msgspec.json.encode([])
_HEALTHY: Final = msgspec.json.encode(EndpointHealth())


def new_lane(subscription: Subscription, owner: int | None) -> tuple[int, int | None, int, int, bytes, bytes, bytes]:
    """The row of `LANE` with which a lane begins. No node owns one whose events are read."""
    owner = None if subscription.is_read else owner
    return (subscription.number, owner, 0, subscription.starts_after, b"", _NO_GAPS, _HEALTHY)


class BatchWanted(Struct, frozen=True, kw_only=True):
    """The keys of the rows that commands look at."""

    tenants: Set[int]
    names: Set[str]
    """Names of tenants."""
    documents: Set[DocumentKey]
    versions: Set[VersionKey]
    rows: Mapping[tuple[type[NumberedRow], str], set[str]]
    """Values by which rows of a kind are found."""
    answers: Set[AnswerKey]
    numbers: Mapping[type[Any], int]
    """How many numbers for new rows may be needed."""


def wanted(commands: Sequence[Command[Any]]) -> BatchWanted:
    """What to read for these commands."""
    tenants: set[int] = set()
    names: set[str] = set()
    documents: set[DocumentKey] = set()
    versions: set[VersionKey] = set()
    rows: dict[tuple[type[NumberedRow], str], set[str]] = {}
    answers: set[AnswerKey] = set()
    numbers: dict[type[Any], int] = {}
    for command in commands:
        reads = command.reads
        tenants.add(command.tenant_id)
        if reads.document is not None:
            documents.add(reads.document)
        if reads.version is not None:
            versions.add(reads.version)
        if reads.tenant is not None:
            names.add(reads.tenant)
        for kind, value, by in reads.rows:
            rows.setdefault((kind, by), set()).add(value)
        if (key := command.idempotency) is not None:
            answers.add((command.tenant_id, key.api_key_id, key.key))
        if (added := command.adds) is not None:
            numbers[added] = numbers.get(added, 0) + 1
    return BatchWanted(
        tenants=tenants,
        names=names,
        documents=documents,
        versions=versions,
        rows=rows,
        answers=answers,
        numbers=numbers,
    )


def run(batch: Batch, command: Command[Any]) -> CommandOutcome[Any] | Exception:
    """Decide a command. The result of one that is refused, or that fails, is its error."""
    lines = command.lines
    if lines is not None and lines.must_be_repeated:
        return Unavailable("An earlier line of this import was not taken. Send that line and those after it again.")
    try:
        return batch.run(command)
    except CallerError as refused:
        if isinstance(refused, Forbidden):  # a limit of the tenant, below which it may be a moment later
            repeat_lines((command,))
        return refused
    except Exception as defect:
        log.exception("a command could not be decided", command=type(command).__name__)
        return defect


def published(
    batch: Batch,
    results: tuple[CommandOutcome[Any] | Exception, ...],
    audited: tuple[AuditEntry, ...],
    owner: int | None,
) -> PublishedBatch:
    """What the engine has to know of a batch that is committed. `owner` is the node that owns the lanes of new
    subscriptions, if one does."""
    return PublishedBatch(
        results,
        events=tuple(batch.events),
        tenants=tuple(batch.tenants.changed[tenant_id] for tenant_id in batch.changed_tenants),
        rows=batch.changed_rows(),
        retries=tuple(batch.retries),
        erasures=tuple(batch.erasures),
        expiries=tuple(
            row.workflow.expires_at
            for row in batch.documents.changed.values()
            if row.workflow is not None and row.workflow.expires_at is not None
        ),
        audited=audited,
        marks={
            tenant_id: CommittedMark(
                0 if (before := batch.tenants.as_read(tenant_id)) is None else before.config_version,
                TenantMark(tenant.last_sequence, tenant.config_version, 0),
            )
            for tenant_id, tenant in batch.tenants.items()
        },
        owner=owner,
    )
