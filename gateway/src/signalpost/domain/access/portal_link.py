"""Links that let a customer see their own subscriptions, on pages that a tenant may embed in its own.

    made ──opened, once, within `OPEN_WITHIN`──▶ in use: one session ──▶ ended: revoked, or at `ends_at`
      └──not opened in time──▶ ended

A person who opens a link needs no account. So a link says all that its session may do: in one tenant, with the
subscriptions that it names, what its **capabilities** allow. It is worth no more than its **maker**, the key or member
who asked for it: when their key is revoked, or their role changes, the link has ended with all its sessions.
"""

import re
from base64 import b64decode
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from signalpost.domain import fields
from signalpost.domain.access.sign_in import Ground
from signalpost.domain.body import Body, read_by
from signalpost.domain.checks import NO_NUL, Bad, each, plain_text
from signalpost.domain.colours import COLOUR
from signalpost.domain.timestamps import SECOND

OPEN_WITHIN: Final = 10 * 60 * SECOND
"""A link that was not opened for so long has ended (µs)."""
DEFAULT_SECONDS: Final = 3600
MAX_SECONDS: Final = 12 * 3600
MAX_REPLAYED: Final = 10_000
"""A customer sends no more deliveries again at a time."""
MAX_SUBSCRIPTIONS: Final = 100
MAX_ORIGINS: Final = 10
MAX_LOGO_BYTES: Final = 32 * 1024
MAX_LOGO_LENGTH: Final = MAX_LOGO_BYTES * 4 // 3 + 4
"""How long it can be in base64."""
MAX_LOGO_PIXELS: Final = 1024
"""How wide and high a logo can be: a small file may hold an image that fills the memory of the browser that shows
it."""


class Capability(StrEnum):
    """What a link allows in addition to viewing its subscriptions and their deliveries."""

    VIEW = "view"
    """Every link allows it."""
    PAYLOAD = "payload"
    """To see what was sent, and what the endpoint answered."""
    TEST = "test"
    RETRY = "retry"
    REPLAY = "replay"
    EDIT = "edit"
    """To change where it is sent and with which headers, to pause and to resume."""
    CREATE = "create"
    SECRET = "secret"  # noqa: S105
    """To rotate the secret, and to check signatures with it."""


class LinkState(StrEnum):
    NEW = "new"
    OPEN = "open"
    ENDED = "ended"


class Mode(StrEnum):
    """Light or dark."""

    AUTO = "auto"
    LIGHT = "light"
    DARK = "dark"


# --- What clients send ------------------------------------------------------------------------------------------------

_ORIGIN: Final = r"(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?|http://(localhost|127\.0\.0\.1))(:[0-9]{1,5})?"
_is_origin = re.compile(_ORIGIN).fullmatch
_PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
Subscriptions = tuple[str, ...] | Literal["all"]


def _origin(value: Any) -> str:
    origin = plain_text(value).lower()
    if not _is_origin(origin):
        raise Bad("not_an_origin", "This must be an origin, such as https://app.example.com.")
    return origin


_read_ids = each(fields.uuid, 0, MAX_SUBSCRIPTIONS)


def _subscriptions(value: Any) -> Subscriptions:
    if value == "all":
        return "all"
    if not isinstance(value, list):
        raise Bad("wrong_type", "This must be a list of the ids of subscriptions, or all.")
    found: tuple[str, ...] = _read_ids(value)
    return found


def _logo(value: Any) -> str:
    written = plain_text(value, MAX_LOGO_LENGTH)
    try:
        image = b64decode(written, validate=True)
    except ValueError:
        raise Bad("not_base64", "This must be a PNG image in base64.") from None
    if not image.startswith(_PNG) or len(image) < len(_PNG) + 8 or len(image) > MAX_LOGO_BYTES:
        raise Bad("not_a_logo", f"This must be a PNG image of at most {MAX_LOGO_BYTES // 1024} KiB, in base64.")
    width, height = (int.from_bytes(image[at : at + 4]) for at in (len(_PNG), len(_PNG) + 4))
    if not (0 < width <= MAX_LOGO_PIXELS and 0 < height <= MAX_LOGO_PIXELS):
        raise Bad("too_large", f"The image can be at most {MAX_LOGO_PIXELS} pixels wide and high.")
    return written


