"""Log lines as JSON, whatever is in them."""

import json

import pytest

from signalpost.cli.logs import _json


@pytest.mark.parametrize("value", ["plain", "ü", "\ud800", "\x00\x1b", object(), ValueError("x"), {1: b"\xff"}])
def test_a_line_is_one_line_of_json_whatever_is_in_it(value: object) -> None:
    written = _json({"message": "m", "value": value})
    assert b"\n" not in written
    assert json.loads(written)["message"] == "m"
