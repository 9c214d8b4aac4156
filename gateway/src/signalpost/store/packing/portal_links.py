"""Columns of portal links."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from signalpost.domain.portal_link import Capability, PortalLink, Subscriptions, Theme
from signalpost.domain.sign_in import Ground
from signalpost.store.packing import Id

_encode = msgspec.json.Encoder().encode

PORTAL_LINK_COLUMNS = (
    "number, id, tenant_id, hash, maker_kind, maker_id, maker_proof, created_at, ends_at, opened_at, revoked_at, terms"
)


class _Terms(Struct, frozen=True):
    """What a portal link allows, and whom: what is only read with the whole."""

    name: str
    created_by: str
    subscriptions: Subscriptions
    can: tuple[Capability, ...]
    embed: tuple[str, ...]
    theme: Theme


_decode_terms = msgspec.json.Decoder(_Terms).decode


def pack_portal_link(link: PortalLink, pack_id: Callable[[str], Id]) -> tuple[Any, ...]:
    """`PORTAL_LINK_COLUMNS` of a portal link."""
    terms = _Terms(*(getattr(link, name) for name in _Terms.__struct_fields__))
    return (
        link.number, pack_id(link.id), link.tenant_id, link.hash, *link.maker, link.created_at, link.ends_at,
        link.opened_at, link.revoked_at, _encode(terms),
    )  # fmt: skip


def unpack_portal_link(columns: Sequence[Any], unpack_id: Callable[[Id], str]) -> PortalLink:
    """From `PORTAL_LINK_COLUMNS`."""
    number, link_id, tenant_id, digest, kind, maker_id, proof, created_at, ends_at, opened_at, revoked_at, terms = (
        columns
    )
    return PortalLink(
        number=number,
        tenant_id=tenant_id,
        id=unpack_id(link_id),
        hash=digest,
        maker=Ground(kind, maker_id, proof),
        created_at=created_at,
        ends_at=ends_at,
        opened_at=opened_at,
        revoked_at=revoked_at,
        **asdict(_decode_terms(terms)),
    )
