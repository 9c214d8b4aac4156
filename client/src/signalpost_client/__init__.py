"""Call a Signalpost gateway: typed, repeated where that is safe, and never done twice.

    from signalpost_client import Client

    with Client("https://gateway.example.com", key) as signalpost:
        document = signalpost.documents.create(
            type="NDA", title="Mutual NDA", owner_email="o@example.com", author_email="a@example.com"
        )
        for each in signalpost.documents.list(status="approved"):
            print(each.title)

`AsyncClient` has the same for asyncio. `signalpost_client.shapes` has the types of the answers.
"""

from typing import TYPE_CHECKING, Any

from signalpost_client.client import Client
from signalpost_client.core import Answer, Call, path, takes_key
from signalpost_client.errors import (
    BadField,
    BadRequest,
    Conflict,
    DeadlinePassed,
    Forbidden,
    Gone,
    Invalid,
    MethodNotAllowed,
    NoAnswer,
    NotFound,
    PreconditionFailed,
    Problem,
    RangeNotSatisfiable,
    SignalpostError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    UnknownCall,
    UnsupportedMedia,
)
from signalpost_client.pages import AsyncPages, Pages
from signalpost_client.version import VERSION

if TYPE_CHECKING:
    from signalpost_client.async_client import AsyncClient

__all__ = [
    "VERSION",
    "Answer",
    "AsyncClient",
    "AsyncPages",
    "BadField",
    "BadRequest",
    "Call",
    "Client",
    "Conflict",
    "DeadlinePassed",
    "Forbidden",
    "Gone",
    "Invalid",
    "MethodNotAllowed",
    "NoAnswer",
    "NotFound",
    "Pages",
    "PreconditionFailed",
    "Problem",
    "RangeNotSatisfiable",
    "SignalpostError",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "UnknownCall",
    "UnsupportedMedia",
    "path",
    "takes_key",
]


def __getattr__(name: str) -> Any:
    """`AsyncClient`, which loads asyncio: programs that do not use it begin sooner."""
    if name != "AsyncClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from signalpost_client.async_client import AsyncClient

    return AsyncClient
