"""The parts whose tests are tried with wrong lines."""

from checks.planted_lines import evidence
from checks.planted_lines.line import Part

PARTS: tuple[Part, ...] = (evidence.PART,)
