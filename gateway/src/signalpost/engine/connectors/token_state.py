"""The states of a connection's tokens, as tables: two that do not depend on one another.

- `Asking`: whether a token is being asked for.
- `TokenHold`: why no call may go and no token may be asked for, if so.

They are not one state. A person may fix a connection, or begin a rest of it, while a token is on its way. All of it is
memory: a restart begins in the first state of each.
"""

from enum import IntEnum

from signalpost.domain.transitions import Transitions


class Asking(IntEnum):
    IDLE = 0
    ASKING = 1
    CLOSING = 2
    """The last token is on its way, and still kept when it comes."""
    CLOSED = 3


class AskingInput(IntEnum):
    ASK = 0
    END = 1
    """The request for a token has ended, whether it brought one or not."""
    CLOSE = 2


ASKINGS: Transitions[Asking, AskingInput] = {
    Asking.IDLE: {AskingInput.ASK: Asking.ASKING, AskingInput.CLOSE: Asking.CLOSED},
    Asking.ASKING: {AskingInput.END: Asking.IDLE, AskingInput.CLOSE: Asking.CLOSING},
    Asking.CLOSING: {AskingInput.END: Asking.CLOSED, AskingInput.CLOSE: Asking.CLOSING},
    Asking.CLOSED: {AskingInput.CLOSE: Asking.CLOSED},
}


class TokenHold(IntEnum):
    FREE = 0
    REFUSED = 1
    """The vendor refused, and a person has to fix the connection."""
    RESTING = 2
    """The connection is about to forget its credentials (`Tokens.rest`)."""
    REFUSED_AND_RESTING = 3


class TokenHoldInput(IntEnum):
    REFUSE = 0
    REST = 1
    TRY_AGAIN = 2


TOKEN_HOLDS: Transitions[TokenHold, TokenHoldInput] = {
    TokenHold.FREE: {
        TokenHoldInput.REFUSE: TokenHold.REFUSED,
        TokenHoldInput.REST: TokenHold.RESTING,
        TokenHoldInput.TRY_AGAIN: TokenHold.FREE,
    },
    TokenHold.REFUSED: {
        TokenHoldInput.REST: TokenHold.REFUSED_AND_RESTING,
        TokenHoldInput.TRY_AGAIN: TokenHold.FREE,
    },
    TokenHold.RESTING: {
        TokenHoldInput.REFUSE: TokenHold.REFUSED_AND_RESTING,
        TokenHoldInput.REST: TokenHold.RESTING,
        TokenHoldInput.TRY_AGAIN: TokenHold.FREE,
    },
    TokenHold.REFUSED_AND_RESTING: {
        TokenHoldInput.REST: TokenHold.REFUSED_AND_RESTING,
        TokenHoldInput.TRY_AGAIN: TokenHold.FREE,
    },
}
