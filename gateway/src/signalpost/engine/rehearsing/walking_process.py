"""What the process of `process_walks.py` does: reads what it is asked, walks the log, and says what it found.

If there is no core to spare, it rests as the gateway's threads do: a container that has used all it may
of a core stands still for the rest of a tenth of a second, with everything in it.
"""

import asyncio
import socket
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import thread_time

import msgspec

from signalpost.domain.errors import SignalpostError
from signalpost.engine.lanes.erased import ErasedEvents
from signalpost.engine.rehearsing.log_walks import LogWalks
from signalpost.engine.rehearsing.process_walks import WalkRequest
from signalpost.engine.rehearsing.question import WalkResult
from signalpost.runtime.clock import SystemClock
from signalpost.runtime.cores import cores
from signalpost.sharing.resting_turns import RestingTurns
from signalpost.store.open import open_log


def walk(descriptor: int) -> None:
    """Answer the gateway on its socket."""
    with socket.socket(fileno=descriptor) as gateway, gateway.makefile("rwb") as said:
        request = msgspec.json.decode(said.read(), type=WalkRequest)
        try:
            found = asyncio.run(_walked(request))
        except SignalpostError as error:
            sys.exit(f"the process of a rehearsal could not read the database: {error}")
        said.write(msgspec.json.encode(found))


async def _walked(request: WalkRequest) -> WalkResult:
    cpu = thread_time if cores() < request.processes + 1 else _no_time
    erased = ErasedEvents()
    for document_id, up_to in request.erased:
        erased.add(request.tenant_id, document_id, up_to)
    async with open_log(request.database_url, cpu) as log:
        with ThreadPoolExecutor(1) as thread:
            walks = LogWalks(log, _nothing_made, thread, RestingTurns(cpu), SystemClock(), erased)
            return await walks.walk(request.question)


def _no_time() -> float:
    """Stands for the seconds of CPU that a thread has spent which need not rest."""
    return 0.0


async def _nothing_made(_subscription: int, _documents: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    return {}
