"""A gateway for tests: it lives in a temporary folder, makes documents do things, and says what was delivered."""
