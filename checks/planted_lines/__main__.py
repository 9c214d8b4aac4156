"""Do tests bite? Plants wrong lines into a copy of this tree, one at a time, and sees that the test named beside each
fails. It is for parts that no simulated world meets.

To plant one, add a row to the table of its part (`evidence.py`, for one; a new part is a module with a `PART`, and a
line in `parts.py`), and try it:

    make planted-lines ONLY='part of its name'

All those tests must pass first. `make test` sees that every row still has its place and its tests, and tries one;
`make every-case` tries all.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from checks.planted_lines.line import PlantedLine
from checks.planted_lines.parts import PARTS
from checks.planted_lines.trying import Field


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="lines, or parts, with this in their name")
    only = parser.parse_args().only
    chosen = [(part, line) for part in PARTS for line in part.planted if only in line.name or only in part.name]
    if not chosen:
        parser.error(f"no line and no part has {only!r} in its name")
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder))
        field.expect_to_pass({line.found_by for _, line in chosen})
        missed = sum(not _is_found(field, part.name, line) for part, line in chosen)
    for part in PARTS:
        code = part.lines_of_code()
        print(f"{part.name}: {len(part.planted)} in {code} lines, {1000 * len(part.planted) / code:.1f} a thousand")
    return 1 if missed else 0


def _is_found(field: Field, part: str, line: PlantedLine) -> bool:
    found = field.finds(line)
    print(f"{'found' if found else 'MISSED':<8}{part}: {line.name}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
