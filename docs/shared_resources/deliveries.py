"""What deliveries share."""

from shared_resources.row import FIRST_COME, IN_TURNS, KEPT_FREE, OF_ALL, OF_TENANTS, WAITS, Row, Rows
from signalpost.domain.delivery import receiver_cases
from signalpost.engine import endpoint_tests
from signalpost.engine.lanes import dispatcher, lane_worker
from signalpost.engine.operations import postman
from signalpost.engine.rehearsing import question
from signalpost.sender import resolver
from signalpost.settings import Settings
from signalpost.sharing import turns

SETTINGS = Settings()

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
        f"1, of {question.BOUNDS.events:,} events or {question.BOUNDS.seconds} s",
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
