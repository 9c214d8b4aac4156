"""What a planted line is, and how a part of the program is counted."""

from pathlib import Path
from typing import NamedTuple

from checks.copied_tree import ROOT


class PlantedLine(NamedTuple):
    """A few lines as someone may have got them wrong."""

    name: str
    """What the program does wrong with them, as in "takes a key for the gateway's that it never published"."""
    file: str
    """From the root of the tree."""
    right: str
    """The text that is replaced. It occurs once in the file."""
    wrong: str
    found_by: str
    """The tests of which at least one must fail, as pytest takes them: `gateway/tests/…/test_….py::test_…`. Name the
    one that should find it: the fewer there are, the sooner it is tried."""

    def planted_into(self, text: str) -> str:
        """The file with the wrong lines. Raises ValueError unless the right ones occur once."""
        if text.count(self.right) != 1:
            raise ValueError(f"{self.name}: {self.file} has these lines {text.count(self.right)} times:\n{self.right}")
        return text.replace(self.right, self.wrong)


class Part(NamedTuple):
    """A part of the program, with the wrong lines that are planted into it."""

    name: str
    modules: tuple[str, ...]
    """The files of this part, as patterns from the root of the tree."""
    planted: tuple[PlantedLine, ...]

    def files(self) -> set[Path]:
        return {file for pattern in self.modules for file in ROOT.glob(pattern)}

    def lines_of_code(self) -> int:
        """The lines of this part, without those that are empty or a comment."""
        return sum(map(_lines_of_code, self.files()))


def _lines_of_code(file: Path) -> int:
    lines = map(str.strip, file.read_text(encoding="utf-8").splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)
