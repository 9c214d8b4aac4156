"""How long tests wait for what has to happen, on a machine that has much else to do."""

PATIENCE = 180.0
"""The seconds after which a test takes it that something never happens. So many that no slow machine fails a test:
where something has to happen in time, that is asserted in virtual time, or by the order of what happens."""
LONG_PATIENCE = 5 * PATIENCE
"""The same for what takes a core for long even where nothing else runs: a benchmark, a compiler, an installation."""
ATTEMPT_TIMEOUT = 60.0
"""The seconds that an attempt has in a gateway whose test is not about them. It is the most that the setting allows, so
that no slow machine makes a healthy endpoint late."""
