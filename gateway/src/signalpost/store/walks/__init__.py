"""How lists and replays are found: coroutines that ask small queries, which each database answers in its own way."""
