"""Every part of the runtime is named with its licence, and with one that the project takes."""

import platform
import re

import pytest
from checks.licences import PAGE, accepted, problems, written
from checks.parts import LOCK, CarriedPart, read_lock


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND AGPL-3.0-only", True),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", False),
        ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", True),
        ("((MIT))", True),
        ("(MIT", False),
        ("MIT MIT", False),
        ("", False),
    ],
)
def test_of_an_or_one_licence_is_enough_and_of_an_and_all_are_needed(expression: str, expected: bool) -> None:
    assert accepted(expression) is expected


def test_a_part_without_licence_or_with_one_that_is_not_taken_is_named() -> None:
    carried = {"one": [CarriedPart("inner", "1", "AGPL-3.0-only"), CarriedPart("unread", "", "")]}
    found = [line.partition(":")[0] for line in problems({"one": "MIT", "two": ""}, carried)]
    assert found == ["two", "inner in one", "unread in one"]


def test_every_part_has_a_licence_that_the_project_takes() -> None:
    assert written()[1] == []


def test_the_page_names_every_locked_package() -> None:
    named = re.findall(r"^\| (\S+) \| (\S+) \| \S", PAGE.read_text(), re.MULTILINE)
    assert [(package.name, package.version) for package in read_lock(LOCK.read_text())] == [
        each for each in named if each != ("---", "---") and each[0] != "package"
    ]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what is inside wheels is listed for Linux on x86-64")
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == written()[0], "make licences"
