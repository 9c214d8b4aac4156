"""Which nodes of a fleet are there, and which lane belongs to which of them."""
