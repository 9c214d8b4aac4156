"""Everything that decides: pure functions and values that take the time and randomness as arguments."""
