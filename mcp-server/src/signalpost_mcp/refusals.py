"""What an assistant is told if a call fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from mcp.server.mcpserver.exceptions import ToolError

from signalpost_client import VERSION, Forbidden, NoAnswer, SignalpostError, Unauthorized, UnknownCall


@contextmanager
def told_to_assistant() -> Iterator[None]:
    """Within it, what the client raises becomes an error that says what to do."""
    try:
        yield
    except SignalpostError as error:
        raise ToolError(sentence(error)) from None


def sentence(error: SignalpostError) -> str:
    """What went wrong, and what to do about it."""
    match error:
        case Unauthorized():
            return "The gateway does not know this key, or it was revoked. A person has to set SIGNALPOST_KEY anew."
        case Forbidden():
            return f"The key's role does not allow this ({error.code}). A person may give another key."
        case UnknownCall():
            return f"The gateway is older than signalpost-mcp {VERSION}, and cannot do this."
        case NoAnswer(outcome_unknown=True):
            return f"{error} Call the tool again in the same way: nothing is done twice."
        case _:
            return str(error)
