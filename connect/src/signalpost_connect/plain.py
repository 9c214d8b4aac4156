"""Text of others on a terminal, which takes none of it for a command."""

import logging
import re

_INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but the end of a line, and characters that change the direction of a text."""


def escaped(text: str) -> str:
    """The text with every such character escaped."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Print a text that may name what a source or the gateway said."""
    print(escaped(text))


class PlainFormatter(logging.Formatter):
    """Formats lines of the log, and escapes what they name."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))
