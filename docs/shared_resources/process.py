"""What all work in a process shares: commits, the event loop, threads, memory and disk."""

from shared_resources.row import FIRST_COME, IN_TURNS, KEPT_FREE, LIMITS, OF_ALL, OF_TENANTS, PART, WAITS, Row, Rows
from signalpost import start_settings
from signalpost.api.guards import request_limits
from signalpost.api.http import body, shared_rendering
from signalpost.domain.timestamps import SECOND
from signalpost.engine import committer
from signalpost.engine.lanes import log_cache, subjects
from signalpost.engine.maintenance import pace, refused_calls
from signalpost.engine.rehearsing import process_walks, question
from signalpost.engine.tracing import exporter
from signalpost.sender import tls_sessions
from signalpost.sender.sender import SenderSettings
from signalpost.sharing import command_queues, loop_shares, loop_turns, resting_turns
from signalpost.sharing.command_queues import Queue
from signalpost.store.postgres import sessions
from signalpost.store.sqlite.store import READERS

SENDER = SenderSettings()
MIB = 1024 * 1024
AFTER_EACH_PIECE = f"after each {resting_turns.PIECE * 1_000:g} ms"
FOR_REHEARSALS = f"({resting_turns.WALKS_REST} times for a rehearsal)"

CHANGES: Rows = (
    Row(
        "changes that wait for their commit",
        "change",
        OF_TENANTS,
        f"{KEPT_FREE}; turns between tenants, and in each between operators' changes and others",
        f"{command_queues.MAX_WAITING[Queue.CONTROL]:,} of operators, "
        f"{command_queues.MAX_WAITING[Queue.DOCUMENT]:,} of documents, "
        f"{PART[request_limits.FOR_CHANGES]} of `MAX_CONNECTIONS`; "
        f"{command_queues.ALWAYS_ALLOWED} of each tenant always",
        "429 `tenant_busy`, before the body is read",
        ("engine/committer.py CommandQueues",),
    ),
    Row(
        "lines of imports, and changes that the gateway makes itself",
        "change that waits",
        OF_TENANTS,
        FIRST_COME,
        f"{command_queues.MAX_WAITING[Queue.BACKGROUND]:,}, of a tenant {command_queues.MAX_BACKGROUND_OF_TENANT}",
        "waits; an import is not read any further",
        ("engine/committer.py Semaphore", "engine/committer.py Semaphore"),
    ),
    Row(
        "a commit",
        "change",
        OF_TENANTS,
        IN_TURNS,
        f"{committer.MAX_BATCH}",
        "the next commit",
        ("engine/committer.py MAX_BATCH",),
    ),
)
LOOP_AND_THREADS: Rows = (
    Row(
        "the event loop, for long work",
        "slice",
        OF_TENANTS,
        f"{IN_TURNS}, by time",
        f"one slice a round, then {loop_turns.RESTS} times as long for others",
        WAITS,
        ("engine/engine.py LoopTurns",),
    ),
    Row(
        "the event loop, for requests that change nothing",
        "CPU time of a request",
        "tenants; operators; strangers",
        "by time",
        f"one part in {1 + loop_shares.RESTS}, while several tenants call",
        "the next request waits",
        (f"{LIMITS} LoopShares",),
    ),
    Row(
        "the event loop, for attempts whose name is not found in time",
        "end of an attempt",
        OF_TENANTS,
        f"{IN_TURNS}, by time",
        "one a round",
        WAITS,
        ("sender/resolver.py LoopTurns",),
    ),
    *(
        Row(
            resource,
            unit,
            OF_TENANTS,
            f"{IN_TURNS}, by time",
            f"one at a time, which rests {resting_turns.RESTS} times as long {after}",
            WAITS,
            made,
        )
        for resource, unit, after, made in (
            (
                "reads of megabytes on SQLite",
                "read",
                f"{AFTER_EACH_PIECE} {FOR_REHEARSALS}",
                ("store/sqlite/readers.py RestingTurns",),
            ),
            (
                "reads of megabytes on PostgreSQL",
                "read",
                f"after it {FOR_REHEARSALS}",
                ("store/postgres/sessions.py RestingTurns",),
            ),
            (
                f"large or malformed bodies (from {body.LARGE_BODY_BYTES // 1024} KiB on)",
                "body",
                f"{AFTER_EACH_PIECE}, and for the work that follows it",
                ("api/http/body_reader.py RestingTurns",),
            ),
            ("pages and overviews that take long to render", "page", AFTER_EACH_PIECE, ("gateway.py RestingTurns",)),
            (
                f"events above {subjects.LARGE_BYTES // 1024} KiB, and conditions on them",
                "event",
                AFTER_EACH_PIECE,
                ("engine/engine.py RestingTurns", "engine/engine.py LoopExecutor"),
            ),
            (
                "rehearsals, and looks at what is wrong",
                f"page of {question.BOUNDS.page:,} events, or {question.BOUNDS.page_of_types:,} types; look",
                f"{AFTER_EACH_PIECE} {FOR_REHEARSALS}",
                ("engine/engine.py RestingTurns", "engine/engine.py LoopExecutor"),
            ),
        )
    ),
    Row(
        "walks of long logs for rehearsals",
        f"walk of {process_walks.LONG:,} events or more",
        OF_TENANTS,
        FIRST_COME,
        "one process at a time, which works while no other process wants the core",
        "the thread of rehearsals takes it, in turns",
        (
            "engine/rehearsing/process_walks.py LONG",
            "engine/rehearsing/walking_process.py RestingTurns",
            "engine/rehearsing/walking_process.py ThreadPoolExecutor",
            "store/open.py ThreadPoolExecutor",
        ),
    ),
    Row(
        "threads of SQLite",
        "read, group of writes, checkpoint",
        OF_ALL,
        FIRST_COME,
        f"{READERS} that read, one that writes, one for checkpoints",
        WAITS,
        (*("store/sqlite/store.py ThreadPoolExecutor",) * 2, "store/sqlite/store.py LoopExecutor"),
    ),
    Row(
        "connections to PostgreSQL",
        "transaction",
        OF_ALL,
        FIRST_COME,
        f"{sessions.READERS} that read, {sessions.WRITERS} that write, and one each for beats, looks and announcements",
        WAITS,
        (
            *("store/postgres/sessions.py SessionPool",) * 2,
            *("store/postgres/nouns/fleet.py SessionPool",) * 2,
            "store/postgres/announcements.py SessionPool",
        ),
    ),
    Row(
        "threads for files",
        "read or write of a file",
        OF_ALL,
        FIRST_COME,
        f"{start_settings.FILE_THREADS}, and with a bucket {start_settings.FILE_THREADS} more",
        WAITS,
        ("start_settings.py ThreadPoolExecutor",) * 2,
    ),
    Row(
        "threads for one kind of work",
        "piece of work",
        OF_ALL,
        FIRST_COME,
        "one each for the free disk space, pages, hashes of passwords, and bodies",
        WAITS,
        ("gateway.py LoopExecutor",),
    ),
    Row(
        "the database, for removals that no caller waits for",
        "row",
        OF_ALL,
        "by time",
        f"{pace.MAX_SIZE:,} at a time, then as long for others, {pace.MAX_REST * 1_000:g} ms at most",
        WAITS,
        ("engine/maintenance/pace.py MAX_SIZE",),
    ),
    Row(
        "the event loop, for metrics",
        "rendering",
        "all who ask meanwhile",
        "by time",
        f"one, then {shared_rendering.PAUSE} times as long for others, "
        f"{shared_rendering.MAX_PAUSE * 1_000 // SECOND} ms at most",
        "waits for the next one",
        ("gateway.py SharedRendering",),
    ),
)
MEMORY_AND_DISK: Rows = (
    Row(
        "entries of the audit for refused calls",
        "key, reason and route",
        OF_ALL,
        FIRST_COME,
        f"{refused_calls.MAX_KINDS} an hour",
        "the log for people says so",
        ("engine/maintenance/refused_calls.py MAX_KINDS",),
    ),
    Row(
        "idle connections to endpoints",
        "connection",
        OF_ALL,
        FIRST_COME,
        f"{SENDER.idle_connections:,}",
        "the one that has been idle longest is closed",
    ),
    Row(
        "TLS sessions to resume",
        "session",
        OF_ALL,
        FIRST_COME,
        f"{tls_sessions.MAX_SESSIONS:,}",
        "the oldest is forgotten",
        ("sender/sender.py TlsSessions",),
    ),
    Row(
        "the log cache",
        "byte of events",
        OF_ALL,
        FIRST_COME,
        f"{log_cache.MAX_BYTES // MIB} MiB",
        "the oldest event is forgotten, and read from the store",
        ("engine/engine.py LogCache",),
    ),
    Row(
        "decoded events",
        "byte of events",
        OF_ALL,
        FIRST_COME,
        f"{subjects.MAX_BYTES // MIB} MiB",
        "what was not used for longest is forgotten, and decoded again",
        ("engine/engine.py Subjects",),
    ),
    Row(
        "spans that wait for the collector",
        "span",
        OF_ALL,
        FIRST_COME,
        f"{exporter.MAX_WAITING:,}, of which {exporter.MAX_BATCH} are sent at a time",
        "the newest is dropped and counted",
        ("engine/tracing/exporter.py MAX_WAITING", "engine/tracing/exporter.py MAX_BATCH"),
    ),
    Row(
        "failed attempts of events that are not traced",
        "span a second",
        OF_ALL,
        FIRST_COME,
        "what TRACE_FAILURES says",
        "no span is made",
        ("engine/tracing/traces.py RateLimit",),
    ),
)
