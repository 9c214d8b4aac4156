"""The limits of a tenant, and how much of each it uses.

Operators set a tenant's limits; what they leave open is limited as the gateway's settings say, or not at all. How many
documents, subscriptions and bytes of files a tenant has is kept with it, and decided where its changes are decided, one
after the other: calls that arrive together do not get past a limit together.
"""

from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from msgspec.structs import asdict, replace

from signalpost.domain.body import Body, given
from signalpost.domain.errors import Forbidden

MAX_PER_SECOND: Final = 100_000
MAX_COUNT: Final = 10**12

Rate = Annotated[int, Meta(ge=1, le=MAX_PER_SECOND)]
InFlight = Annotated[int, Meta(ge=1, le=1_000)]
Most = Annotated[int, Meta(ge=0, le=MAX_COUNT)]


class TenantLimits(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """None if nothing is limited."""

    requests_per_second: int | None = None
    """Requests of its keys, except calls that only operators may make."""
    changes_per_second: int | None = None
    """Changes of documents, each line of an import among them."""
    in_flight: int | None = None
    """Concurrent delivery attempts."""
    documents: int | None = None
    subscriptions: int | None = None
    file_bytes: int | None = None
    """Bytes of the files of all versions."""

    def __str__(self) -> str:
        """The limits as the setting TENANT_LIMITS spells them."""
        return ",".join(f"{name}={limit}" for name, limit in to_builtins(self).items())

    def over(self, defaults: "TenantLimits") -> "TenantLimits":
        """The limits that count: these, and the defaults for what they leave open."""
        given = {name: limit for name, limit in asdict(self).items() if limit is not None}
        return replace(defaults, **given) if given else defaults


NO_LIMITS: Final = TenantLimits()


class LimitsPatch(Body, frozen=True, kw_only=True):
    """Null takes a limit back: then that of the settings counts."""

    requests_per_second: Annotated[
        Rate | None | UnsetType,
        Meta(description="Requests per second with the tenant's keys. Further ones are answered 429."),
    ] = UNSET
    changes_per_second: Annotated[
        Rate | None | UnsetType,
        Meta(description="Changes of documents. Further ones are answered 429, and imports are read more slowly."),
    ] = UNSET
    in_flight: Annotated[InFlight | None | UnsetType, Meta(description="Concurrent delivery attempts.")] = UNSET
    documents: Annotated[
        Most | None | UnsetType,
        Meta(description="Documents that are not deleted. A request for one more is answered 403."),
    ] = UNSET
    subscriptions: Annotated[
        Most | None | UnsetType,
        Meta(description="Subscriptions that are not deleted. A request for one more is answered 403."),
    ] = UNSET
    file_bytes: Annotated[
        Most | None | UnsetType,
        Meta(description="Total bytes of the files of versions. An upload beyond it is answered 403."),
    ] = UNSET

    def applied_to(self, limits: TenantLimits) -> TenantLimits:
        return replace(limits, **given(self))


class TenantUse(Struct, frozen=True, kw_only=True):
    """How much of each limited resource a tenant uses."""

    documents: int = 0
    subscriptions: int = 0
    file_bytes: int = 0

    def grown_by(self, other: "TenantUse") -> "TenantUse":
        return TenantUse(
            documents=self.documents + other.documents,
            subscriptions=self.subscriptions + other.subscriptions,
            file_bytes=self.file_bytes + other.file_bytes,
        )


NO_USE: Final = TenantUse()
NOUNS: Final = {
    "documents": ("document_limit", "documents"),
    "subscriptions": ("subscription_limit", "subscriptions"),
    "file_bytes": ("file_limit", "bytes of files"),
}
"""The code and the word for what there is too much of, by the limit."""


def check_room(limits: TenantLimits, use: TenantUse, growth: TenantUse) -> None:
    """Raise Forbidden if a tenant would exceed a limit. What it already has stays, even above a limit that was lowered,
    and may become less."""
    if limits is NO_LIMITS:
        return
    for name, (code, noun) in NOUNS.items():
        most, has, more = getattr(limits, name), getattr(use, name), getattr(growth, name)
        if most is not None and more > 0 and has + more > most:
            detail = f"The tenant may have {most} {noun}, and has {has}. Delete some, or ask an operator for more."
            raise Forbidden(code, detail)