def _accent(value: Any) -> str:
    colour = plain_text(value).lower()
    if not COLOUR.fullmatch(colour):
        raise Bad("not_a_colour", "This must be a colour, such as #2b4fc7.")
    return colour


class Theme(Body, frozen=True, kw_only=True):
    """What the pages look like. Every value is chosen from what is safe; none is CSS or HTML."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL, description="Name that the pages show.")] = (
        "Webhooks"
    )
    accent: Annotated[
        str,
        Meta(
            description="Colour of links and of the main button. It is made darker or lighter if that is needed to "
            "read it.",
            extra_json_schema={"pattern": f"^{COLOUR.pattern}$"},
            extra=read_by(_accent),
        ),
    ] = "#2b4fc7"
    radius: Annotated[int, Meta(ge=0, le=16, description="Radius of corners, in pixels.")] = 6
    mode: Annotated[Mode, Meta(description="`auto` follows the visitor's settings.")] = Mode.AUTO
    logo: Annotated[
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=MAX_LOGO_LENGTH,
                pattern="^[A-Za-z0-9+/]+={0,2}$",
                extra_json_schema={"contentEncoding": "base64"},
            ),
        ]
        | None,
        Meta(
            description="A PNG image in base64, at most 32 KiB and 1024 pixels.",
            extra=read_by(lambda value: None if value is None else _logo(value)),
        ),
    ] = None


NamedSubscriptions = Annotated[
    Annotated[tuple[fields.Uuid, ...], Meta(max_length=MAX_SUBSCRIPTIONS)] | Literal["all"],
    Meta(
        description="Ids of the subscriptions, or `all`: every subscription of the tenant, including later ones.",
        extra=read_by(_subscriptions),
    ),
]
Origins = Annotated[
    tuple[
        Annotated[str, Meta(extra_json_schema={"pattern": f"^{_ORIGIN}$"}, extra=read_by(_origin))],
        ...,
    ],
    Meta(max_length=MAX_ORIGINS, description="Origins of the pages that may embed the portal in a frame."),
]


class PortalLinkRequest(Body, frozen=True, kw_only=True):
    name: Annotated[
        str, Meta(min_length=1, max_length=128, pattern=NO_NUL, description="Who it is for; shown in the audit.")
    ]
    subscriptions: NamedSubscriptions
    can: Annotated[
        tuple[Capability, ...],
        Meta(max_length=len(Capability), description="What the visitor may do. `view` is always included."),
    ]
    expires_in: Annotated[
        int, Meta(ge=60, le=MAX_SECONDS, description="Seconds from now until the link and its session end.")
    ] = DEFAULT_SECONDS
    embed: Origins | UnsetType = UNSET
    theme: Theme = field(default_factory=Theme)


# --- What is kept -----------------------------------------------------------------------------------------------------


class PortalLink(Struct, frozen=True, kw_only=True):
    """The times are µs since the epoch."""

    number: int
    """Links, members and API keys have their numbers from one sequence, so a number says who asked for a change."""
    tenant_id: int
    id: str
    hash: bytes
    """The hash of the token."""
    maker: Ground
    """The ground of its creator: the link never allows more."""
    created_by: str
    """The maker's name."""
    created_at: int
    ends_at: int
    name: str
    subscriptions: Subscriptions
    can: tuple[Capability, ...]
    embed: tuple[str, ...] = ()
    theme: Theme = Theme()
    opened_at: int | None = None
    revoked_at: int | None = None

    @property
    def open_until(self) -> int:
        return min(self.created_at + OPEN_WITHIN, self.ends_at)

    def may_be_opened(self, now: int) -> bool:
        return self.opened_at is None and self.revoked_at is None and now < self.open_until

    def is_in_use(self, now: int) -> bool:
        """Whether the session that the link began is still valid."""
        return self.opened_at is not None and self.revoked_at is None and now < self.ends_at

    def state(self, now: int) -> LinkState:
        if self.may_be_opened(now):
            return LinkState.NEW
        return LinkState.OPEN if self.is_in_use(now) else LinkState.ENDED

    def reaches(self, subscription_id: str) -> bool:
        return self.subscriptions == "all" or subscription_id in self.subscriptions

    @property
    def proof(self) -> bytes:
        """What a session that comes from this link must name."""
        return str(self.number).encode()
