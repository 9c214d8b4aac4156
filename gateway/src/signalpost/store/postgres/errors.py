"""What PostgreSQL's errors mean here."""

from typing import Final

import psycopg

from signalpost.domain.errors import DatabaseReadOnly, DiskNearlyFull, StartError, Unavailable

_LATER: Final = "The database could not do this now, and nothing was changed. Repeat the request."
_GONE: Final = "The database does not answer: repeat the request in a moment."
_GONE_CLASSES: Final = ("08", "57P0", "58")
"""Errors of a connection, of a server that stops or starts, and of its system."""
LOCK_NOT_AVAILABLE: Final = "55P03"
NO_PARTITION: Final = "23514"
"""`check_violation`: the store has no other checks that a write could run into."""
NOT_AS_IT_WAS: Final = "22012"
"""`division_by_zero`: how a statement fails that has not found the rows as they were read."""
_BUSY: Final = frozenset(
    {
        *("40001", "40P01", LOCK_NOT_AVAILABLE, NOT_AS_IT_WAS),
        *("57014", "25P03", "25P04", "53200", "53300", "53400"),
    }
)
"""Conflicts of transactions, rows that are not as they were read, time-outs, and what the server has too little of."""
_READ_ONLY: Final = "25006"
_ONLY_READ_ONLY: Final = ("session is read-only", "server is in hot standby mode")
"""What libpq says where the URL asks for a server that takes changes, and none of those that answer does."""
_CONFLICTS: Final = frozenset({"40001", "40P01", "23505", LOCK_NOT_AVAILABLE, "25P03", NOT_AS_IT_WAS})
"""Two rows of the same name or id, added at the same time, are a conflict too: the second try finds the first row."""
_FULL: Final = "53100"
NOT_ALLOWED: Final = "42501"


_UNTRUSTED: Final = "certificate verify failed"
"""What OpenSSL says of a certificate by an authority that it does not know."""


class NotOwner(Unavailable):
    """The user that runs this node may not make or remove tables, and not act as the one that may."""

    def __init__(self) -> None:
        super().__init__(
            "The database's user may not make or remove partitions. Run `signalpost db partitions` every day as the "
            "user that owns the tables."
        )


def unusable(error: psycopg.Error) -> StartError:
    """The error for an operator who starts a node that cannot connect, or to a server that takes no changes."""
    if is_read_only(error):
        return StartError(str(DatabaseReadOnly()))
    advice = ""
    if _UNTRUSTED in str(error):
        advice = ". The file that sslrootcert names must have the authority that signed the server's certificate."
    return StartError(f"The database cannot be reached: {str(error).strip()}{advice}")


def is_conflict(error: psycopg.Error) -> bool:
    """Whether another transaction, or a connection that was lost before anything was committed, was in the way, so that
    the same may work when it is tried again."""
    return error.sqlstate in _CONFLICTS or is_lost(error)


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection is of no more use, so that what was sent last may or may not have been done."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_GONE_CLASSES) or error.sqlstate in ("25P03", "25P04")


def is_read_only(error: psycopg.Error) -> bool:
    """Whether the server takes no changes, such as a standby."""
    return error.sqlstate == _READ_ONLY or any(said in str(error) for said in _ONLY_READ_ONLY)


def as_told(error: psycopg.Error) -> Exception:
    """The error for the caller of a transaction that is known not to have been committed. What the data is to blame
    for, or a defect, comes back as it is."""
    if error.sqlstate == _FULL:
        return DiskNearlyFull()
    if is_read_only(error):
        return DatabaseReadOnly()
    if error.sqlstate in _BUSY:
        return Unavailable(_LATER)
    if is_lost(error):
        return Unavailable(_GONE)
    return error
