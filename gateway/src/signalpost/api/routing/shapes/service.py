"""What answers about the gateway itself look like, and problems."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.api.routing.shapes.shape import Shape
from signalpost.domain.documents.workflow import ActionName


class Liveness(Shape, frozen=True):
    status: Literal["live"]


class Readiness(Shape, frozen=True):
    status: Literal["ready", "not ready"]
    trouble: Annotated[str | None, Meta(description="Why the gateway is not ready.")]
    warnings: Annotated[
        list[str], Meta(description="What the operator may have to change, although the gateway is ready.")
    ]


class BadField(Shape, frozen=True):
    pointer: Annotated[
        str, Meta(description="A JSON pointer into the body, `?name` for a query parameter, or a header's name.")
    ]
    code: str
    detail: str


class Problem(Shape, frozen=True):
    """An error in the format of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable: programs may rely on it.")]
    request_id: str
    errors: list[BadField] | UnsetType = UNSET
    allowed: Annotated[list[ActionName] | UnsetType, Meta(description="The actions that are allowed now.")] = UNSET
    awaited: Annotated[list[str] | UnsetType, Meta(description="The participants who have not decided yet.")] = UNSET
