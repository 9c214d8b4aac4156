"""The table of portal links, which are removed once they have ended."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from signalpost.domain.access.portal_link import Capability, PortalLink, Subscriptions, Theme
from signalpost.domain.access.sign_in import Ground
from signalpost.store.tables.table import Codec, Kind, Table

_encode = msgspec.json.Encoder().encode


class _Terms(Struct, frozen=True):
    """What a portal link allows, and whom: what is only read with the whole."""

    name: str
    created_by: str
    subscriptions: Subscriptions
    can: tuple[Capability, ...]
    embed: tuple[str, ...]
    theme: Theme


_decode_terms = msgspec.json.Decoder(_Terms).decode


def _pack(link: PortalLink, codec: Codec) -> tuple[Any, ...]:
    terms = _Terms(*(getattr(link, name) for name in _Terms.__struct_fields__))
    return (
        link.number, codec.pack_id(link.id), link.tenant_id, link.hash, *link.maker, link.created_at, link.ends_at,
        link.opened_at, link.revoked_at, _encode(terms),
    )  # fmt: skip


def _unpack(columns: Sequence[Any], codec: Codec) -> PortalLink:
    number, link_id, tenant_id, digest, kind, maker_id, proof, created_at, ends_at, opened_at, revoked_at, terms = (
        columns
    )
    return PortalLink(
        number=number,
        tenant_id=tenant_id,
        id=codec.unpack_id(link_id),
        hash=digest,
        maker=Ground(kind, maker_id, proof),
        created_at=created_at,
        ends_at=ends_at,
        opened_at=opened_at,
        revoked_at=revoked_at,
        **asdict(_decode_terms(terms)),
    )


PORTAL_LINK: Final = Table(
    "portal_link",
    PortalLink,
    {
        "number": Kind.NUMBER,
        "id": Kind.UUID,
        "tenant_id": Kind.NUMBER,
        "hash": Kind.BLOB,
        "maker_kind": Kind.TEXT,
        "maker_id": Kind.TEXT,
        "maker_proof": Kind.BLOB,
        "created_at": Kind.NUMBER,
        "ends_at": Kind.NUMBER,
        "opened_at": Kind.NUMBER,
        "revoked_at": Kind.NUMBER,
        "terms": Kind.BLOB,
    },
    changing=["opened_at", "revoked_at"],
    numbered_with="api_key",
    goes_after="ends_at",
    pack=_pack,
    unpack=_unpack,
)
