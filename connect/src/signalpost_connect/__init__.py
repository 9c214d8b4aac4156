"""Feed a Signalpost gateway from where documents live: a database's outbox, or a source of your own.

    signalpost-connect check outbox.toml
    signalpost-connect run outbox.toml

Authors of sources need what this module exports, and `signalpost_connect.testing` to try it with.
"""

from signalpost_connect.source import (
    AGAIN,
    APPLIED,
    UNCHANGED,
    Batch,
    Looks,
    Message,
    Outcome,
    Source,
    SourceAway,
    Verdict,
    dead,
)

__all__ = [
    "AGAIN",
    "APPLIED",
    "UNCHANGED",
    "Batch",
    "Looks",
    "Message",
    "Outcome",
    "Source",
    "SourceAway",
    "Verdict",
    "dead",
]
