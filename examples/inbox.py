"""A receiver to copy: it writes each event into an inbox, answers, and works through the inbox in order.

At its start it looks in the gateway's log for what it missed. See docs/guides/receive-events.md.

export WEBHOOK_SECRET='a secret of mine'    # the subscription's
export GATEWAY_URL=http://127.0.0.1:8080 GATEWAY_KEY=sp_…    # optional: to find what was missed
.venv/bin/python examples/inbox.py    # then subscribe http://127.0.0.1:9000/webhooks
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from signalpost_receiver import Buffer, DocumentEvent, Receiver, Result
from signalpost_receiver.adapters.fastapi import webhook
from signalpost_receiver.http_feed import HttpFeed
from signalpost_receiver.stores.sql import SqliteStore

FOLDER = Path(os.environ.get("DATA_DIR", "."))
PROGRESS = FOLDER / "inbox.progress"
"""How far the gateway's log is known to be settled."""

receiver = Receiver(
    secrets=[os.environ["WEBHOOK_SECRET"]],
    store=SqliteStore(FOLDER / "inbox.db"),
    order=Buffer(hold=timedelta(seconds=float(os.environ.get("HOLD_SECONDS", "15")))),
)


@receiver.on("documentCreated", "documentUpdated")
def keep(event: DocumentEvent) -> None:
    """Your work: it may run twice for an event, so write rather than add."""
    print(f"{event.document.external_id} is {event.document.status}: {event.document.title}", flush=True)


@receiver.on("documentDeleted")
def remove(event: DocumentEvent) -> None:
    print(f"{event.document.external_id} is gone", flush=True)


def find_missed() -> None:
    since = int(PROGRESS.read_text()) if PROGRESS.exists() else 0
    found = receiver.reconcile(HttpFeed(os.environ["GATEWAY_URL"], os.environ["GATEWAY_KEY"]), since)
    PROGRESS.write_text(str(found.resume_from))
    print(f"found {len(found.missed)} missed events; {len(found.failed)} others failed", flush=True)


async def work() -> None:
    """Hands over what is due, every second; what failed is tried again by itself."""
    while True:
        for result in await receiver.adrain():
            if not isinstance(result, Result):
                print(f"to be tried again: {result!r} {result.__cause__!r}", flush=True)
        await asyncio.sleep(1)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    if "GATEWAY_URL" in os.environ:
        await asyncio.to_thread(find_missed)
    working = asyncio.create_task(work())
    yield
    working.cancel()


app = FastAPI(lifespan=lifespan)
app.post("/webhooks")(webhook(receiver))

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "9000")))
