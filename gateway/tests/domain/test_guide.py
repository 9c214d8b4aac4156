"""What the guide for people without code shows is what happens."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from signalpost.domain.checks import Bad, Several
from signalpost.domain.language import names
from signalpost.domain.language.condition_reader import OPERATORS, read_condition
from signalpost.domain.language.names import Subject
from signalpost.domain.language.template_filters import DIRECTIVES, FILTERS, TemplateError
from signalpost.domain.language.templates import read_template

PAGE = (Path(__file__).parents[3] / "docs" / "guides" / "conditions-and-placeholders.md").read_text(encoding="utf-8")
SUBJECT = Subject(
    event=json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0]),
    before={"status": "awaitingSignature", "executedAt": None},
    made={"url": "https://example.com/made/7"},
)
EXAMPLES = [
    line.split(" → ") for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]


def outcome(example: str) -> Any:
    try:
        if example.startswith('{"'):
            return read_condition(json.loads(example)).why_not(SUBJECT) or "wanted"
        return read_template(example).text(SUBJECT, str)
    except TemplateError as error:
        return f"fails: {error}"
    except Bad as bad:
        return f"refused: {bad.detail}"
    except Several as several:
        return f"refused: {several.bads[0].detail}"


@pytest.mark.parametrize(("example", "result"), EXAMPLES)
def test_an_example_of_the_guide_does_what_the_guide_says(example: str, result: str) -> None:
    assert outcome(example) == result


def test_every_operator_filter_and_part_of_a_date_has_an_example_or_a_word() -> None:
    conditions = [example for example, _ in EXAMPLES if example.startswith('{"')]
    placeholders = [example for example, _ in EXAMPLES if example.startswith("{{")]
    for operator in OPERATORS:
        assert any(f'"{operator}": ' in example for example in conditions), operator
    for name in FILTERS:
        assert any(f"| {name}" in example for example in placeholders), name
    for directive in DIRECTIVES:
        assert f"`{directive}`" in PAGE


def test_every_attribute_of_a_document_is_in_the_guides_table() -> None:
    table = PAGE.partition("## Names")[2]
    for attribute in SUBJECT.document:
        assert f"{attribute}`" in table or f"document.{attribute}" in table, attribute
    for root in names.ROOTS:
        assert f"`{root}" in table
