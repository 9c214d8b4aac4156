"""JSON in colours is the same text, and no tag that is in a text is one."""

import re
from html import unescape

import msgspec
import pytest
from gateway.tests.console.conftest import HOSTILE

from signalpost.console.coloured_json import coloured, folding


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


def test_objects_and_lists_fold_to_the_line_that_opens_them_but_not_the_outermost() -> None:
    shown = folding(formatted({"a": {"b": [1, {"c": 2}]}, "empty": {}, "text": "{", "last": ["x"]}))
    assert shown.count("<details open><summary>") == shown.count("</details>") == 4
    plain = re.sub(r"</?span[^>]*>", "", shown)
    assert [unescape(each).strip() for each in re.findall(r"<summary>([^<]*)</summary>", plain)] == [
        '"a": {', '"b": [', "{", '"last": [',
    ]  # fmt: skip
    assert plain.endswith("  ]\n</details>}")


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        '"',
        "\\",
        '\\": true',
        "</span></pre>",
        "{{ 1 }}",
        "a: null 12",
        "\u202eאב",
        "",
        "a\u2028 } b",
        "\x85 ]",
    ],
)
def test_it_stays_the_same_text(text: str) -> None:
    value = formatted({text or "name": [text, {text: 1}]})
    assert unescape(re.sub(r"</?span[^>]*>", "", coloured(value))) == value
    shown = folding(value)
    assert unescape(re.sub(r"</?(span|details|summary)[^>]*>", "", shown)) == value
    assert {*re.findall(r"<[^>]*>", shown)} <= {
        "</span>",
        "<details open>",
        "<summary>",
        "</summary>",
        "</details>",
        *(f'<span class="json-{kind}">' for kind in ("name", "text", "number", "word")),
    }
