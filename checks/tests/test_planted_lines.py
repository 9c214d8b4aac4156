"""Wrong lines can be planted where their tables say, and their tests find them."""

import re
from pathlib import Path

import pytest
from checks.copied_tree import ROOT
from checks.planted_lines.line import Part, PlantedLine
from checks.planted_lines.parts import PARTS
from checks.planted_lines.trying import Field
from gateway.tests.examples import cases

EVERY = [line for part in PARTS for line in part.planted]
by_name = pytest.mark.parametrize("line", EVERY, ids=lambda line: line.name)


def test_each_has_a_name_of_its_own() -> None:
    assert len({line.name for line in EVERY}) == len(EVERY)


@by_name
def test_each_has_a_place_within_its_part_and_tests(line: PlantedLine) -> None:
    """What it replaces, and what should find it, may have got another name meanwhile."""
    text = (ROOT / line.file).read_text(encoding="utf-8")
    assert line.planted_into(text) != text
    [part] = [each for each in PARTS if line in each.planted]
    assert ROOT / line.file in part.files()
    for test in line.found_by.split():
        file, _, name = test.partition("::")
        name = name.partition("[")[0]
        assert re.search(rf"^ *(async )?def {name}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), test


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_has_at_least_as_many_a_thousand_lines_as_the_core(part: Part) -> None:
    """The core has 12.5: `docs/correctness.md` says how that is counted."""
    assert 1000 * len(part.planted) / part.lines_of_code() >= 12.5


@pytest.mark.slow
def test_a_line_is_found_if_its_test_fails_and_not_if_the_tree_only_breaks_down(tmp_path: Path) -> None:
    field, *lines = Field(tmp_path), *cases(EVERY, EVERY[:1])
    field.expect_to_pass({line.found_by for line in lines})
    for line in lines:
        assert field.finds(line), line.name
    assert not field.finds(lines[0]._replace(wrong="\0"))
    assert not field.finds(lines[0]._replace(wrong=lines[0].right))
