"""The parts whose tests are tried with wrong lines."""

from checks.planted_lines import certificates, evidence, feeding, imports, mcp, oauth
from checks.planted_lines.line import Part

PARTS: tuple[Part, ...] = (certificates.PART, evidence.PART, feeding.PART, imports.PART, mcp.PART, oauth.PART)
