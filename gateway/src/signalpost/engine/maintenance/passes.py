"""One pass of work that is done again and again: no matter what goes wrong with it, the next one is made."""

from collections.abc import Awaitable, Callable

from signalpost.domain.errors import SignalpostError
from signalpost.runtime.logger import log


async def make_pass(work: Callable[[], Awaitable[None]], failed: str) -> bool:
    """Do the work once. Returns whether it was done; if it failed, the sentence `failed` is logged."""
    try:
        await work()
    except SignalpostError as error:
        log.warning(failed, error=str(error))
    except Exception:
        log.exception(failed)
    else:
        return True
    return False
