"""Which nodes of a fleet are alive, and which of them owns which lane."""
