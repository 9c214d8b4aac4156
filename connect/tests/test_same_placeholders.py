"""A placeholder means the same in a mapping as in the gateway's destinations."""

import pytest

from signalpost.domain.language import template_filters
from signalpost.domain.language.names import Type
from signalpost_connect.placeholders import read_template

VALUES = ("a text", "12.50", "", None, 7, 12.5, 1e21, True)


@pytest.mark.parametrize(
    ("written", "name", "arguments"),
    [
        ('default: "none"', "default", ("none",)),
        ("text", "text", ()),
        ("upper", "upper", ()),
        ("lower", "lower", ()),
        ("truncate: 3", "truncate", (3,)),
        ('choose: "a text", "b", 7, "c", "else"', "choose", ("a text", "b", 7, "c", "else")),
    ],
)
def test_a_filter_makes_the_same_of_a_value(written: str, name: str, arguments: tuple[str | int, ...]) -> None:
    theirs = template_filters.step_of(name, Type.ANY, arguments)
    ours = read_template(f"{{{{ body.value | {written} }}}}", ["body"])
    for value in VALUES:
        assert ours({"body": {"value": value}}) == theirs(value)


def test_a_number_is_read_in_the_same_way() -> None:
    theirs = template_filters.step_of("number", Type.ANY, ())
    ours = read_template("{{ body.value | number }}", ["body"])
    for value in ("12", "12.50", " -3 ", 7, None):
        assert ours({"body": {"value": value}}) == theirs(value)
