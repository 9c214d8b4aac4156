"""What handlers work with: passed in, so that an application can be built on any store, engine and clock."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from msgspec import Struct

from signalpost.api.guards.passwords import Passwords
from signalpost.api.guards.principals import Principals
from signalpost.api.guards.request_limits import RequestLimits
from signalpost.api.guards.sessions import BrowserSessions
from signalpost.api.guards.sign_in_tries import SignInTries
from signalpost.api.http.body_reader import BodyReader
from signalpost.api.http.downloads import Downloads
from signalpost.api.http.request_counts import RequestCounts
from signalpost.api.http.shared_rendering import SharedRendering
from signalpost.api.routing.shapes.service import DatabaseKind, SettingShown
from signalpost.destinations.registry import Destinations
from signalpost.domain.access.consent import Tickets
from signalpost.domain.documents.links import Links
from signalpost.domain.evidence import EvidenceSigner
from signalpost.domain.operations.unsubscribing import UnsubscribeLinks
from signalpost.engine.attention_counts import AttentionCounts
from signalpost.engine.directory import Directory
from signalpost.engine.engine import Engine
from signalpost.engine.lanes.lane_views import LaneViews
from signalpost.engine.maintenance.audit_end import AuditEnd
from signalpost.engine.maintenance.master_key_change import MasterKeyChange
from signalpost.engine.other_nodes import OtherNodes
from signalpost.files.files import Files
from signalpost.listener.certificate import Certificate
from signalpost.listener.source import Network
from signalpost.runtime.clock import Clock
from signalpost.runtime.loop_delay import LoopDelay
from signalpost.sender.addresses import Guard
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.store import Store

if TYPE_CHECKING:
    from signalpost.engine.tracing.traces import Traces
    from signalpost.workers.workers import Workers


class Installation(Struct, frozen=True, kw_only=True):
    """What is so of a gateway from its start to its end: what its settings say, and where it is."""

    settings: tuple[SettingShown, ...]
    """The settings in force, without secrets."""
    public_url: str
    """Where browsers reach the gateway."""
    database: DatabaseKind
    warnings: tuple[str, ...]
    """What an operator may have to change although the gateway can do its work, a sentence each."""
    retry_delays: tuple[int, ...]
    """The retry delays of subscriptions that name none, in seconds."""
    file_kinds: frozenset[str]
    """The kinds of files, of `content_types.KINDS`, that may be uploaded."""
    metrics_tenants: tuple[str, ...]
    """The tenants that have metrics of their own, by name."""
    trusted_proxies: tuple[Network, ...]
    """The proxies whose word is taken on where a request came from."""
    idle_seconds: float
    """How long a body may take to arrive, or the next part of a body that is streamed."""
    certificate: Certificate | None = None
    """The certificate with which the gateway itself speaks TLS, if it does."""


class Services(Struct, frozen=True, kw_only=True):
    installation: Installation
    store: Store
    engine: Engine
    directory: Directory
    lane_views: LaneViews
    attention_counts: AttentionCounts
    clock: Clock
    random_bits: Callable[[int], int]
    secret_bytes: Callable[[int], bytes]
    principals: Principals
    sessions: BrowserSessions
    """Who is signed in to the console."""
    passwords: Passwords
    sign_in_tries: SignInTries
    links: Links
    files: Files
    downloads: Downloads
    requests: RequestCounts
    destinations: Destinations
    guard: Guard
    tickets: Tickets
    """Signs which connection a person's consent is for."""
    unsubscribe_links: UnsubscribeLinks
    evidence: EvidenceSigner
    master_key: MasterKeyChange
    audit_end: AuditEnd
    limits: RequestLimits
    other_nodes: OtherNodes
    metrics: Mapping[str, SharedRendering]
    """The metrics, by the media type of their format."""
    loop_delay: LoopDelay
    off_loop: Executor
    """One thread, for what takes milliseconds and waits for nothing: the event loop delivers meanwhile."""
    page_turns: RestingTurns
    """The turns of pages on that thread, between tenants."""
    body_reader: BodyReader
    """Reads large bodies and bad ones."""
    workers: "Workers | None" = None
    """The processes that work for the gateway, if there are any."""
    traces: "Traces | None" = None
    """What makes spans, if they are exported."""
