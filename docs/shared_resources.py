"""What is shared between tenants, callers and requests, and how: the rows of docs/sharing.md (`make_sharing.py`)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from signalpost import start_settings
from signalpost.api.guards import passwords, request_limits
from signalpost.api.http import body, shared_rendering
from signalpost.api.resources import live
from signalpost.console import identity_provider, pages_beside_api
from signalpost.domain.access import sign_in_tries
from signalpost.domain.delivery import receiver_cases
from signalpost.domain.timestamps import SECOND
from signalpost.engine import committer, endpoint_tests
from signalpost.engine.lanes import dispatcher, lane_worker, log_cache, subjects
from signalpost.engine.maintenance import pace, refused_calls
from signalpost.engine.operations import postman
from signalpost.engine.rehearsing import rehearsals
from signalpost.engine.tracing import exporter
from signalpost.listener import connection_limits
from signalpost.sender import resolver, tls_sessions
from signalpost.sender.sender import SenderSettings
from signalpost.settings import Settings
from signalpost.sharing import (
    command_queues,
    loop_shares,
    loop_turns,
    refusals,
    resting_turns,
    short_rounds,
    turns,
)
from signalpost.sharing.command_queues import Queue
from signalpost.store.postgres import sessions
from signalpost.store.sqlite.store import READERS


class Row(NamedTuple):
    resource: str
    unit: str
    shared_by: str
    rule: str
    bound: str
    beyond: str
    made: tuple[str, ...] = ()
    """The constant that bounds it, or what shares it, as often as it is made: `module/path.py Name`."""


Rows = Sequence[Row]
SETTINGS, SENDER = Settings(), SenderSettings()
MIB = 1024 * 1024
OF_TENANTS = "tenants"
OF_ALL = "all"
KEPT_FREE = "in parts"
IN_TURNS = "in turns"
FIRST_COME = "first come"
LIMITS = "api/guards/request_limits.py"
WAITS = "waits"
PART = {2: "half", 4: "a quarter", 10: "a tenth"}
AFTER_EACH_PIECE = f"after each {resting_turns.PIECE * 1_000:g} ms"

CLIENTS: Rows = (
    Row(
        "client connections",
        "open connection",
        OF_ALL,
        "first come; the one that waited longest gives way",
        f"`MAX_CONNECTIONS` ({SETTINGS.max_connections:,}) that work, and {connection_limits.SPARE} more",
        "a new one replaces the one that has waited longest; a request is answered 503, except for `/health`",
        ("listener/server.py ConnectionLimits",),
    ),
    Row(
        "a round of the event loop",
        "start of a request, or part of a body",
        OF_ALL,
        FIRST_COME,
        f"{short_rounds.STEPS_IN_A_ROUND} a round",
        "waits for a later round",
        ("listener/serving.py ShortRounds", "workers/worker_server.py ShortRounds"),
    ),
    Row(
        "requests at work",
        "request, page or form",
        "tenants, and in each its keys; operators; strangers by address",
        KEPT_FREE,
        "`MAX_CONNECTIONS`",
        "429 `too_many_requests`",
        (f"{LIMITS} Shares", "api/app.py TooMany"),
    ),
    Row(
        "large answers",
        "answer of up to some 4 MiB that is being read",
        "as requests at work",
        KEPT_FREE,
        f"{request_limits.MAX_LARGE_ANSWERS}",
        "429 `too_many_answers`",
        (f"{LIMITS} Shares", "api/app.py TooMany"),
    ),
    Row(
        "live streams",
        "open stream",
        "as requests at work",
        KEPT_FREE,
        f"{request_limits.MAX_VIEWERS}, and {PART[request_limits.FOR_VIEWERS]} of `MAX_CONNECTIONS`",
        "429 `too_many_viewers`; pages ask from time to time instead",
        (f"{LIMITS} Shares", "api/resources/live.py TooMany"),
    ),
    Row(
        "messages of live streams",
        "message",
        OF_ALL,
        "each tenant at other moments",
        f"{live.TOLD_PER_SECOND:g} a second",
        "all are told less often",
        ("api/resources/live.py TOLD_PER_SECOND",),
    ),
    Row(
        "requests of a tenant",
        "request",
        "a tenant; each operator in it",
        "in a second",
        "`requestsPerSecond`",
        "429 `request_rate`",
        (f"{LIMITS} TenantRates",),
    ),
    Row(
        "changes of a tenant",
        "change of a document",
        "a tenant",
        "in a second",
        "`changesPerSecond`",
        "429 `change_rate`; an import is read more slowly",
        ("engine/limits_here.py TenantRates",),
    ),
    Row(
        "refusals of changes",
        "answer 429",
        OF_ALL,
        "at a distance",
        f"{refusals.REFUSALS_PER_SECOND:,} a second; as many may wait as there are connections",
        f"{WAITS}; if too many wait, refused at once",
        (f"{LIMITS} Refusals",),
    ),
    Row(
        "refusals beyond a share",
        "answer 429",
        OF_ALL,
        "at a distance",
        f"{refusals.REFUSALS_PER_SECOND:,} a second; {PART[request_limits.FOR_REFUSALS]} of `MAX_CONNECTIONS` may wait",
        f"{WAITS}; if too many wait, refused at once",
        (f"{LIMITS} Refusals",),
    ),
    Row(
        "refusals of strangers",
        "answer 401 or 404",
        OF_ALL,
        "at a distance",
        f"{refusals.STRANGERS_PER_SECOND} a second; {PART[request_limits.FOR_REFUSALS]} of `MAX_CONNECTIONS` may wait",
        f"{WAITS}; if too many wait, refused at once",
        (f"{LIMITS} Refusals",),
    ),
)
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
            ("reads of megabytes on SQLite", "read", AFTER_EACH_PIECE, ("store/sqlite/readers.py RestingTurns",)),
            ("reads of megabytes on PostgreSQL", "read", "after it", ("store/postgres/sessions.py RestingTurns",)),
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
                ("engine/engine.py RestingTurns", "engine/engine.py ThreadPoolExecutor"),
            ),
            (
                "rehearsals",
                f"page of {rehearsals.PAGE} events",
                AFTER_EACH_PIECE,
                ("engine/engine.py RestingTurns", "engine/engine.py ThreadPoolExecutor"),
            ),
        )
    ),
    Row(
        "threads of SQLite",
        "read, group of writes, checkpoint",
        OF_ALL,
        FIRST_COME,
        f"{READERS} that read, one that writes, one for checkpoints",
        WAITS,
        ("store/sqlite/store.py ThreadPoolExecutor",) * 3,
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
        ("gateway.py ThreadPoolExecutor",),
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
SIGN_IN: Rows = (
    Row(
        "hashes of passwords",
        "hash",
        OF_ALL,
        FIRST_COME,
        f"one at a time, {passwords.MAX_WAITING} may wait",
        "429 `too_many_sign_ins`",
        ("api/guards/passwords.py TooMany", "api/guards/passwords.py MAX_WAITING"),
    ),
    Row(
        "tries to sign in",
        "try",
        "an address, an account, an account at its owner's address; at all nodes together",
        "at a distance",
        "; ".join(
            f"{each.at_once} of {whose}, then one in {each.every // SECOND} s"
            for whose, each in (("an address", sign_in_tries.OF_ADDRESS), ("an account", sign_in_tries.OF_ACCOUNT))
        ),
        "429, with how long to wait",
        ("domain/access/sign_in_tries.py OF_ADDRESS", "domain/access/sign_in_tries.py OF_ACCOUNT"),
    ),
    Row(
        "sign-ins with an identity provider",
        "exchange of a code",
        OF_ALL,
        FIRST_COME,
        f"{identity_provider.MAX_AT_ONCE}",
        WAITS,
        ("console/identity_provider.py Semaphore", "console/identity_provider.py MAX_AT_ONCE"),
    ),
    Row(
        "requests for the first page",
        "request",
        OF_ALL,
        FIRST_COME,
        f"{pages_beside_api.MAX_WAITING} may wait until the pages are loaded",
        "503",
        ("console/pages_beside_api.py MAX_WAITING",),
    ),
)
DELIVERIES: Rows = (
    Row(
        "attempts in flight",
        "slot",
        "tenants, and in each its endpoints",
        f"{KEPT_FREE}; slow endpoints get at most half",
        f"`IN_FLIGHT` ({SETTINGS.in_flight}), `IN_FLIGHT_PER_TENANT` ({SETTINGS.in_flight_per_tenant}) or a tenant's "
        f"`inFlight`, `IN_FLIGHT_PER_ENDPOINT` ({SETTINGS.in_flight_per_endpoint})",
        "the lane waits for a slot",
        ("engine/lanes/dispatcher.py Rank",),
    ),
    Row(
        "attempts of shadows in flight",
        "slot",
        "as attempts in flight",
        f"{KEPT_FREE}; slow endpoints get at most half",
        f"one for {dispatcher.SHADOWS_HAVE} of those, beside them",
        "the lane waits for a slot",
        ("engine/lanes/dispatcher.py Rank",),
    ),
    Row(
        "turns of lanes",
        "cost of a turn",
        "tenants, and in each its lanes: those that keep up first; shadows once nothing else is ready",
        "by cost",
        f"{turns.QUANTUM} units a turn of a tenant; a request costs {dispatcher.REQUEST_COST} and more",
        WAITS,
        (),
    ),
    Row(
        "attempts that are not recorded yet",
        "attempt",
        "all; a lane",
        FIRST_COME,
        f"{dispatcher.MAX_UNRECORDED:,}, of a lane {lane_worker.MAX_UNRECORDED:,}",
        "no attempt begins",
        ("engine/lanes/dispatcher.py MAX_UNRECORDED", "engine/lanes/lane_worker.py MAX_UNRECORDED"),
    ),
    Row(
        "attempts of a subscription",
        "attempt",
        "a subscription",
        "in a second",
        "`rateLimit`",
        "the lane waits",
        ("engine/lanes/lane_endpoint.py RateLimit",),
    ),
    Row(
        "calls of a vendor",
        "call",
        "the subscriptions of a connection, or those that the vendor counts together",
        "in a second, or as long as the kind says",
        "the kind's `rate` and `at_once`",
        "the lane waits; a further call of a delivery goes first",
        ("engine/connectors/pace.py RateLimit",),
    ),
    Row(
        "samples that are sent as tests",
        "attempt",
        OF_TENANTS,
        KEPT_FREE,
        f"{endpoint_tests.MAX_TESTS}",
        "429 `too_many_tests`",
        ("engine/endpoint_tests.py Shares", "engine/endpoint_tests.py TooMany"),
    ),
    Row(
        "test runs of a subscription",
        "run",
        "callers",
        FIRST_COME,
        f"1 at a time at a node, of {len(receiver_cases.CASES)} samples, one after the other, none after "
        f"{receiver_cases.SECONDS} s",
        "429 `test_run_under_way`",
        ("engine/endpoint_tests.py TooMany", "domain/delivery/receiver_cases.py SECONDS"),
    ),
    Row(
        "rehearsals of a tenant",
        "rehearsal",
        "callers of a tenant",
        "first come; of a caller the newest",
        f"1, of {rehearsals.BOUNDS.events:,} events or {rehearsals.BOUNDS.seconds} s",
        "429 `rehearsal_running`; it ends early, and says how far it came",
        ("engine/rehearsing/rehearsals.py TooMany",),
    ),
    Row(
        "mails to contacts",
        "mail",
        OF_ALL,
        FIRST_COME,
        f"{postman.AT_ONCE}",
        WAITS,
        ("engine/operations/postman.py AT_ONCE",),
    ),
    Row(
        "names to be looked up",
        "name of a tenant",
        OF_TENANTS,
        KEPT_FREE,
        f"{resolver.MAX_LOOKUPS:,}",
        "the attempt fails, and is repeated later",
        ("sender/resolver.py Shares",),
    ),
    Row(
        "look-ups that run",
        "look-up",
        OF_TENANTS,
        f"{KEPT_FREE}, {IN_TURNS}",
        f"{resolver.MAX_RUNNING}",
        f"waits, for {resolver.LOOKUP_SECONDS:g} s at most",
        ("sender/resolver.py SharedTurns",),
    ),
    Row(
        "threads for look-ups",
        "thread",
        OF_ALL,
        FIRST_COME,
        f"{resolver.MAX_RUNNING}",
        WAITS,
        ("sender/resolver.py Semaphore",),
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
GROUPS: Mapping[str, Rows] = {
    "Clients": CLIENTS,
    "Changes on their way to the store": CHANGES,
    "The event loop and the threads": LOOP_AND_THREADS,
    "People who sign in": SIGN_IN,
    "Deliveries": DELIVERIES,
    "Memory and disk": MEMORY_AND_DISK,
}
"""The tables of the page, by their headings."""
