"""Whether the gateway lives, and whether it can do its work."""

import msgspec

from signalpost.api.services import Services
from signalpost.domain.batch import Answer


async def live(_services: Services) -> Answer:
    return Answer(200, msgspec.json.encode({"status": "live"}))


async def ready(services: Services) -> Answer:
    trouble = services.engine.trouble
    status = {"status": "ready" if trouble is None else "not ready", "trouble": trouble}
    return Answer(200 if trouble is None else 503, msgspec.json.encode(status))
