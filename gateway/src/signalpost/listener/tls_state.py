"""The states of TLS on a client's connection, as a table. `tls_connection.py` does what follows from it."""

from enum import IntEnum

from signalpost.domain.transitions import Transitions


class TlsStage(IntEnum):
    """In this order: from OPEN on, the HTTP connection knows of it."""

    SHAKING = 0
    """The client agrees on TLS, or has sent nothing yet."""
    REFUSED = 1
    """The connection ended before TLS was agreed on. What still arrives is thrown away."""
    OPEN = 2
    """What arrives is decrypted and passed on, what is written is encrypted."""
    OVER = 3
    """The gateway said that it sends no more, or the connection is lost. What still arrives is thrown away."""


class TlsInput(IntEnum):
    SHAKEN = 0
    """Both sides have agreed on TLS."""
    END = 1
    """The gateway ends it, or it is lost."""


TLS_STAGES: Transitions[TlsStage, TlsInput] = {
    TlsStage.SHAKING: {TlsInput.SHAKEN: TlsStage.OPEN, TlsInput.END: TlsStage.REFUSED},
    TlsStage.REFUSED: {TlsInput.END: TlsStage.REFUSED},
    TlsStage.OPEN: {TlsInput.END: TlsStage.OVER},
    TlsStage.OVER: {TlsInput.END: TlsStage.OVER},
}
