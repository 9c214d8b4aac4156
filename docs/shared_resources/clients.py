"""What clients share, and people who sign in."""

from shared_resources.row import FIRST_COME, KEPT_FREE, LIMITS, OF_ALL, PART, WAITS, Row, Rows
from signalpost.api.guards import passwords, request_limits
from signalpost.api.resources import live
from signalpost.console import identity_provider, pages_beside_api
from signalpost.domain.access import sign_in_tries
from signalpost.domain.timestamps import SECOND
from signalpost.listener import connection_limits
from signalpost.settings import Settings
from signalpost.sharing import refusals, short_rounds

SETTINGS = Settings()

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
        (f"{LIMITS} Shares", "api/http/large_answers.py TooMany"),
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
        "readers who wait",
        "call of a reader for whom there is nothing yet",
        "as requests at work",
        KEPT_FREE,
        f"{PART[request_limits.FOR_READERS]} of `MAX_CONNECTIONS`",
        "429 `too_many_readers`; what is there is handed out still",
        (f"{LIMITS} Shares", "api/resources/polls.py TooMany"),
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
