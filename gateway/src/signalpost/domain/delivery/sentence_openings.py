"""How the sentence begins that is noted with an attempt that failed."""

from enum import StrEnum


class SentenceOpening(StrEnum):
    """The opening of a sentence about a failed attempt. The sender writes its sentences with them, and the diagnosis
    tells by them what failed, from the sentences that are stored."""

    NO_ADDRESS = "The host name has no address"
    NO_ROOM = "The gateway cannot open another connection"
    REFUSED = "The endpoint refused the connection"
    UNREACHABLE = "The endpoint's address cannot be reached"
    CLOSED_MIDWAY = "The endpoint closed the connection in the middle of its answer"
    NOT_YET_VALID = "The certificate is not valid yet"
    SELF_SIGNED = "The certificate is self-signed"
    UNRESOLVED_IN_TIME = "The host name was not resolved"
    UNCONNECTED_IN_TIME = "No connection was made"
    UNSECURED_IN_TIME = "TLS was not agreed on"
    UNFINISHED_IN_TIME = "The answer was not complete"
    MAIL_REFUSED = "The mail server refused"
