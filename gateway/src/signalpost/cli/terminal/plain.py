"""Plain text on the terminal, for what needs no colours: Rich, which makes them, takes a megabyte and half of the time
that a short command runs."""

import json
import os
import re
import sys

_FRACTION = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d{6}\+00:00")
"""The part of a timestamp that people need not see; `--json` shows it."""
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and characters that change the direction of a text."""


def say(sentences: str) -> None:
    """Print sentences. Whatever values they name, the terminal takes none of it for a command."""
    print(escaped_lines(sentences.removesuffix("\n")), flush=True)  # noqa: T201


def discard_output() -> None:
    """Redirect standard output to /dev/null, so that unread output raises no error when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def without_fractions(text: str) -> str:
    """The text with every timestamp in it as people read it."""
    return _FRACTION.sub("Z", escaped(text))


def escaped(text: str) -> str:
    """The text with every invisible or control character escaped."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def escaped_lines(text: str) -> str:
    """The same of a text whose lines stay lines."""
    return "\n".join(map(escaped, text.split("\n")))


def escaped_json(text: str) -> str:
    """JSON that says the same, with every such character escaped as JSON does."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def print_json(value: object) -> None:
    """Print one JSON document on a line of its own."""
    print(escaped_json(json.dumps(value, ensure_ascii=False)), flush=True)  # noqa: T201
