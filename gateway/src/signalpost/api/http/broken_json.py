"""Finds where a text stops being JSON, and says what is expected there.

The words and the places of the standard library's errors differ with Python's version. As its decoder does, this takes
NaN, infinities and lone surrogates for well-formed: what is wrong with them is said of the values.
"""

import re
from itertools import count
from typing import Final, NamedTuple

from signalpost.sharing.resting_turns import Rest, no_rest

TOKENS_IN_A_ROW: Final = 256
"""Number of tokens after which the thread may rest: they take some 0.1 ms."""
_PLAIN: Final = r'[^"\\\x00-\x1f]*'
_BEGUN: Final = rf'"{_PLAIN}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_PLAIN})*'
_STRING: Final = f'{_BEGUN}"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_SCALAR: Final = f"{_STRING}|{_NUMBER}|true|false|null|NaN|-?Infinity"
_VALUE: Final = "a value"
_FIRST_VALUE: Final = "a value or ]"
_NAME: Final = "a name in double quotes"
_FIRST_NAME: Final = "a name in double quotes or }"
_COLON: Final = "a colon"
_END: Final = "the end"
_SPACE: Final = " \t\r\n"
_PATTERNS: Final = {
    _VALUE: rf"[\[{{]|{_SCALAR}",
    _FIRST_VALUE: rf"[\]\[{{]|{_SCALAR}",
    _NAME: _STRING,
    _FIRST_NAME: rf"\}}|{_STRING}",
    _COLON: ":",
    "a comma or ]": r"[,\]]",
    "a comma or }": "[,}]",
    _END: "(?!)",
}
_EXPECTED: Final = {what: re.compile(f"[{_SPACE}]*({pattern})") for what, pattern in _PATTERNS.items()}
_BEGUN_STRING: Final = re.compile(_BEGUN)


class Break(NamedTuple):
    position: int
    what: str


def break_in(text: str, rest: Rest = no_rest) -> Break:
    """Where a text that is no JSON stops being the beginning of some."""
    ends: list[str] = []
    """What ends each value that has begun, the innermost last."""
    expected, at = _VALUE, 0
    for number in count(1):
        found = _EXPECTED[expected].match(text, at)
        if found is None:
            break
        if number % TOKENS_IN_A_ROW == 0:
            rest()
        mark, at = found[1], found.end()
        if mark == "[":
            ends.append("]")
            expected = _FIRST_VALUE
        elif mark == "{":
            ends.append("}")
            expected = _FIRST_NAME
        elif mark == ":":
            expected = _VALUE
        elif mark == ",":
            expected = _VALUE if ends[-1] == "]" else _NAME
        elif mark != "}" and expected in (_NAME, _FIRST_NAME):
            expected = _COLON
        else:
            if mark in "]}":
                ends.pop()
            expected = f"a comma or {ends[-1]}" if ends else _END
    return _break_at(text, at, expected)


def _break_at(text: str, at: int, expected: str) -> Break:
    at = len(text) - len(text[at:].lstrip(_SPACE))
    what = f"{expected} is expected"
    if expected in (_VALUE, _FIRST_VALUE, _NAME, _FIRST_NAME) and (string := _BEGUN_STRING.match(text, at)):
        at = string.end()
        what = "a text cannot have this as it is"
    return Break(at, "it ends too early" if at == len(text) else what)
