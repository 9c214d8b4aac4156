"""JSON in colours is the same text, and no tag that is in a text is one."""

import re
from html import unescape

import msgspec
import pytest
from gateway.tests.console.conftest import HOSTILE

from signalpost.console.coloured_json import coloured


def formatted(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def test_each_kind_of_value_has_its_colour() -> None:
    shown = coloured(formatted({"a": "b", "n": [-1.5e10, 0], "t": True, "x": None}))
    found = re.findall(r'<span class="json-(\w+)">([^<]*)</span>', shown)
    assert [(kind, unescape(text)) for kind, text in found] == [
        ("name", '"a"'),
        ("text", '"b"'),
        ("name", '"n"'),
        ("number", "-15000000000.0"),
        ("number", "0"),
        ("name", '"t"'),
        ("word", "true"),
        ("name", '"x"'),
        ("word", "null"),
    ]


@pytest.mark.parametrize(
    "text", [HOSTILE, '"', "\\", '\\": true', "</span></pre>", "{{ 1 }}", "a: null 12", "\u202eאב", ""]
)
def test_it_stays_the_same_text(text: str) -> None:
    value = formatted({text or "name": [text, {text: 1}]})
    shown = coloured(value)
    assert unescape(re.sub(r"</?span[^>]*>", "", shown)) == value
    assert {*re.findall(r"<[^>]*>", shown)} <= {
        "</span>",
        *(f'<span class="json-{kind}">' for kind in ("name", "text", "number", "word")),
    }
