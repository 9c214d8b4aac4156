"""How long tests wait for what is to happen."""

PATIENCE = 60.0
"""Seconds after which a test takes it as never happening. So many that no slow machine fails a test: where something
has to happen in time, that is asserted in virtual time, or by the order of what happens."""
