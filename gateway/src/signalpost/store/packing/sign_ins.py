"""Columns of sessions and of links that sign in."""

from collections.abc import Sequence
from typing import Any

from signalpost.domain.access.sign_in import Ground, Link, Purpose, Session, Whence

SESSION_COLUMNS = (
    "hash, purpose, ground_kind, ground_id, proof, began_at, ends_at, used_at, proved_at, address, browser"
)
LINK_COLUMNS = "hash, purpose, ground_kind, ground_id, proof, expires_at"


def pack_session(session: Session) -> tuple[Any, ...]:
    """`SESSION_COLUMNS` of a session."""
    times = (session.began_at, session.ends_at, session.used_at, session.proved_at)
    return (session.hash, str(session.purpose), *session.ground, *times, *session.whence)


def unpack_session(columns: Sequence[Any]) -> Session:
    """From `SESSION_COLUMNS`."""
    digest, purpose, kind, ground_id, proof, began_at, ends_at, used_at, proved_at, address, browser = columns
    return Session(
        hash=digest,
        purpose=Purpose(purpose),
        ground=Ground(kind, ground_id, proof),
        began_at=began_at,
        ends_at=ends_at,
        used_at=used_at,
        proved_at=proved_at,
        whence=Whence(address, browser),
    )


def pack_link(link: Link) -> tuple[Any, ...]:
    """`LINK_COLUMNS` of a link."""
    return (link.hash, str(link.purpose), *link.ground, link.expires_at)


def unpack_link(columns: Sequence[Any]) -> Link:
    """From `LINK_COLUMNS`."""
    digest, purpose, kind, ground_id, proof, expires_at = columns
    return Link(hash=digest, purpose=Purpose(purpose), ground=Ground(kind, ground_id, proof), expires_at=expires_at)
