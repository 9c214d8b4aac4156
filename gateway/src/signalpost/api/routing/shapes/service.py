"""What answers about the gateway itself look like, and problems."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from signalpost.api.routing.shapes.shape import Cursor, Shape
from signalpost.domain.documents.workflow import ActionName
from signalpost.domain.fields import Timestamp

DatabaseKind = Literal["sqlite", "postgresql"]


class Liveness(Shape, frozen=True):
    status: Literal["live"]


class Readiness(Shape, frozen=True):
    status: Literal["ready", "not ready"]
    trouble: Annotated[str | None, Meta(description="Why the gateway is not ready.")]
    warnings: Annotated[
        list[str], Meta(description="What the operator may have to change, although the gateway is ready.")
    ]


class DatabaseShown(Shape, frozen=True):
    kind: DatabaseKind
    bytes: int
    wal_bytes: Annotated[
        int, Meta(description="SQLite's write-ahead log, which is copied into the database from time to time.")
    ]
    backed_up_at: Annotated[
        Timestamp | None,
        Meta(
            description="When `signalpost db backup` last made a sound copy. Null if it made none, and for PostgreSQL, "
            "which is backed up with its own tools."
        ),
    ]


class DiskShown(Shape, frozen=True):
    """The disk of the data directory."""

    free_bytes: int
    reserve_bytes: Annotated[int, Meta(description="With less, documents are refused.")]
    is_enough: bool


class SettingShown(Shape, frozen=True):
    """A setting with the value in force."""

    name: Annotated[str, Meta(description="The environment variable, without `SIGNALPOST_`.")]
    value: Annotated[str | None, Meta(description="Null if it has no value. A secret is shown only as `set`.")]
    is_default: bool
    source: Annotated[
        Literal["default", "environment", "flag", "program"],
        Meta(description="Where the value comes from; `program` is one that embeds the gateway."),
    ]
    help: str


class GatewayShown(Shape, frozen=True):
    """The gateway, as the node that answers knows it."""

    version: str
    python: str
    health: Readiness
    node: Annotated[int | None, Meta(description="The `id` of the node that answers.")]
    public_url: str
    database: DatabaseShown
    disk: DiskShown
    in_flight: Annotated[int, Meta(description="Attempts in flight.")]
    unrecorded: Annotated[int, Meta(description="Attempts that ended and are not recorded yet.")]
    waiting: Annotated[int, Meta(description="Changes that wait for their commit.")]
    viewers: Annotated[int, Meta(description="Streams that follow what changes.")]
    settings: list[SettingShown]


class Node(Shape, frozen=True):
    """One running gateway that works on the database."""

    id: Annotated[int, Meta(description="Assigned when the node starts; no other node ever gets it.")]
    host: Annotated[str, Meta(description="Host name of its machine.")]
    process: Annotated[int, Meta(description="Process id on that machine.")]
    role: Literal["all", "api", "worker"]
    version: str
    state: Annotated[
        Literal["working", "draining", "silent"],
        Meta(
            description="`draining`: it is stopping, and takes no more subscriptions. `silent`: its last beat is so "
            "old that it starts no attempts; others soon take its subscriptions."
        ),
    ]
    lanes: Annotated[int, Meta(description="Number of subscriptions that it delivered for at its last beat.")]
    joined_at: Timestamp
    last_beat_at: Annotated[
        Timestamp | None,
        Meta(description="By the database's clock; null on SQLite, where the only node does not beat."),
    ]
    seconds_since_beat: Annotated[float | None, Meta(description="Null on SQLite.")]
    answers: Annotated[bool, Meta(description="Whether this is the node that answers this call.")]


class Nodes(Shape, frozen=True):
    data: Annotated[list[Node], Meta(description="The oldest first.")]
    next: Cursor
    subscriptions: Annotated[int, Meta(description="Number of subscriptions, of all tenants.")]
    unowned: Annotated[
        int,
        Meta(
            description="Number of subscriptions that no node delivers for, as of the nodes' last beats. A few "
            "seconds above "
            "0 are normal after a node started or stopped."
        ),
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
    code: Annotated[str, Meta(description="Programs may rely on it: it does not change between releases.")]
    request_id: str
    errors: list[BadField] | UnsetType = UNSET
    allowed: Annotated[list[ActionName] | UnsetType, Meta(description="The actions that are allowed now.")] = UNSET
    awaited: Annotated[list[str] | UnsetType, Meta(description="The participants who have not decided yet.")] = UNSET
