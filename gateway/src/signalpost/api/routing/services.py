"""What handlers work with: passed in, so that an application can be built on any store, engine and clock."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from signalpost.api.http.downloads import Downloads
from signalpost.api.http.principals import Principals
from signalpost.api.http.refusal_throttle import Refusals
from signalpost.api.http.request_counts import RequestCounts
from signalpost.domain.documents.links import Links
from signalpost.engine.engine import Engine
from signalpost.files.files import Files
from signalpost.runtime.clock import Clock
from signalpost.sender.addresses import AllowedTarget
from signalpost.store.store import Store


class Services(Struct, frozen=True, kw_only=True):
    store: Store
    engine: Engine
    clock: Clock
    random_bits: Callable[[int], int]
    secret_bytes: Callable[[int], bytes]
    principals: Principals
    links: Links
    files: Files
    file_kinds: frozenset[str]
    """Those of `content_types.KINDS` that are taken."""
    downloads: Downloads
    requests: RequestCounts
    database: Path
    """The file, for its size."""
    allow_targets: tuple[AllowedTarget, ...]
    retry_delays: tuple[int, ...]
    """For subscriptions that name none."""
    refusals: Refusals
    waiting_most: int
    """Changes that may wait for their commit; fewer than connections, so that whoever floods is told so, and others
    find one."""
    large_bodies: asyncio.Lock
    """Whoever reads one has it: they are read one after the other, with all else in between."""
    idle_seconds: float
    """How long a body may take, and of one that is streamed the next part."""
    warnings: tuple[str, ...]
    """What an operator may have to change although the gateway can do its work, a sentence each."""
