"""What the client knows of the API is what the gateway has."""

from pathlib import Path

import msgspec
import pytest
from client.generator.files import written
from client.generator.reading import BY_HAND, Reading

from signalpost.api.routes import ROUTES
from signalpost_client import shapes
from signalpost_client.shape import read


@pytest.fixture(scope="module")
def files() -> dict[Path, str]:
    return written(Reading())


def test_what_is_generated_is_up_to_date(files: dict[Path, str]) -> None:
    for file, text in files.items():
        assert file.read_text(encoding="utf-8") == text, "run: .venv/bin/python -m client.generator"


def test_every_call_has_one_method_and_what_has_none_has_a_reason() -> None:
    operations = Reading().operations
    assert len(operations) + len(BY_HAND) == len(ROUTES)
    assert len({(each.noun, each.name) for each in operations}) == len(operations)
    assert all(BY_HAND.values())


def test_every_type_can_be_read() -> None:
    kinds = [kind for kind in vars(shapes).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    assert len(kinds) > 100
    for kind in kinds:
        msgspec.json.Decoder(kind)


def test_a_word_of_python_has_a_line_below_it_in_python_alone() -> None:
    assert read(shapes.Delay, {"seconds": 1, "if": {"field": "a"}}).if_ == {"field": "a"}
